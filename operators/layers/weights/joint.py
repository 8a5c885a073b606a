"""One complex tensor W[layer, in, out, *modes] for all layers of a network, and what each layer uses of it."""

import abc
from collections.abc import Sequence
from typing import Any

from flax import nnx
from jaxtyping import Array, Float, Int

from .. import pairs
from ..ranks import Rank
from .base import MatrixWeight
from .cp import CPWeight, draw_cp
from .dense import DenseWeight
from .tt import TTWeight, draw_tt
from .tucker import TuckerWeight, draw_tucker

Layer = int | Int[Array, ""]


class JointWeight(nnx.Module):
    """W[layer, in, out, *modes]: channels, modes and layers share one factorisation.

    Attributes:
        shape: (layers, in, out, *modes).

    Source: Kossaifi et al., Multi-Grid Tensorized Fourier Neural Operator, 2023. Ranks and initial sizes are those of a
        tensor of that shape, as for one layer.
    """

    shape: tuple[int, ...]

    @abc.abstractmethod
    def layer(self, index: Layer) -> MatrixWeight:
        """The weight of one layer, with the row of that layer multiplied into a factor; the index may be traced."""


class JointDense(JointWeight):
    """Every entry is a parameter."""

    def __init__(self, shape: tuple[int, ...], *, std: float, rngs: nnx.Rngs) -> None:
        self.shape = shape
        layers, i, o, *modes = shape
        self.tensor = nnx.Param(pairs.draw(rngs, (layers, *modes, i, o), std, axis=1 + len(modes)))

    def layer(self, index: Layer) -> DenseWeight:
        return DenseWeight(self.tensor[index])


class JointTucker(JointWeight):
    """sum G[l, p, q, *r] V[layer, l] A[i, p] B[o, q] prod_j U_j[k_j, r_j]."""

    def __init__(self, shape: tuple[int, ...], *, rank: Rank, std: float, rngs: nnx.Rngs) -> None:
        self.shape = shape
        order = (0, *range(3, len(shape)), 1, 2)
        core, (layers, *factors) = draw_tucker(shape, rank=rank, std=std, rngs=rngs, order=order)
        self.core, self.layers, self.factors = nnx.Param(core), nnx.Param(layers), _parameters(factors)

    def layer(self, index: Layer) -> TuckerWeight:
        row = self.layers[:, index][:, None]
        return TuckerWeight(pairs.tensordot(row, 1, self.core[...], 0)[:, 0], _arrays(self.factors))


class JointCP(JointWeight):
    """sum_r s[r] V[layer, r] A[i, r] B[o, r] prod_j U_j[k_j, r]."""

    def __init__(self, shape: tuple[int, ...], *, rank: float | int, std: float, rngs: nnx.Rngs) -> None:
        self.shape = shape
        scales, (layers, *factors) = draw_cp(shape, rank=rank, std=std, rngs=rngs)
        self.scales, self.layers, self.factors = nnx.Param(scales), nnx.Param(layers), _parameters(factors)

    def layer(self, index: Layer) -> CPWeight:
        return CPWeight(pairs.multiply(self.scales[...], self.layers[:, index]), _arrays(self.factors))


class JointTT(JointWeight):
    """V[layer] A[i] B[o] U_1[k_1] .., a product of matrices of the bond sizes."""

    def __init__(self, shape: tuple[int, ...], *, rank: Rank, std: float, rngs: nnx.Rngs) -> None:
        self.shape = shape
        layers, *factors = draw_tt(shape, rank=rank, std=std, rngs=rngs)
        self.layers, self.factors = nnx.Param(layers), _parameters(factors)

    def layer(self, index: Layer) -> TTWeight:
        first, *rest = _arrays(self.factors)
        return TTWeight([pairs.tensordot(self.layers[:, :, index], 1, first, 0), *rest])


JOINT: dict[str, Any] = {"dense": JointDense, "tucker": JointTucker, "cp": JointCP, "tt": JointTT}


def _parameters(arrays: Sequence[Array]) -> nnx.List:
    return nnx.List([nnx.Param(array) for array in arrays])


def _arrays(parameters: nnx.List) -> list[Float[Array, "..."]]:
    return [parameter[...] for parameter in parameters]
