"""A learned vector for every place of a grid."""

import math

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float


class PositionEmbedding(nnx.Module):
    """x -> x + p, with one learned vector p for every token of a grid; it starts as 0.02 N(0, 1).

    Tokens are cells: on another grid p is interpolated between the centres of the cells, by cubic convolution (Keys'
    kernel with a = -0.5), also where there are fewer of them. Beyond the outermost centres the kernel is cut.

    Args:
        tokens: grid of the tokens.
        channels: of a token.
        rngs: random streams.
    """

    def __init__(self, tokens: tuple[int, ...], channels: int, *, rngs: nnx.Rngs) -> None:
        shape = (*tokens, channels)
        # Drawn flat, see `pairs.draw`.
        self.vectors = nnx.Param((0.02 * rngs.params.normal((math.prod(shape),), jnp.float32)).reshape(shape))

    def __call__(self, x: Float[Array, "b *tokens c"]) -> Float[Array, "b *tokens c"]:
        vectors = self.vectors[...]
        if x.shape[1:] != vectors.shape:
            vectors = jax.image.resize(vectors, x.shape[1:], "cubic", antialias=False)
        return x + vectors[None]
