"""Coordinates as extra input channels."""

import jax.numpy as jnp
import numpy as np
from flax import nnx
from jaxtyping import Array, Inexact


class GridEmbedding(nnx.Module):
    """Append the coordinates of every point after the data channels, one channel per axis.

    Axis j runs over i / S_j with i = 0 .. S_j - 1: the unit interval, endpoint excluded.

    Args:
        ndim: spatial axes.
    """

    def __init__(self, ndim: int) -> None:
        self.ndim = ndim

    def __call__(self, u: Inexact[Array, "b *space c"]) -> Inexact[Array, "b *space c_and_axes"]:
        lines = [np.arange(s) / s for s in u.shape[-1 - self.ndim : -1]]
        coordinates = np.stack(np.meshgrid(*lines, indexing="ij"), axis=-1)
        full = jnp.broadcast_to(jnp.asarray(coordinates, u.dtype)[None], (u.shape[0], *coordinates.shape))
        return jnp.concatenate([u, full], axis=-1)
