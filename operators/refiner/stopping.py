"""When a refinement ends, and what it was like until then."""

import dataclasses
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from ..layers.arguments import number, refusal, whole

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

    `Adam` does not stall: before the end of its schedule the learning rate is what holds the estimate up. `Newton` ends
    at round-off too, where a step no longer halves an estimate below the root of the precision.

    Args:
        floor: relative estimate that is good enough: that of a solver's trajectory (`Refiner.estimate`), below which a
            residual measures its own time differences.
        fall: share by which the estimate has to fall.
        patience: steps in which it has to; 0 takes all steps.

    Raises:
        ValueError: for a floor that is no finite number >= 0, a fall that is no share below 1, a patience that is no
            whole number >= 0.
    """

    floor: float | int = 0.0
    fall: float | int = 0.01
    patience: int = 20

    def __post_init__(self) -> None:
        number("floor", self.floor)
        if number("fall", self.fall) >= 1:
            raise refusal("fall", self.fall, "a share of 0 to below 1", "such as fall=0.01; patience=0 takes all steps")
        whole("patience", self.patience, 0)

    def reason(
        self, history: Float[Array, "s"], taken: Int[Array, ""], steps: int, stalls: bool = True
    ) -> Int[Array, ""]:
        """Index into `REASONS` after so many steps of at most `steps`, or -1 to go on."""
        value = history[taken]
        # NaN stands after the end, and is no minimum.
        lowest = jax.lax.cummin(jnp.where(jnp.isnan(history), jnp.inf, history))
        before = lowest[jnp.maximum(taken - self.patience, 0)]
        stalled = (stalls and self.patience > 0) & (taken >= self.patience) & (lowest[taken] > (1 - self.fall) * before)
        found = jnp.where(taken == steps, 0, -1)
        found = jnp.where(stalled, 2, found)
        found = jnp.where(value <= self.floor, 1, found)
        return jnp.where(jnp.isfinite(value), found, 3)
