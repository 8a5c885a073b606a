"""Newton's method on a shooting residual."""

import dataclasses

import jax
import jax.numpy as jnp
from jaxtyping import Array, Complex

from ..layers.arguments import whole
from .estimator import Estimator
from .shooting import Shooting
from .stopping import REASONS, Descent, Stopping


@dataclasses.dataclass(frozen=True)
class Newton:
    """u + e with e_m = DPhi(u_(m-1)) e_(m-1) - (u_m - Phi(u_(m-1))), e_0 = 0: a tangent sweep over the outputs.

    The residuals are taken at once, the sweep goes from output to output, at the price of a solution and its tangent:
    it is the most exact refinement and no cheaper than the solver. A base that is far off may be driven away; what is
    returned has the lowest estimate on the way, so begin with some steps of `Adam`. It ends at round-off,
    see `Stopping`.

    Args:
        steps: at most; the error is squared in each until round-off, so three or four do.

    Raises:
        ValueError: for steps that are no whole number >= 0.
    """

    steps: int = 3

    def __post_init__(self) -> None:
        whole("steps", self.steps, 0)

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
        round_off = jnp.finfo(window.real.dtype).eps ** 0.5

        def measured(window: Array) -> tuple[Array, Array]:
            """The residual, which the next step starts from, and its relative estimate."""
            found = residual(window, history)
            return found, jnp.sqrt(estimator.total(estimator.size(found))) / scale

        def tangent(error: jax.Array, at: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, jax.Array]:
            before, defect = at
            moved = jax.jvp(residual.advance, (before,), (error,))[1]
            return (moved - defect,) * 2

        def step(carry: tuple) -> tuple:
            (window, found), best, course, taken, _ = carry
            at = residual.before(window, history), residual.interval * found
            window = window + jax.lax.scan(tangent, jnp.zeros_like(window[0]), at)[1]
            found, value = measured(window)
            better = value < jnp.min(jnp.where(jnp.isnan(course), jnp.inf, course))
            # Errors are squared until nothing but round-off is left.
            flat = (stopping.patience > 0) & (course[taken] < round_off) & (value > 0.5 * course[taken])
            course, taken = course.at[taken + 1].set(value), taken + 1
            reason = stopping.reason(course, taken, self.steps)
            reason = jnp.where((reason < 0) & flat, REASONS.index("stalled"), reason)
            return (window, found), jnp.where(better, window, best), course, taken, reason

        found, value = measured(window)
        course = jnp.full(self.steps + 1, jnp.nan, window.real.dtype).at[0].set(value)
        taken = jnp.zeros((), int)
        carry = ((window, found), window, course, taken, stopping.reason(course, taken, self.steps))
        _, best, course, taken, reason = jax.lax.while_loop(lambda c: c[4] < 0, step, carry)
        return Descent(best, course, taken, reason)
