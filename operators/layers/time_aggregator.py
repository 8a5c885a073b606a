"""Many steps in time as one."""

import math

import jax.numpy as jnp
import numpy as np
from flax import nnx
from jaxtyping import Array, Float


class TimeAggregator(nnx.Module):
    """y = sum_n W_n (x_n cos(gamma t_n)), t_n = n / (T - 1): one matrix per step, and a learned frequency per channel.

    Args:
        n_steps: T.
        channels: channel count, in and out.
        rngs: random streams.

    Source: Hao et al., DPOT, 2024, its temporal aggregation; gamma starts at 2^-10 .. 2^10, W at N(0, 1) / (T sqrt c).
    """

    def __init__(self, n_steps: int, channels: int, *, rngs: nnx.Rngs) -> None:
        shape = (n_steps, channels, channels)
        std = 1 / (n_steps * math.sqrt(channels))
        self.weight = nnx.Param((std * rngs.params.normal((math.prod(shape),), jnp.float32)).reshape(shape))
        self.frequency = nnx.Param(jnp.asarray(2.0 ** np.linspace(-10, 10, channels), jnp.float32))

    def __call__(self, x: Float[Array, "b t *space c"]) -> Float[Array, "b *space c"]:
        steps = jnp.asarray(np.linspace(0, 1, x.shape[1]), x.dtype)
        angles = steps[:, None] * self.frequency[...][None]
        waves = jnp.cos(angles).reshape(1, len(steps), *[1] * (x.ndim - 3), -1)
        return jnp.einsum("bt...c,tcd->b...d", x * waves, self.weight[...])
