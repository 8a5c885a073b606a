"""Spectral weights: dense and factorised complex tensors, stored as real pairs."""

from flax import nnx

from ..ranks import Rank
from .base import MatrixWeight, SpectralWeight
from .cp import CPWeight
from .dense import DenseWeight
from .separable import SeparableWeight
from .tensors import TENSORS, CPTensor, DenseTensor, PairTensor, TTTensor, TuckerTensor
from .tt import TTWeight
from .tucker import TuckerWeight

__all__ = [
    "CPTensor",
    "CPWeight",
    "DenseTensor",
    "DenseWeight",
    "MatrixWeight",
    "PairTensor",
    "SeparableWeight",
    "SpectralWeight",
    "TTTensor",
    "TTWeight",
    "TuckerTensor",
    "TuckerWeight",
    "make_weight",
]

FACTORIZED = {"tucker": TuckerWeight, "cp": CPWeight, "tt": TTWeight}


def make_weight(
    factorization: str | None,
    in_channels: int,
    out_channels: int,
    modes: tuple[int, ...],
    *,
    rank: Rank,
    std: float,
    separable: bool = False,
    rngs: nnx.Rngs,
) -> SpectralWeight:
    """The weight of a factorization by its name: None or "dense", "Tucker", "CP", "TT" (any case).

    Raises:
        ValueError: for another name, a rank that is not positive, or a separable weight that would change the channels.
    """
    if isinstance(rank, float) and rank <= 0:
        raise ValueError(f"rank: got {rank}, wanted a positive share of the dense parameters, such as 0.1")
    name = (factorization or "dense").lower()
    if name not in ("dense", *FACTORIZED):
        raise ValueError(f'factorization: got {factorization!r}, wanted None, "dense", "Tucker", "CP" or "TT"')
    if separable:
        if in_channels != out_channels:
            raise ValueError(
                f"separable: got True for {in_channels} -> {out_channels} channels, wanted as many out as in"
            )
        shape = (in_channels, *modes)
        if name == "dense":
            return SeparableWeight(DenseTensor(shape, std=std, rngs=rngs))
        return SeparableWeight(TENSORS[name](shape, rank=rank, std=std, rngs=rngs))
    if name == "dense":
        return DenseWeight(in_channels, out_channels, modes, std=std, rngs=rngs)
    return FACTORIZED[name](in_channels, out_channels, modes, rank=rank, std=std, rngs=rngs)
