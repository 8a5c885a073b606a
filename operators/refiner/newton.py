"""Newton's method on a shooting residual."""

import dataclasses

import jax
import jax.numpy as jnp
from jaxtyping import Array, Complex

from .estimator import Estimator
from .shooting import Shooting
from .stopping import Descent, Stopping


@dataclasses.dataclass(frozen=True)
class Newton:
    """u + e with e_m = DPhi(u_(m-1)) e_(m-1) - (u_m - Phi(u_(m-1))), e_0 = 0: a tangent sweep over the outputs.

    The residuals are taken at once, the sweep goes from output to output, at the price of a solution and its tangent:
    it is the most exact refinement and no cheaper than the solver. A base that is far off may be driven away; what is
    returned has the lowest estimate on the way, so begin with some steps of `Adam`.

    Args:
        steps: at most; the error is squared in each until round-off, so three or four do.
    """

    steps: int = 3

    def __post_init__(self) -> None:
        if self.steps < 0:
            raise ValueError(f"steps: got {self.steps}, wanted a number >= 0")

    def solve(
        self,
        estimator: Estimator,
        window: Complex[Array, "t ..."],
        history: Complex[Array, "h ..."],
        stopping: Stopping,
    ) -> Descent:
        """The course of the refinement; its unknowns are the outputs themselves."""
        residual, scale = estimator.residual, estimator.scale(window, history)
        assert isinstance(residual, Shooting)

        def tangent(error: jax.Array, at: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, jax.Array]:
            before, defect = at
            moved = jax.jvp(residual.advance, (before,), (error,))[1]
            return (moved - defect,) * 2

        def step(carry: tuple) -> tuple:
            window, best, history_of, taken, _ = carry
            defects = residual.interval * residual(window, history)
            errors = jax.lax.scan(tangent, jnp.zeros_like(window[0]), (residual.before(window, history), defects))[1]
            window = window + errors
            value = estimator(window, history) / scale
            better = value < jnp.min(jnp.where(jnp.isnan(history_of), jnp.inf, history_of))
            history_of = history_of.at[taken + 1].set(value)
            reason = stopping.reason(history_of, taken + 1, self.steps)
            return window, jnp.where(better, window, best), history_of, taken + 1, reason

        course = jnp.full(self.steps + 1, jnp.nan, window.real.dtype).at[0].set(estimator(window, history) / scale)
        taken = jnp.zeros((), int)
        carry = (window, window, course, taken, stopping.reason(course, taken, self.steps))
        _, best, course, taken, reason = jax.lax.while_loop(lambda c: c[4] < 0, step, carry)
        return Descent(best, course, taken, reason)
