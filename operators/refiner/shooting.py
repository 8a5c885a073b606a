"""Residual of a trajectory against a solver that goes from every snapshot to the next."""

import dataclasses

import jax
import jax.numpy as jnp
from jaxtyping import Array, Complex

from ..layers.arguments import whole
from .flow import Flow, Stepper, check_flow, check_interval, check_stepper


@dataclasses.dataclass(frozen=True, eq=False)
class Shooting:
    """R_m = (u_m - Phi(u_(m-1))) / Dt at every output, Phi the solver over an interval; u_0 is the last input.

    All intervals are solved at once. R is about the mean of the equation's residual over the interval, and vanishes on
    the serial solution by Phi alone, so the error left at zero is the solver's.

    Args:
        equation: of real fields.
        interval: time between snapshots.
        stepper: (equation, dt) -> step, such as `pdes.steppers.cn_rk4`.
        substeps: steps of Phi, 1 to 5 do.
        axis: mesh axis over which the outputs are spread inside `jax.shard_map`, see `time_parallel`; the one before
            each device's first output then comes from its left neighbour.

    Raises:
        ValueError: for an equation of complex fields, an interval that is not positive, a stepper that is no function,
            a number of steps that is not whole and positive.

    Source:
        Multiple shooting, in place of the residual of Cao et al. 2025, see `SolverStep`.
    """

    equation: Flow
    interval: float | int
    stepper: Stepper
    substeps: int = 2
    axis: str | None = None

    @property
    def order(self) -> float:
        """Of the Sobolev norm that it is measured in by default."""
        return 0.0

    def __post_init__(self) -> None:
        check_flow(self.equation)
        check_interval(self.interval)
        check_stepper(self.stepper)
        whole("substeps", self.substeps)

    def __call__(self, window: Complex[Array, "t ..."], history: Complex[Array, "h ..."]) -> Complex[Array, "t ..."]:
        """Residual of every output, unit of the state / time; see `Differences`."""
        return (window - jax.vmap(self.advance)(self.before(window, history))) / self.interval

    def advance(self, u_hat: Complex[Array, "..."]) -> Complex[Array, "..."]:
        """Phi: the state an interval later."""
        step = self.stepper(self.equation, self.interval / self.substeps)
        return jax.lax.scan(lambda u, _: (step(u), None), u_hat, length=self.substeps)[0]

    def before(self, window: Complex[Array, "t ..."], history: Complex[Array, "h ..."]) -> Complex[Array, "t ..."]:
        """The snapshot before every output."""
        first = history[-1:]
        if self.axis is not None:
            count = jax.lax.axis_size(self.axis)
            left = jax.lax.ppermute(window[-1:], self.axis, [(i, i + 1) for i in range(count - 1)])
            first = jnp.where(jax.lax.axis_index(self.axis) == 0, first, left)
        return jnp.concatenate([first, window[:-1]])

    def solve(self, history: Complex[Array, "h ..."], n_outputs: int) -> Complex[Array, "t ..."]:
        """The serial solution by Phi, at which the residual is zero."""

        def next_state(u: jax.Array, _: None) -> tuple[jax.Array, jax.Array]:
            u = self.advance(u)
            return u, u

        return jax.lax.scan(next_state, history[-1], length=n_outputs)[1]
