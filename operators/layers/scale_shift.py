"""Layers that bend to a number such as the time: how it is embedded, and what it does to a layer."""

import math

import jax.numpy as jnp
import numpy as np
from flax import nnx
from jaxtyping import Array, Float

from .activations import gelu
from .arguments import refusal, whole
from .channel_mlp import ChannelMLP
from .linear import Linear


class TimeEmbedding(nnx.Module):
    """t -> GELU(W (cos pi k t / T, sin pi k t / T) + b), k = 1 .. features / 2.

    Args:
        features: of the embedding, an even number.
        max_time: T.
        rngs: random streams.

    Raises:
        ValueError: for an odd number of features.

    Source: Leinonen et al., Modulated AFNO, 2024, `ModEmbedNet` with the depth of its default.
    """

    def __init__(self, features: int, max_time: float = 1.0, *, rngs: nnx.Rngs) -> None:
        if whole("mod_dim", features) % 2:
            raise refusal("mod_dim", features, "an even number", "half are cosines, half sines")
        self.features, self.max_time = features, max_time
        self.linear = Linear(features, features, rngs=rngs)

    def __call__(self, t: Float[Array, "b"]) -> Float[Array, "b e"]:
        frequencies = np.pi * np.arange(1, self.features // 2 + 1) / self.max_time
        angles = t[:, None] * jnp.asarray(frequencies, t.dtype)[None]
        return gelu(self.linear(jnp.concatenate([jnp.cos(angles), jnp.sin(angles)], axis=-1)))


class ScaleShift(nnx.Module):
    """e -> (1 + s, t): scale and shift of a layer, from an MLP over an embedding; at first nearly (1, 0).

    Args:
        features: of the embedding.
        channels: of the layer.
        pair: whether scale and shift are complex numbers, one (re, im) pair per channel; else real ones.
        rngs: random streams.
    """

    def __init__(self, features: int, channels: int, *, pair: bool = False, rngs: nnx.Rngs) -> None:
        self.shape = (2, 2 if pair else 1, channels)
        out = math.prod(self.shape)
        self.mlp = ChannelMLP(features, out, out, std=0.02, rngs=rngs)

    def __call__(self, e: Float[Array, "b e"]) -> tuple[Float[Array, "b p c"], Float[Array, "b p c"]]:
        y = self.mlp(e).reshape(len(e), *self.shape)
        one = jnp.asarray(np.array([1.0, 0.0])[: self.shape[1]].reshape(1, -1, 1), y.dtype)
        return y[:, 0] + one, y[:, 1]
