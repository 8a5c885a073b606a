"""From one compression ratio to the ranks of a factorised tensor.

A floating-point rank is the wanted ratio of parameters to those of the dense tensor of shape N = (N_0 .. N_{D-1});
an integer means that rank on every axis, and a sequence is taken as given. Rounding is half to even.
"""

import itertools
import math
from collections.abc import Iterable, Sequence

from .arguments import is_number, refusal, whole_numbers

Rank = float | int | Sequence[int]

# Shares above one make sense: every tensor has an exact form, which may have more parameters than it. Not this many.
MOST_SHARE = 100.0


def check_rank(rank: Rank) -> Rank:
    """The rank, if it may be one of a tensor of some shape.

    Raises:
        ValueError: for a share that is not positive, or senseless, and for what is neither a share nor whole numbers.
    """
    if whole_numbers(rank) is None and not (is_number(rank) and 0 < rank <= MOST_SHARE):
        wanted = f"a positive share of the dense parameters up to {MOST_SHARE:g}, or whole numbers"
        raise refusal("rank", rank, wanted, "such as rank=0.1")
    return rank


def tucker_ranks(shape: Sequence[int], rank: Rank) -> tuple[int, ...]:
    """Ranks R_i = max(round(c N_i), 1) with c from c^D prod(N) + c sum(N_i^2) = rank prod(N).

    Args:
        shape: sizes of the tensor.
        rank: ratio of parameters, or ranks.

    Returns:
        One rank per axis.

    Source: TensorLy's rule (validate_tucker_rank), whose checkpoints fix these integers.
    """
    if not isinstance(rank, float):
        return _given_ranks(rank, len(shape), math.prod(shape))
    size, squares = math.prod(shape), sum(n * n for n in shape)
    low, high = 0.0, max(rank, 1.0)
    for _ in range(100):  # the left side grows with c: bisection down to the spacing of floats
        c = 0.5 * (low + high)
        if c ** len(shape) * size + c * squares < rank * size:
            low = c
        else:
            high = c
    return tuple(max(round(c * n), 1) for n in shape)


def cp_rank(shape: Sequence[int], rank: float | int) -> int:
    """Number of rank-one terms, max(round(rank prod(N) / sum(N)), 1)."""
    if not isinstance(rank, float):
        return _given_ranks(rank, 1, math.prod(shape))[0]
    return max(round(rank * math.prod(shape) / sum(shape)), 1)


def tt_ranks(shape: Sequence[int], rank: Rank) -> tuple[int, ...]:
    """Bond sizes (1, r_1, .., r_{D-1}, 1) of a tensor train, r_k = max(round(c (N_{k-1} + N_k)/2), 1).

    With m_k the mean of neighbouring sizes, c solves
    c^2 sum_{i=1}^{D-2} m_{i-1} N_i m_i + c (N_0 m_0 + N_{D-1} m_{D-2}) = rank prod(N).

    Source: TensorLy's rule (validate_tt_rank).
    """
    bonds = len(shape) - 1
    if not isinstance(rank, float):
        return (1, *_given_ranks(rank, bonds, math.prod(shape)), 1)
    means = [(a + b) / 2 for a, b in itertools.pairwise(shape)]
    a = sum(means[i - 1] * shape[i] * means[i] for i in range(1, bonds))
    b = shape[0] * means[0] + shape[-1] * means[-1]
    size = math.prod(shape) * rank
    # Two cores make a matrix product, and the equation is linear.
    c = (-b + math.sqrt(b * b + 4 * a * size)) / (2 * a) if a else size / b
    return (1, *(max(round(c * m), 1) for m in means), 1)


def _given_ranks(rank: int | Sequence[int], count: int, size: int) -> tuple[int, ...]:
    ranks = whole_numbers(rank)
    if ranks and not isinstance(rank, Iterable):
        ranks *= count
    if not ranks or len(ranks) != count or min(ranks) < 1 or max(ranks) > size:
        wanted = f"a float (share of the dense parameters), or one or {count} whole numbers from 1 to {size}"
        raise refusal("rank", rank, wanted, "such as rank=0.1")
    return ranks
