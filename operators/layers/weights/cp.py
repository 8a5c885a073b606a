"""A spectral weight in canonical polyadic (CP) form."""

import math
from collections.abc import Sequence

import jax.numpy as jnp
from flax import nnx
from jax.typing import DTypeLike
from jaxtyping import Array, Float

from .. import pairs
from ..ranks import cp_rank
from .base import MatrixWeight

# Multiply-adds of a matrix product in the time of one product entry by entry, which waits for memory (on a CPU).
ELEMENTWISE = 40


def draw_cp(
    shape: tuple[int, ...], *, rank: float | int, std: float, rngs: nnx.Rngs
) -> tuple[Float[Array, "2 r"], list[Float[Array, "2 _ _"]]]:
    """Scales and factors of a tensor of any shape whose entries have root mean square modulus `std`."""
    terms = cp_rank(shape, rank)
    entry_std = (std / math.sqrt(terms)) ** (1 / len(shape))
    scales = jnp.stack([jnp.ones(terms, jnp.float32), jnp.zeros(terms, jnp.float32)])
    return scales, [pairs.draw(rngs, (n, terms), entry_std) for n in shape]


class CPWeight(MatrixWeight):
    """W[i, o, *k] = sum_r s[r] A[i, r] B[o, r] prod_j U_j[k_j, r].

    The scales s begin at 1 and the factors are complex normal with standard deviation (std / sqrt(R))^(1/D), which
    gives the product entries of root mean square `std`.

    Args:
        scales: s, [2, r].
        factors: A, B, U_1, .., [2, n, r] each.
    """

    def __init__(self, scales: Float[Array, "2 r"], factors: Sequence[Float[Array, "2 _ _"]]) -> None:
        self.in_channels, self.out_channels, *modes = (factor.shape[1] for factor in factors)
        self.modes = tuple(modes)
        self.scales = nnx.Param(scales)
        self.factors = nnx.List([nnx.Param(factor) for factor in factors])

    @classmethod
    def draw(cls, shape: tuple[int, ...], *, rank: float | int, std: float, rngs: nnx.Rngs) -> "CPWeight":
        """Random factors; see `make_weight` for the arguments."""
        return cls(*draw_cp(shape, rank=rank, std=std, rngs=rngs))

    def reconstruct(self, window: tuple[slice, ...]) -> Float[Array, "*k 2 i o"]:
        left, right = (factor[...].transpose(0, 2, 1) for factor in self.factors[:2])  # [2, r, channels]
        channels = pairs.multiply(left[..., None], right[..., None, :])  # [2, r, i, o]
        terms = jnp.moveaxis(self._terms_on_modes(window), -2, 0)  # [2, *k, r]
        r, kept = terms.shape[-1], terms.shape[1:-1]
        w = pairs.apply_left(terms.reshape(2, -1, r), channels.reshape(2, r, -1), pair_behind=True)
        return w.reshape(*kept, 2, self.in_channels, self.out_channels)

    def contract(
        self, x: Float[Array, "*k b 2 i"], window: tuple[slice, ...], dtype: DTypeLike | None
    ) -> Float[Array, "*k b 2 o"]:
        h = pairs.mix_shared(x, self.factors[0][...], dtype)
        h = pairs.multiply(h, self._terms_on_modes(window)[..., None, :, :], axis=-2)
        return pairs.mix_shared(h, self.factors[1][...].transpose(0, 2, 1), dtype)

    def costs(self, kept: tuple[int, ...], batch: int) -> tuple[int, int]:
        r, i, o, modes = self.scales.shape[1], self.in_channels, self.out_channels, math.prod(kept)
        return modes * batch * r * (i + ELEMENTWISE + o), (ELEMENTWISE + modes) * r * i * o + modes * batch * i * o

    def _terms_on_modes(self, window: tuple[slice, ...]) -> Float[Array, "*k 2 r"]:
        """s[r] prod_j U_j[k_j, r]."""
        d = len(window)
        terms = self.scales[...].reshape(*[1] * d, 2, -1)
        for j, (factor, kept) in enumerate(zip(self.factors[2:], window, strict=True)):
            rows = factor[:, kept].swapaxes(0, 1)  # [k, 2, r]
            terms = pairs.multiply(terms, rows.reshape(*[1] * j, -1, *[1] * (d - 1 - j), *rows.shape[1:]), axis=-2)
        return terms
