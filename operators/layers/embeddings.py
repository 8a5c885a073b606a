"""Coordinates as extra input channels."""

from collections.abc import Sequence

import jax.numpy as jnp
import numpy as np
from flax import nnx
from jaxtyping import Array, Float


class GridEmbedding(nnx.Module):
    """Append the coordinates of every point after the data channels, one channel per axis.

    Axis j runs over a_j + (b_j - a_j) i / S_j with i = 0 .. S_j - 1: the endpoint is excluded.

    Args:
        ndim: spatial axes.
        boundaries: (a, b) for every axis, the unit interval by default.
    """

    def __init__(self, ndim: int, boundaries: Sequence[tuple[int | float, int | float]] | None = None) -> None:
        self.boundaries = tuple((float(a), float(b)) for a, b in boundaries or [(0.0, 1.0)] * ndim)
        if len(self.boundaries) != ndim:
            raise ValueError(f"boundaries: got {len(self.boundaries)} for {ndim} axes, wanted one (a, b) per axis")

    def __call__(self, u: Float[Array, "b *space c"]) -> Float[Array, "b *space c_and_axes"]:
        shape = u.shape[1:-1]
        lines = [a + (b - a) * np.arange(s) / s for (a, b), s in zip(self.boundaries, shape, strict=True)]
        coordinates = np.stack(np.meshgrid(*lines, indexing="ij"), axis=-1)
        full = jnp.broadcast_to(jnp.asarray(coordinates, u.dtype)[None], (u.shape[0], *coordinates.shape))
        return jnp.concatenate([u, full], axis=-1)
