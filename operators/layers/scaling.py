"""By how much every layer changes the number of points."""

import math
from collections.abc import Sequence

from .arguments import is_number, items, numbers, refusal

Scaling = int | float | Sequence[int | float | Sequence[int | float]]
Factors = tuple[tuple[float, ...], ...]


def as_factors(
    scaling: Scaling | None, ndim: int, n_layers: int, *, name: str = "resolution_scaling_factor"
) -> Factors | None:
    """One factor for every layer and axis.

    Args:
        scaling: one factor for all layers, one per layer, or for every layer one per axis; None for no scaling.
        ndim: spatial axes.
        n_layers: layers.
        name: of the argument, in errors.

    Raises:
        ValueError: for a wrong number of factors, or one that is not positive.
    """
    if scaling is None:
        return None
    rows = (scaling,) * n_layers if is_number(scaling) else items(scaling)
    factors = tuple(numbers(row, ndim) or () for row in rows or ())
    positive = all(row and all(0 < factor < math.inf for factor in row) for row in factors)
    if len(factors) != n_layers or not positive:
        wanted = (
            f"one positive factor, one for each of {n_layers} layers, or for every layer a list of {ndim}, one per axis"
        )
        raise refusal(name, scaling, wanted, f"such as {name}={[1] * n_layers}")
    return factors


def scaled(shape: tuple[int, ...], factors: tuple[float, ...]) -> tuple[int, ...]:
    """The grid that has so many times the points, halves rounded to even.

    Raises:
        ValueError: where no point is left.
    """
    grid = tuple(round(f * s) for f, s in zip(factors, shape, strict=True))
    if min(grid) < 1:
        raise ValueError(
            f"shape: got a grid {shape} that factors {factors} scale to {grid}, wanted at least one point on every "
            "axis; use a finer grid or larger factors"
        )
    return grid


def product(factors: Factors) -> tuple[float, ...]:
    """The factor of all layers together, per axis."""
    return tuple(math.prod(column) for column in zip(*factors, strict=True))
