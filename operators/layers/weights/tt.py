"""A spectral weight in tensor-train form."""

import math
from collections.abc import Sequence

import jax.numpy as jnp
from flax import nnx
from jax.typing import DTypeLike
from jaxtyping import Array, Float

from .. import pairs
from ..ranks import Rank, tt_ranks
from .base import MatrixWeight


def draw_tt(shape: tuple[int, ...], *, rank: Rank, std: float, rngs: nnx.Rngs) -> list[Float[Array, "2 _ _ _"]]:
    """Cores of a tensor of any shape whose entries have root mean square modulus `std`."""
    bonds = tt_ranks(shape, rank)
    entry_std = (std / math.sqrt(math.prod(bonds))) ** (1 / len(shape))
    return [pairs.draw(rngs, core, entry_std) for core in zip(bonds[:-1], shape, bonds[1:], strict=True)]


class TTWeight(MatrixWeight):
    """W[i, o, k_1, ..] = A[i] B[o] U_1[k_1] U_2[k_2] .., a product of matrices of the bond sizes.

    Cores [2, r, N, r'] are complex normal with standard deviation (std / prod sqrt(r))^(1/D), which gives the product
    entries of root mean square `std`.

    Args:
        factors: A, B, U_1, .., [2, r, n, r'] each.

    Source: neuraloperator's tensor trains, except that theirs start with prod r in place of prod sqrt(r), which makes
        the products many times too small.
    """

    def __init__(self, factors: Sequence[Float[Array, "2 _ _ _"]]) -> None:
        self.in_channels, self.out_channels, *modes = (factor.shape[2] for factor in factors)
        self.modes = tuple(modes)
        self.factors = nnx.List([nnx.Param(factor) for factor in factors])

    @classmethod
    def draw(cls, shape: tuple[int, ...], *, rank: Rank, std: float, rngs: nnx.Rngs) -> "TTWeight":
        """Random cores; see `make_weight` for the arguments."""
        return cls(draw_tt(shape, rank=rank, std=std, rngs=rngs))

    def reconstruct(self, window: tuple[slice, ...]) -> Float[Array, "*k 2 i o"]:
        first, second = self.factors[0][:, 0], self.factors[1][...]
        channels = pairs.tensordot(first, 1, second, 0)  # [2, i, o, r]
        return self._on_modes(channels, window)

    def contract(
        self, x: Float[Array, "*k b 2 i"], window: tuple[slice, ...], dtype: DTypeLike | None
    ) -> Float[Array, "*k b 2 o"]:
        h = pairs.mix_shared(x, self.factors[0][:, 0], dtype)
        return pairs.mix_modes(h, self._on_modes(self.factors[1][...], window), dtype)

    def costs(self, kept: tuple[int, ...], batch: int) -> tuple[int, int]:
        a, i, o, modes = self.factors[0].shape[-1], self.in_channels, self.out_channels, math.prod(kept)
        r = self.factors[1].shape[-1]
        # Both need the cores of the modes multiplied with each other, which is left out.
        factorized = modes * r * a * o + modes * batch * a * (i + o)
        return factorized, i * a * o * r + modes * r * i * o + modes * batch * i * o

    def _on_modes(self, channels: Float[Array, "2 m n r"], window: tuple[slice, ...]) -> Float[Array, "*k 2 m n"]:
        """The cores of the modes applied to a tensor of the bond that they share with the channels."""
        cores = [factor[:, :, kept] for factor, kept in zip(self.factors[2:], window, strict=True)]
        modes = cores[-1][..., 0]  # [2, r, k_d]
        for core in cores[-2::-1]:
            modes = pairs.tensordot(core, 2, modes, 0)  # [2, r, k_j, ..]
        _, m, n, r = channels.shape
        kept, modes = modes.shape[2:], modes.reshape(2, r, -1).swapaxes(1, 2)
        w = pairs.apply_left(modes, jnp.moveaxis(channels, -1, 1).reshape(2, r, -1), pair_behind=True)
        return w.reshape(*kept, 2, m, n)
