"""The lifting of an operator, on coefficients."""

import jax.numpy as jnp
import numpy as np
from flax import nnx
from jaxtyping import Array, Float

from spectral.truncation import Truncation

from .linear import Linear
from .pointwise import matmul


class SpectralLift(nnx.Module):
    """T (W (u, x) + b) from T u, for coordinates x and a pointwise affine map: the transform and the map commute.

        T (W (u, x) + b) = W_u T u + (W_x T x + b T 1)

    The bracket is the same for all samples, so neither the wide field nor the coordinates are ever transformed.

    Args:
        in_channels: channels of u.
        out_channels: channels lifted to.
        truncation: T.
        coordinates: whether x is there; each runs from 0 to 1 along its axis, both included with the norm "ortho" (as
            published), and is that of the middle of a cell with "function", where it does not depend on the grid.
        rngs: random streams.
    """

    def __init__(
        self, in_channels: int, out_channels: int, truncation: Truncation, *, coordinates: bool, rngs: nnx.Rngs
    ) -> None:
        self.in_channels, self.truncation, self.coordinates = in_channels, truncation, coordinates
        self.linear = Linear(in_channels + (truncation.ndim if coordinates else 0), out_channels, rngs=rngs)

    def __call__(self, z: Float[Array, "b *k p i"], shape: tuple[int, ...]) -> Float[Array, "b *k p o"]:
        """Lift the coefficients of fields on a grid of `shape`."""
        weight, bias = self.linear.weight[...], self.linear.bias
        assert bias is not None
        dtype = jnp.promote_types(z.dtype, jnp.float32)
        one = np.zeros((*self.truncation.stored, self.truncation.parts, 1), dtype)
        one[(*self.truncation.origin, 0, 0)] = self.truncation.scale(shape)
        constant = matmul(jnp.asarray(one), bias[...][None])
        if self.coordinates:
            constant += matmul(self._lines(shape, dtype), weight[self.in_channels :])
        return matmul(z, weight[: self.in_channels]) + constant[None]

    def _lines(self, shape: tuple[int, ...], dtype: np.dtype) -> Float[Array, "*k p d"]:
        """Coefficients of the coordinates: each is transformed along its own axis, on one point of the others."""
        lines = []
        for axis, size in enumerate(shape):
            line = np.linspace(0, 1, size) if self.truncation.norm == "ortho" else (np.arange(size) + 0.5) / size
            thin = [size if j == axis else 1 for j in range(len(shape))]
            z = self.truncation.forward(jnp.asarray(line.reshape(*thin, 1), dtype))
            lines.append(z * (self.truncation.scale(shape) / self.truncation.scale(thin)))
        return jnp.concatenate(lines, axis=-1)
