"""When a refinement ends, and what it was like until then."""

import dataclasses
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

# Why a refinement ended, by `Descent.reason`.
REASONS = ("all steps taken", "floor reached", "stalled", "not finite")


class Descent(NamedTuple):
    """The course of one refinement.

    Args:
        best: unknowns with the lowest estimate.
        history: relative estimate before every step and after the last, [steps + 1]; NaN after the end.
        steps: taken.
        reason: index into `REASONS`.
    """

    best: Any
    history: Float[Array, "s"]
    steps: Int[Array, ""]
    reason: Int[Array, ""]


@dataclasses.dataclass(frozen=True)
class Stopping:
    """Ends at a floor, where the best estimate falls by less than `fall` over `patience` steps, or at no number.

    Args:
        floor: relative estimate that is good enough: that of a solver's trajectory (`Refiner.estimate`), below which a
            residual measures its own time differences.
        fall: share by which the estimate has to fall.
        patience: steps in which it has to; 0 takes all steps.
    """

    floor: float | int = 0.0
    fall: float | int = 0.01
    patience: int = 20

    def __post_init__(self) -> None:
        if not (self.floor >= 0 and 0 <= self.fall < 1 and self.patience >= 0):
            raise ValueError(
                f"floor, fall, patience: got {self.floor}, {self.fall}, {self.patience}, wanted an estimate >= 0, a "
                "share of 0 to 1 and a number of steps"
            )

    def reason(self, history: Float[Array, "s"], taken: Int[Array, ""], steps: int) -> Int[Array, ""]:
        """Index into `REASONS` after so many steps of at most `steps`, or -1 to go on."""
        value = history[taken]
        # NaN stands after the end, and is no minimum.
        lowest = jax.lax.cummin(jnp.where(jnp.isnan(history), jnp.inf, history))
        before = lowest[jnp.maximum(taken - self.patience, 0)]
        stalled = (self.patience > 0) & (taken >= self.patience) & (lowest[taken] > (1 - self.fall) * before)
        found = jnp.where(taken == steps, 0, -1)
        found = jnp.where(stalled, 2, found)
        found = jnp.where(value <= self.floor, 1, found)
        return jnp.where(jnp.isfinite(value), found, 3)
