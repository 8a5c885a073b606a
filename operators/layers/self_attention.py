"""The token mixer of transformers, to compare the spectral ones with."""

import math

import jax
from flax import nnx
from jaxtyping import Array, Float

from .arguments import random_streams, refusal, whole
from .linear import Linear


class SelfAttention(nnx.Module):
    """v = O softmax(Q x (K x)^T / sqrt(d)) V x over all tokens, in heads of d = channels / num_heads.

    Args:
        channels: channel count, in and out.
        num_heads: heads; divides the channels.
        rngs: random streams.

    Raises:
        ValueError: for heads that do not divide the channels.

    Source: Vaswani et al., Attention Is All You Need, 2017; initialised as in vision transformers.
    """

    def __init__(self, channels: int, *, num_heads: int = 8, rngs: nnx.Rngs) -> None:
        self.num_heads = whole("num_heads", num_heads)
        if whole("channels", channels) % num_heads:
            raise refusal("num_heads", num_heads, f"a divisor of the {channels} channels", "change one of them")
        self.qkv = Linear(channels, 3 * channels, std=0.02, rngs=random_streams(rngs))
        self.out = Linear(channels, channels, std=0.02, rngs=rngs)

    def __call__(self, x: Float[Array, "b *space c"]) -> Float[Array, "b *space c"]:
        b, *space, c = x.shape
        qkv = self.qkv(x).reshape(b, math.prod(space), 3, self.num_heads, c // self.num_heads)
        y = jax.nn.dot_product_attention(qkv[:, :, 0], qkv[:, :, 1], qkv[:, :, 2])
        return self.out(y.reshape(x.shape))
