"""What a solver is told of a problem: equation, points, conditions and their data, but never the solution."""

import dataclasses
import functools
from collections.abc import Sequence
from typing import Literal

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from .axis import Axis
from .equations import Equation, Field, derivative


@dataclasses.dataclass(frozen=True)
class Condition:
    """The value (order 0) or slope (1) at an end of an axis, or the difference of both ends ("wrap"), is given."""

    order: Literal[0, 1]
    side: Literal["lower", "upper", "wrap"]

    def row(self, n: int, slope: Float[np.ndarray, "n n"]) -> Float[np.ndarray, "n"]:
        """Its functional of the values at the points of the axis; `slope` differentiates them."""
        rows = np.eye(n) if self.order == 0 else slope
        return {"lower": rows[0], "upper": rows[-1], "wrap": rows[-1] - rows[0]}[self.side]


Conditions = tuple[Condition, ...]
DIRICHLET: Conditions = (Condition(0, "lower"), Condition(0, "upper"))
NEUMANN: Conditions = (Condition(1, "lower"), Condition(1, "upper"))
PERIODIC: Conditions = (Condition(0, "wrap"), Condition(1, "wrap"))
INITIAL: Conditions = (Condition(0, "lower"),)  # also inflow
CAUCHY: Conditions = (Condition(0, "lower"), Condition(1, "lower"))  # place and speed at the start


@dataclasses.dataclass(frozen=True)
class Collocation:
    """An equation at the points of a box, with conditions at its sides.

    Args:
        equation: that holds at the points that no condition takes.
        axes: the points.
        conditions: per axis.
        source: f at all points.
        data: per axis [conditions, *points of the other axes].

    Raises:
        ValueError: without float64, and where numbers of axes, conditions or shapes do not agree.
    """

    equation: Equation
    axes: tuple[Axis, ...]
    conditions: tuple[Conditions, ...]
    source: Float[Array, "*space"]
    data: tuple[Float[Array, "..."], ...]

    def __post_init__(self) -> None:
        if self.source.dtype != jnp.float64:
            raise ValueError(
                f"source: got {self.source.dtype}, wanted float64, without which covariances are singular; run under "
                "`with jax.enable_x64(True)` or set JAX_ENABLE_X64=1"
            )
        if not self.equation.ndim == len(self.axes) == len(self.conditions) == len(self.data):
            raise ValueError(
                f"axes, conditions, data: got {len(self.axes)}, {len(self.conditions)}, {len(self.data)}, wanted one "
                f"per axis of the equation, {self.equation.ndim}"
            )
        shape = self.shape
        for axis, (conditions, data) in enumerate(zip(self.conditions, self.data, strict=True)):
            wanted = (len(conditions), *shape[:axis], *shape[axis + 1 :])
            if data.shape != wanted or self.source.shape != shape:
                raise ValueError(
                    f"source, data of axis {axis}: got {self.source.shape}, {data.shape}, wanted {shape}, {wanted}"
                )

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(axis.n for axis in self.axes)

    @property
    def coordinates(self) -> tuple[Float[Array, "*space"], ...]:
        """Of all points, one array per axis."""
        return mesh([axis.points for axis in self.axes])

    @classmethod
    def of(
        cls, equation: Equation, axes: Sequence[Axis], conditions: Sequence[Conditions], solution: Field
    ) -> "Collocation":
        """The problem that a chosen function solves; of it the source and the data at the sides are kept.

        Args:
            equation, axes, conditions: as of the class.
            solution: elementwise function of the coordinates.
        """
        points = tuple(axis.points for axis in axes)
        source, data = _told(equation, tuple(conditions), solution, points)
        return cls(equation, tuple(axes), tuple(conditions), source, data)

    def lines(self, axis: int) -> list[tuple[Float[np.ndarray, "_ _"], bool]]:
        """All data along an axis, as rows of values: the source (True), and the given values at the sides (False)."""
        n = self.axes[axis].n
        found = []
        if bool(jnp.any(self.source != 0)):
            found.append((np.moveaxis(np.asarray(self.source), axis, -1).reshape(-1, n), True))
        for other, (conditions, data) in enumerate(zip(self.conditions, self.data, strict=True)):
            if other != axis:
                kept = [i for i, c in enumerate(conditions) if c.order == 0 and c.side != "wrap"]
                sides = np.moveaxis(np.asarray(data)[kept], axis + (axis < other), -1).reshape(-1, n)
                found.append((sides[np.abs(sides).max(1) > 0], False))
        return [(rows, is_source) for rows, is_source in found if len(rows)]


def mesh(points: Sequence[Float[np.ndarray, "_"] | Float[Array, "_"]]) -> tuple[Float[Array, "*space"], ...]:
    """Coordinates of all points of a tensor grid."""
    return tuple(jnp.meshgrid(*points, indexing="ij"))


@functools.partial(jax.jit, static_argnums=(0, 1, 2))
def _told(
    equation: Equation, conditions: tuple[Conditions, ...], solution: Field, points: tuple[jax.Array, ...]
) -> tuple[jax.Array, tuple[jax.Array, ...]]:
    """Source and data at the sides of a chosen solution; one program for all of one problem."""
    data = tuple(_side_data(solution, axis, points, rows) for axis, rows in enumerate(conditions))
    return equation.apply(solution, mesh(points)), data


def _side_data(solution: Field, axis: int, points: Sequence[jax.Array], conditions: Conditions) -> jax.Array:
    def at(end: slice, order: int) -> jax.Array:
        chosen = [x[end] if i == axis else x for i, x in enumerate(points)]
        orders = tuple(order * (i == axis) for i in range(len(points)))
        return jnp.squeeze(derivative(solution, orders)(*mesh(chosen)), axis)

    first, last = slice(0, 1), slice(-1, None)
    rows = {
        "lower": lambda order: at(first, order),
        "upper": lambda order: at(last, order),
        "wrap": lambda order: at(last, order) - at(first, order),
    }
    others = [len(x) for i, x in enumerate(points) if i != axis]
    return jnp.stack([rows[c.side](c.order) for c in conditions]) if conditions else jnp.zeros((0, *others))
