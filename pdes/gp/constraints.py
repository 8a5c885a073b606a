"""Conditions at the ends of an axis, solved for the values at its outermost points."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from .axis import AxisModel
from .collocation import Conditions
from .kronecker import apply_along


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class AxisConstraints:
    """Values at all points of an axis from those at the kept ones and the data of its conditions.

        u = extension u_kept + lift g,    rows u = g

    As many points as there are conditions are given up: of one its own end, of two both ends, also where both hold at
    one of them. A derivative is worst at an end, so that is where the equation is best left out.

    Args:
        kept: first and last kept point, plus one.
        rows: functionals of the conditions, [conditions, n].
        extension: [n, kept].
        lift: [n, conditions].
    """

    kept: tuple[int, int] = dataclasses.field(metadata={"static": True})
    rows: Float[Array, "c n"]
    extension: Float[Array, "n k"]
    lift: Float[Array, "n c"]

    @classmethod
    def of(cls, model: AxisModel, conditions: Conditions) -> "AxisConstraints":
        """Solves the conditions of an axis.

        Raises:
            ValueError: for conditions that do not determine the points at the ends.
        """
        n = model.axis.n
        slope = np.asarray(model.derivatives.get(1, np.zeros((n, n))))
        rows = np.array([condition.row(n, slope) for condition in conditions]).reshape(len(conditions), n)
        upper = len(conditions) // 2 if len(conditions) > 1 else sum(c.side == "upper" for c in conditions)
        lower = len(conditions) - upper
        given_up = [*range(lower), *range(n - upper, n)]
        kept = slice(lower, n - upper)
        block = rows[:, given_up]
        if len(conditions) and not np.linalg.cond(block) < 1e10:
            raise ValueError(
                f"conditions: got {conditions}, which do not determine the values at the ends; give others"
            )
        inverse = np.linalg.inv(block)
        extension, lift = np.eye(n)[:, kept], np.zeros((n, len(conditions)))
        extension[given_up] = -inverse @ rows[:, kept]
        lift[given_up] = inverse
        return cls((lower, n - upper), *map(jnp.asarray, (rows, extension, lift)))


def lift_all(constraints: tuple[AxisConstraints, ...], data: tuple[Float[Array, "..."], ...]) -> Float[Array, "*space"]:
    """A field that satisfies the conditions of all axes (the last axis' where their data contradict each other)."""
    shape = tuple(c.rows.shape[1] for c in constraints)
    field = jnp.zeros(shape)
    for axis, (constraint, given) in enumerate(zip(constraints, data, strict=True)):
        missing = jnp.moveaxis(given, 0, axis) - apply_along(constraint.rows, field, axis)
        field = field + apply_along(constraint.lift, missing, axis)
    return field
