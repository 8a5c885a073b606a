"""Spectral weights: dense and factorised complex tensors, stored as real pairs."""

from flax import nnx

from ..ranks import Rank
from .base import SpectralWeight
from .cp import CPWeight
from .dense import DenseWeight
from .tt import TTWeight
from .tucker import TuckerWeight

__all__ = ["CPWeight", "DenseWeight", "SpectralWeight", "TTWeight", "TuckerWeight", "make_weight"]

FACTORIZED = {"tucker": TuckerWeight, "cp": CPWeight, "tt": TTWeight}


def make_weight(
    factorization: str | None,
    in_channels: int,
    out_channels: int,
    modes: tuple[int, ...],
    *,
    rank: Rank,
    std: float,
    rngs: nnx.Rngs,
) -> SpectralWeight:
    """The weight of a factorization by its name: None or "dense", "Tucker", "CP", "TT" (any case).

    Raises:
        ValueError: for another name, or a rank that is not positive.
    """
    if isinstance(rank, float) and rank <= 0:
        raise ValueError(f"rank: got {rank}, wanted a positive share of the dense parameters, such as 0.1")
    name = (factorization or "dense").lower()
    if name == "dense":
        return DenseWeight(in_channels, out_channels, modes, std=std, rngs=rngs)
    if name not in FACTORIZED:
        raise ValueError(f'factorization: got {factorization!r}, wanted None, "dense", "Tucker", "CP" or "TT"')
    return FACTORIZED[name](in_channels, out_channels, modes, rank=rank, std=std, rngs=rngs)
