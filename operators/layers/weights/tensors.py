"""Complex tensors of any shape, dense and factorised, stored as real pairs on axis 0.

The factorisations and their initial sizes are those of `TuckerWeight`, `CPWeight` and `TTWeight`, which lay theirs out
for the products that mix channels.
"""

import abc
from typing import Any

from flax import nnx
from jaxtyping import Array, Float

from .. import pairs
from ..ranks import Rank
from .cp import draw_cp
from .tt import draw_tt
from .tucker import draw_tucker

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
        core, factors = draw_tucker(shape, rank=rank, std=std, rngs=rngs, order=range(len(shape)))
        self.core = nnx.Param(core)
        self.factors = nnx.List([nnx.Param(factor) for factor in factors])

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
        scales, factors = draw_cp(shape, rank=rank, std=std, rngs=rngs)
        self.scales = nnx.Param(scales)
        self.factors = nnx.List([nnx.Param(factor) for factor in factors])

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
        self.factors = nnx.List([nnx.Param(core) for core in draw_tt(shape, rank=rank, std=std, rngs=rngs)])

    def entries(self, window: Window) -> Float[Array, "2 *n"]:
        first, *rest = [factor[:, :, rows] for factor, rows in zip(self.factors, window, strict=True)]
        t = first[:, 0]
        for core in rest:
            t = pairs.tensordot(t, t.ndim - 2, core, 0)
        return t[..., 0]


TENSORS: dict[str, Any] = {"dense": DenseTensor, "tucker": TuckerTensor, "cp": CPTensor, "tt": TTTensor}
