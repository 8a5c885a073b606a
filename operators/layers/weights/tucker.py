"""A spectral weight in Tucker form."""

import math
from collections.abc import Sequence

import jax.numpy as jnp
from flax import nnx
from jax.typing import DTypeLike
from jaxtyping import Array, Float

from .. import pairs
from ..ranks import Rank, tucker_ranks
from .base import MatrixWeight


def draw_tucker(
    shape: tuple[int, ...], *, rank: Rank, std: float, rngs: nnx.Rngs, order: Sequence[int]
) -> tuple[Float[Array, "2 *r"], list[Float[Array, "2 _ _"]]]:
    """Core, its axes in the given order, and factors of a tensor whose entries have root mean square modulus `std`."""
    ranks = tucker_ranks(shape, rank)
    entry_std = (std / math.sqrt(math.prod(ranks))) ** (1 / (len(shape) + 1))
    core = pairs.draw(rngs, tuple(ranks[axis] for axis in order), entry_std)
    return core, [pairs.draw(rngs, (n, r), entry_std) for n, r in zip(shape, ranks, strict=True)]


class TuckerWeight(MatrixWeight):
    """W[i, o, *k] = sum_{p, q, *r} G[p, q, *r] A[i, p] B[o, q] prod_j U_j[k_j, r_j].

    Core and factors are complex normal with the common standard deviation (std / prod sqrt(R))^(1/(D+1)) that gives
    the product entries of root mean square `std`.

    Args:
        core: G, [2, *r, p, q]: mode ranks first, so that expanding them to modes transposes nothing.
        factors: A, B, U_1, .., [2, n, r] each.
    """

    def __init__(self, core: Float[Array, "2 *r p q"], factors: Sequence[Float[Array, "2 _ _"]]) -> None:
        self.in_channels, self.out_channels, *modes = (factor.shape[1] for factor in factors)
        self.modes = tuple(modes)
        self.core = nnx.Param(core)
        self.factors = nnx.List([nnx.Param(factor) for factor in factors])

    @classmethod
    def draw(cls, shape: tuple[int, ...], *, rank: Rank, std: float, rngs: nnx.Rngs) -> "TuckerWeight":
        """Random core and factors; see `make_weight` for the arguments."""
        return cls(*draw_tucker(shape, rank=rank, std=std, rngs=rngs, order=(*range(2, len(shape)), 0, 1)))

    def reconstruct(self, window: tuple[slice, ...]) -> Float[Array, "*k 2 i o"]:
        # Channels first: there are fewer mode ranks than modes.
        rows = pairs.apply_left(self.factors[0][...], jnp.moveaxis(self.core[...], 0, -3))  # [*r, 2, i, q]
        core = pairs.mix_shared(rows.swapaxes(-3, -2), self._transposed_out())  # [*r, i, 2, o]
        return self._on_modes(jnp.moveaxis(core, -2, 0), window)

    def contract(
        self, x: Float[Array, "*k b 2 i"], window: tuple[slice, ...], dtype: DTypeLike | None
    ) -> Float[Array, "*k b 2 o"]:
        h = pairs.mix_shared(x, self.factors[0][...], dtype)
        h = pairs.mix_modes(h, self._on_modes(self.core[...], window), dtype)
        return pairs.mix_shared(h, self._transposed_out(), dtype)

    def costs(self, kept: tuple[int, ...], batch: int) -> tuple[int, int]:
        *ranks, p, q = self.core.shape[1:]
        i, o, modes = self.in_channels, self.out_channels, math.prod(kept)
        # Per channel pair: rank axis j becomes mode axis j, one after the other.
        expansion = sum(math.prod(kept[: j + 1]) * math.prod(ranks[j:]) for j in range(len(kept)))
        factorized = expansion * p * q + modes * batch * (i * p + p * q + q * o)
        reconstructed = math.prod(ranks) * (i * p * q + i * q * o) + expansion * i * o + modes * batch * i * o
        return factorized, reconstructed

    def _on_modes(self, core: Float[Array, "2 *r m n"], window: tuple[slice, ...]) -> Float[Array, "*k 2 m n"]:
        """The mode factors applied to a tensor of mode ranks."""
        for j, (factor, kept) in enumerate(zip(self.factors[2:], window, strict=True)):
            # [*k, 2, r, *rest] -> [*k, k, 2, *rest]
            front, rest = core.shape[: j + 2], core.shape[j + 2 :]
            core = pairs.apply_left(factor[:, kept], core.reshape(*front, -1), pair_behind=True)
            core = core.reshape(*core.shape[:-1], *rest)
        return core

    def _transposed_out(self) -> Float[Array, "2 q o"]:
        return self.factors[1][...].transpose(0, 2, 1)
