"""What a PDE in many dimensions provides, to be solved by a network that is a function of the point."""

import abc
from collections.abc import Callable, Mapping
from typing import ClassVar

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Key

from spectral.grid import Grid

from ..generators.base import FieldInfo, Generator
from ..generators.checks import check_whole

Field = Callable[[Float[Array, "d"]], Float[Array, ""]]


class PointProblem(Generator):
    """An equation whose differential operator is a sum over dimensions, with its exact solution at random points.

        R(u) = sum_i L_i(u) + N(u) = 0,    L_i(u) = `piece`(d u / d x_i, d^2 u / d x_i^2),    N(u) = `rest`(u)

    Each L_i is the Laplacian's u_ii, perhaps with a multiple of u_i^2: for random directions v with E[v v^T] = 1 and
    odd moments 0, the sum is also E[piece(D u . v, v^T D^2 u v)].

    A sample is a cloud of `points` points: its "grid" is their number, the coordinates of a point are stored as the
    "times" of the field `point`, and so become the channels of the input. The same key gives the same points in float32
    and in float64.

    Attributes:
        dims: d, the number of dimensions that are summed over: the first coordinates of a point.
        points: points of a sample.
    """

    grid_type: ClassVar[str] = "cloud"
    targets: ClassVar[dict[str, tuple[int, ...]]] = {"solution": (0,)}

    dims: int
    points: int

    def check(self, least_dims: int = 1) -> None:
        """Raises ValueError unless both sizes are whole numbers, and there are so many dimensions."""
        check_whole(self, "dims", "points")
        if self.dims < least_dims:
            raise ValueError(f"dims: got {self.dims}, wanted at least {least_dims}, which the exact solution takes")

    @property
    def coordinates(self) -> int:
        """Numbers that say where a point is: the dimensions, and others such as time after them."""
        return self.dims

    @abc.abstractmethod
    def point(self, key: Key[Array, ""]) -> Float[Array, "d"]:
        """A random point of the domain, float32."""

    @abc.abstractmethod
    def exact(self, x: Float[Array, "d"]) -> Float[Array, ""]:
        """The solution at a point."""

    def piece(self, first: Float[Array, "*v"], second: Float[Array, "*v"]) -> Float[Array, "*v"]:
        """What one dimension adds to the operator, from the first and second derivative along it."""
        del first
        return second

    @abc.abstractmethod
    def rest(self, u: Field, x: Float[Array, "d"]) -> Float[Array, ""]:
        """The residual without the sum over dimensions, at a point."""

    @property
    def grid(self) -> Grid:
        return Grid((self.points,), (float(self.points),))

    @property
    def inputs(self) -> dict[str, tuple[int, ...]]:
        return {"point": tuple(range(self.coordinates))}

    @property
    def fields(self) -> dict[str, FieldInfo]:
        numbers = tuple(float(i) for i in range(self.coordinates))
        return {
            "point": FieldInfo(numbers, "1", "coordinates of the points, by number"),
            "solution": FieldInfo((0.0,), "1", "exact solution at the points"),
        }

    def parameters(self) -> dict[str, float | str]:
        return {"dims": float(self.dims)}

    def __call__(self, key: jax.Array) -> dict[str, Float[Array, "_ n"]]:
        """One sample: point [coordinates, points] and solution [1, points]."""
        x = jax.vmap(self.point)(jax.random.split(key, self.points)).astype(jnp.result_type(float))
        return {"point": x.T, "solution": jax.vmap(self.exact)(x)[None]}

    def solve(self, given: Mapping[str, Float[Array, "_ n"]], grid: Grid) -> dict[str, Float[Array, "_ n"]]:
        """The exact solution at points [coordinates, points]."""
        del grid
        return {"solution": jax.vmap(self.exact)(given["point"].T)[None]}

    def restrict(self, u: Float[Array, "t n"], shape: tuple[int, ...]) -> Float[Array, "t m"]:
        """The first points of a cloud."""
        return u[:, : shape[0]]


def normal(key: Key[Array, ""], size: int) -> Float[Array, "d"]:
    """Standard normal numbers in float32, whatever the precision in use."""
    return jax.random.normal(key, (size,), jnp.float32)
