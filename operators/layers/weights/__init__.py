"""Spectral weights: dense and factorised complex tensors, stored as real pairs."""

from typing import Any

from flax import nnx

from ..arguments import refusal
from ..ranks import Rank, check_rank
from .base import MatrixWeight, SpectralWeight
from .cp import CPWeight
from .dense import DenseWeight
from .joint import JOINT, JointWeight
from .separable import SeparableWeight
from .tensors import TENSORS, CPTensor, DenseTensor, PairTensor, TTTensor, TuckerTensor
from .tt import TTWeight
from .tucker import TuckerWeight

__all__ = [
    "CPTensor",
    "CPWeight",
    "DenseTensor",
    "DenseWeight",
    "JointWeight",
    "MatrixWeight",
    "PairTensor",
    "SeparableWeight",
    "SpectralWeight",
    "TTTensor",
    "TTWeight",
    "TuckerTensor",
    "TuckerWeight",
    "make_joint_weight",
    "make_weight",
]

WEIGHTS: dict[str, Any] = {"dense": DenseWeight, "tucker": TuckerWeight, "cp": CPWeight, "tt": TTWeight}


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

    Args:
        factorization: the name.
        in_channels: size of the input channel axis.
        out_channels: size of the output channel axis.
        modes: stored sizes of the mode axes.
        rank: share of the dense parameter count; or for Tucker ranks in the order (in, out, *modes), for CP the number
            of terms, for TT the inner bond sizes.
        std: root mean square modulus of the entries of the product.
        separable: whether channels are kept apart.
        rngs: random streams.

    Raises:
        ValueError: for another name, a rank that is not positive, or a separable weight that would change the channels.
    """
    options = _options(factorization, rank)
    name = options.pop("name")
    if separable:
        if in_channels != out_channels:
            raise ValueError(
                f"separable: got True for {in_channels} -> {out_channels} channels, wanted as many out as in"
            )
        return SeparableWeight(TENSORS[name]((in_channels, *modes), **options, std=std, rngs=rngs))
    return WEIGHTS[name].draw((in_channels, out_channels, *modes), **options, std=std, rngs=rngs)


def make_joint_weight(
    factorization: str | None,
    n_layers: int,
    channels: int,
    modes: tuple[int, ...],
    *,
    rank: Rank,
    std: float,
    rngs: nnx.Rngs,
) -> JointWeight:
    """One tensor [n_layers, channels, channels, *modes] for all layers; see `make_weight` for the other arguments."""
    options = _options(factorization, rank)
    return JOINT[options.pop("name")]((n_layers, channels, channels, *modes), **options, std=std, rngs=rngs)


def _options(factorization: str | None, rank: Rank) -> dict[str, Any]:
    """The name in lower case, and the rank where there is one."""
    name = factorization.lower() if isinstance(factorization, str) else "dense" if factorization is None else None
    if name not in WEIGHTS:
        raise refusal("factorization", factorization, 'None, "dense", "Tucker", "CP" or "TT"', "choose one of them")
    rank = check_rank(rank)
    return {"name": name} if name == "dense" else {"name": name, "rank": rank}
