"""A spectral weight stored entry by entry."""

import math

from flax import nnx
from jax.typing import DTypeLike
from jaxtyping import Array, Float

from .. import pairs
from .base import MatrixWeight


class DenseWeight(MatrixWeight):
    """Every entry of W[in, out, *modes] is a parameter: complex normal with E|W|^2 = std^2.

    Stored as [*modes, 2, in, out]: the products over channels then read it as it lies in memory.

    Args:
        tensor: W, [*modes, 2, in, out].
    """

    def __init__(self, tensor: Float[Array, "*k 2 i o"]) -> None:
        *modes, _, self.in_channels, self.out_channels = tensor.shape
        self.modes = tuple(modes)
        self.tensor = nnx.Param(tensor)

    @classmethod
    def draw(cls, shape: tuple[int, ...], *, std: float, rngs: nnx.Rngs) -> "DenseWeight":
        """Random entries; see `make_weight` for the arguments."""
        i, o, *modes = shape
        return cls(pairs.draw(rngs, (*modes, i, o), std, axis=len(modes)))

    def reconstruct(self, window: tuple[slice, ...]) -> Float[Array, "*k 2 i o"]:
        return self.tensor[window]

    def contract(
        self, x: Float[Array, "*k b 2 i"], window: tuple[slice, ...], dtype: DTypeLike | None
    ) -> Float[Array, "*k b 2 o"]:
        return pairs.mix_modes(x, self.reconstruct(window), dtype)

    def costs(self, kept: tuple[int, ...], batch: int) -> tuple[int, int]:
        cost = math.prod(kept) * batch * self.in_channels * self.out_channels
        return cost, cost
