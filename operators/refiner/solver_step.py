"""The residual of the published code, which every trajectory has: kept as a counter-example."""

import dataclasses

import jax
from jaxtyping import Array, Complex

from .flow import Flow, Stepper, check_flow, check_interval, check_positive, check_stepper


@dataclasses.dataclass(frozen=True, eq=False)
class SolverStep:
    """R_m = (B_d(u_m) - B_-d(u_m)) / 2d - F(u_m), B_d a step of the solver over a tiny time from u_m itself.

    Do not refine with it. The snapshots before and after do not enter, so this is how well one solver step agrees with
    the equation, and nothing about the trajectory: snapshots that have nothing to do with each other have a residual at
    round-off, like the solution. Tests hold this as a fact next to the two residuals that tell them apart.

    Args:
        equation: of real fields.
        interval: time between snapshots, which weighs their residuals and does nothing else.
        stepper: (equation, dt) -> step.
        delta: d, time.

    Raises:
        ValueError: for an equation of complex fields, times that are not positive, a stepper that is no function.

    Source:
        Cao et al. 2025 (arXiv 2405.17211), the time derivative of their fine-tuning: `imex_cn`, d = 1e-6, float64.
    """

    equation: Flow
    interval: float | int
    stepper: Stepper
    delta: float = 1e-6

    @property
    def order(self) -> float:
        """Of the Sobolev norm that it is measured in by default."""
        return -1.0

    def __post_init__(self) -> None:
        check_flow(self.equation)
        check_interval(self.interval)
        check_stepper(self.stepper)
        check_positive("delta", self.delta, "a tiny time", "such as delta=1e-6 in float64")

    def __call__(self, window: Complex[Array, "t ..."], history: Complex[Array, "h ..."]) -> Complex[Array, "t ..."]:
        """Residual of every output, unit of the state / time; the history does not enter."""
        del history

        def one(u: jax.Array) -> jax.Array:
            forward, backward = (self.stepper(self.equation, d)(u) for d in (self.delta, -self.delta))
            return (forward - backward) / (2 * self.delta) - self.equation.rhs(u)

        return jax.vmap(one)(window)
