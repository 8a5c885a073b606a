"""A spectral weight that keeps channels apart."""

import jax
import jax.numpy as jnp
from jax.typing import DTypeLike
from jaxtyping import Array, Complex, Float

from .. import pairs
from .base import SpectralWeight
from .tensors import PairTensor


class SeparableWeight(SpectralWeight):
    """y[k, b, c] = W[c, k] x[k, b, c]: one filter per channel, which leaves mixing to the pointwise layers.

    The product has no sum to share with factors, so the tensor is formed (on the kept modes) whatever its
    factorisation and whatever `implementation` says.

    Args:
        tensor: W, of shape (channels, *modes).
    """

    def __init__(self, tensor: PairTensor) -> None:
        self.tensor = tensor
        self.in_channels = self.out_channels = tensor.shape[0]
        self.modes = tensor.shape[1:]

    def dense(self) -> Complex[Array, "c *modes"]:
        return jax.lax.complex(*self.tensor.entries(tuple(slice(0, n) for n in self.tensor.shape)))

    def mix(
        self,
        x: Float[Array, "*k b 2 c"],
        window: tuple[slice, ...],
        *,
        implementation: str = "auto",
        dtype: DTypeLike | None = None,
    ) -> Float[Array, "*k b 2 c"]:
        w = self.tensor.entries((slice(None), *window))
        w = jnp.moveaxis(w, (0, 1), (-2, -1))  # [*k, 2, c]
        return pairs.multiply(x, w[..., None, :, :], axis=-2)
