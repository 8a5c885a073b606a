"""One step in time, applied again and again."""

from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float

from .base import Operator
from .layers.arguments import random_streams, refusal, whole
from .layers.batches import flatten


class Rollout(Operator):
    """u_0 -> (u_1, .., u_T) with u_{n+1} = M(u_n): the states that a learned step M makes one after the other.

    T is the number of states in the output, out_channels / in_channels, so the data say how far training looks ahead:
    with targets of one time M is trained on single steps, with those of two on what it makes of its own output. The
    parameters are those of M whatever T is. States come as those of a data set do: channel c T + n is channel c of the
    state n + 1.

    Args:
        in_channels: channels of a state.
        out_channels: a multiple of them.
        operator: makes M: called with `in_channels`, `out_channels` (those of a state) and `rngs`.
        rngs: random streams.

    Raises:
        ValueError: for output channels that are no whole states, or an M that makes no operator.

    Accuracy:
        M has to see all states in one unit: normalise by field (`data.normalize_inputs=field`, and targets likewise).

    Source: the fine-tuning of Pathak et al., FourCastNet, 2022, with T = 2.
    """

    def __init__(
        self, in_channels: int, out_channels: int, *, operator: Callable[..., Operator], rngs: nnx.Rngs
    ) -> None:
        self.in_channels, self.out_channels = whole("in_channels", in_channels), whole("out_channels", out_channels)
        self.num_steps, rest = divmod(out_channels, in_channels)
        if rest:
            wanted = f"whole states of {in_channels} channels"
            raise refusal(
                "out_channels", out_channels, wanted, "take the fields of the inputs as targets, at later times"
            )
        of_state: dict[str, Any] = {"in_channels": in_channels, "out_channels": in_channels}
        self.step = operator(**of_state, rngs=random_streams(rngs))
        if not isinstance(self.step, Operator):
            wanted = f"a function that makes an operator, not of class {type(self.step).__name__}"
            raise refusal("operator", operator, wanted, "such as functools.partial(AFNONet, grid=(64, 64))")
        self.ndim = self.step.ndim

    def __call__(
        self, u: Float[Array, "*b_space ci"], output_shape: tuple[int, ...] | None = None
    ) -> Float[Array, "*b_outspace co"]:
        """Apply the step T times; see `Operator.__call__`. Another `output_shape` is that of all states."""
        state, states = flatten(u, self.ndim, self.in_channels), []
        for _ in range(self.num_steps):
            states.append(self.step(state, output_shape))
            state = states[-1] if output_shape is None else self.step(state)
        v = jnp.stack(states, axis=-1)
        return v.reshape(*u.shape[: -self.ndim - 1], *v.shape[1:-2], -1)

    def check_grid(self, shape: tuple[int, ...]) -> None:
        """See `Operator.check_grid`."""
        self.step.check_grid(shape)
