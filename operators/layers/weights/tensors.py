"""Complex tensors of any shape, dense and factorised, stored as real pairs on axis 0.

The factorisations and their initial sizes are those of `TuckerWeight`, `CPWeight` and `TTWeight`, which lay theirs out
for the products that mix channels.
"""

import abc
import math

import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float

from .. import pairs
from ..ranks import Rank, cp_rank, tt_ranks, tucker_ranks

Window = tuple[slice, ...]


class PairTensor(nnx.Module):
    """A complex tensor.

    Attributes:
        shape: its sizes.
    """

    shape: tuple[int, ...]

    @abc.abstractmethod
    def entries(self, window: Window) -> Float[Array, "2 *n"]:
        """The entries on a window, one slice per axis."""


class DenseTensor(PairTensor):
    """Every entry is a parameter."""

    def __init__(self, shape: tuple[int, ...], *, std: float, rngs: nnx.Rngs) -> None:
        self.shape = shape
        self.tensor = nnx.Param(pairs.draw(rngs, shape, std))

    def entries(self, window: Window) -> Float[Array, "2 *n"]:
        return self.tensor[(slice(None), *window)]


class TuckerTensor(PairTensor):
    """sum_r G[r_1, ..] prod_j U_j[n_j, r_j]."""

    def __init__(self, shape: tuple[int, ...], *, rank: Rank, std: float, rngs: nnx.Rngs) -> None:
        self.shape = shape
        ranks = tucker_ranks(shape, rank)
        entry_std = (std / math.sqrt(math.prod(ranks))) ** (1 / (len(shape) + 1))
        self.core = nnx.Param(pairs.draw(rngs, ranks, entry_std))
        self.factors = nnx.List(
            [nnx.Param(pairs.draw(rngs, (n, r), entry_std)) for n, r in zip(shape, ranks, strict=True)]
        )

    def entries(self, window: Window) -> Float[Array, "2 *n"]:
        t = self.core[...]
        for factor, rows in zip(self.factors, window, strict=True):
            # The first axis is contracted and the new one comes last: after all of them the order is the first again.
            t = pairs.tensordot(t, 0, factor[:, rows], 1)
        return t


class CPTensor(PairTensor):
    """sum_r s[r] prod_j U_j[n_j, r]."""

    def __init__(self, shape: tuple[int, ...], *, rank: float | int, std: float, rngs: nnx.Rngs) -> None:
        self.shape = shape
        terms = cp_rank(shape, rank)
        entry_std = (std / math.sqrt(terms)) ** (1 / len(shape))
        self.scales = nnx.Param(jnp.stack([jnp.ones(terms, jnp.float32), jnp.zeros(terms, jnp.float32)]))
        self.factors = nnx.List([nnx.Param(pairs.draw(rngs, (n, terms), entry_std)) for n in shape])

    def entries(self, window: Window) -> Float[Array, "2 *n"]:
        *front, last = [factor[:, rows] for factor, rows in zip(self.factors, window, strict=True)]
        t = self.scales[...]
        for factor in front:
            rows = factor.reshape(2, *[1] * (t.ndim - 2), *factor.shape[1:])
            t = pairs.multiply(t[..., None, :], rows)
        return pairs.tensordot(t, t.ndim - 2, last, 1)


class TTTensor(PairTensor):
    """U_1[n_1] U_2[n_2] .., a product of matrices of the bond sizes."""

    def __init__(self, shape: tuple[int, ...], *, rank: Rank, std: float, rngs: nnx.Rngs) -> None:
        self.shape = shape
        bonds = tt_ranks(shape, rank)
        entry_std = (std / math.sqrt(math.prod(bonds))) ** (1 / len(shape))
        cores = zip(bonds[:-1], shape, bonds[1:], strict=True)
        self.factors = nnx.List([nnx.Param(pairs.draw(rngs, core, entry_std)) for core in cores])

    def entries(self, window: Window) -> Float[Array, "2 *n"]:
        first, *rest = [factor[:, :, rows] for factor, rows in zip(self.factors, window, strict=True)]
        t = first[:, 0]
        for core in rest:
            t = pairs.tensordot(t, t.ndim - 2, core, 0)
        return t[..., 0]


TENSORS = {"tucker": TuckerTensor, "cp": CPTensor, "tt": TTTensor}
