"""A spectral weight in Tucker form."""

import math

import jax.numpy as jnp
from flax import nnx
from jax.typing import DTypeLike
from jaxtyping import Array, Float

from .. import pairs
from ..ranks import Rank, tucker_ranks
from .base import SpectralWeight


class TuckerWeight(SpectralWeight):
    """W[i, o, *k] = sum_{p, q, *r} G[p, q, *r] A[i, p] B[o, q] prod_j U_j[k_j, r_j].

    Core and factors are complex normal with the common standard deviation (std / prod sqrt(R))^(1/(D+1)) that gives
    the product entries of root mean square `std`.

    Args:
        in_channels: size of the input channel axis.
        out_channels: size of the output channel axis.
        modes: stored sizes of the mode axes.
        rank: share of the dense parameter count, or ranks in the order (in, out, *modes).
        std: root mean square modulus of the entries of the product.
        rngs: random streams.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        modes: tuple[int, ...],
        *,
        rank: Rank,
        std: float,
        rngs: nnx.Rngs,
    ) -> None:
        self.in_channels, self.out_channels, self.modes = in_channels, out_channels, modes
        shape = (in_channels, out_channels, *modes)
        ranks = tucker_ranks(shape, rank)
        entry_std = (std / math.sqrt(math.prod(ranks))) ** (1 / (len(shape) + 1))
        self.core = nnx.Param(pairs.draw(rngs, ranks, entry_std))
        self.factors = nnx.List(
            [nnx.Param(pairs.draw(rngs, (n, r), entry_std)) for n, r in zip(shape, ranks, strict=True)]
        )

    def reconstruct(self, window: tuple[slice, ...]) -> Float[Array, "*k 2 i o"]:
        core = self._core_on_modes(window)
        w = pairs.tensordot(core, 0, self.factors[0][...], 1)  # [2, q, *k, i]
        w = pairs.tensordot(w, 0, self.factors[1][...], 1)  # [2, *k, i, o]
        return jnp.moveaxis(w, 0, -3)

    def contract(
        self, x: Float[Array, "*k b 2 i"], window: tuple[slice, ...], dtype: DTypeLike | None
    ) -> Float[Array, "*k b 2 o"]:
        core = jnp.moveaxis(self._core_on_modes(window), (0, 1, 2), (-3, -2, -1))
        h = pairs.mix_shared(x, self.factors[0][...], dtype)
        h = pairs.mix_modes(h, core, dtype)
        return pairs.mix_shared(h, self.factors[1][...].transpose(0, 2, 1), dtype)

    def costs(self, kept: tuple[int, ...], batch: int) -> tuple[int, int]:
        p, q = self.core.shape[1:3]
        i, o = self.in_channels, self.out_channels
        # Both need the core on the modes, which is left out.
        factorized = math.prod(kept) * batch * (i * p + p * q + q * o)
        return factorized, math.prod(kept) * (p * q * i + q * i * o) + self._dense_cost(kept, batch)

    def _core_on_modes(self, window: tuple[slice, ...]) -> Float[Array, "2 p q *k"]:
        core = self.core[...]
        for factor, kept in zip(self.factors[2:], window, strict=True):
            # Axis 2 is the next mode rank; its modes are appended at the end.
            core = pairs.tensordot(core, 2, factor[:, kept], 1)
        return core
