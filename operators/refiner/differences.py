"""Residual of an equation along a trajectory, with the time derivative by finite differences."""

import dataclasses

import jax
import jax.numpy as jnp
from jaxtyping import Array, Complex

from ..layers.arguments import whole
from .finite_differences import check_order, differentiate
from .flow import Flow, check_flow, check_interval


@dataclasses.dataclass(frozen=True, eq=False)
class Differences:
    """R_m = sum_j D_mj u_j - F(u_m) at every output, over history and outputs, F the right-hand side of the equation.

    One evaluation of F per output, all at once: the cheapest residual. It vanishes not on the solution but on what the
    differences take for it: on decaying turbulence (viscosity 1e-3) at intervals of 0.055, 1 % of u_t for order 4,
    0.3 % for order 6.

    Args:
        equation: of real fields.
        interval: time between snapshots.
        difference_order: of the differences, 2, 4, 6 or 8; one-sided at the end, and at the beginning where the
            history is shorter than half of it.

    Raises:
        ValueError: for an equation of complex fields, an interval that is not positive, another order; at the call,
            for fewer snapshots than order + 1.

    Source:
        Fornberg 1988 for the weights. In place of the solver's step from u_m itself in Cao et al. 2025 (arXiv
        2405.17211), see `SolverStep`.
    """

    equation: Flow
    interval: float | int
    difference_order: int = 6

    @property
    def order(self) -> float:
        """Of the Sobolev norm that it is measured in by default."""
        return -1.0

    def __post_init__(self) -> None:
        check_flow(self.equation)
        check_interval(self.interval)
        check_order(whole("difference_order", self.difference_order), name="difference_order")

    def __call__(self, window: Complex[Array, "t ..."], history: Complex[Array, "h ..."]) -> Complex[Array, "t ..."]:
        """Residual of every output, unit of the state / time.

        Args:
            window: outputs.
            history: snapshots before them, the last one interval before the first output.
        """
        used = history[-self.difference_order :]
        # Rows of D sum to zero: differences from the last input lose fewer digits than the snapshots themselves.
        moved = jnp.concatenate([used, window]) - history[-1:]
        rates = differentiate(moved, len(used), self.interval, self.difference_order)
        return rates - jax.vmap(self.equation.rhs)(window)
