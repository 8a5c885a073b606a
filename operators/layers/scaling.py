"""By how much every layer changes the number of points."""

import math
from collections.abc import Sequence

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
    rows = [scaling] * n_layers if isinstance(scaling, int | float) else list(scaling)
    factors = tuple(tuple(float(f) for f in ([row] * ndim if isinstance(row, int | float) else row)) for row in rows)
    positive = all(0 < factor < math.inf for row in factors for factor in row)
    if len(factors) != n_layers or any(len(row) != ndim for row in factors) or not positive:
        raise ValueError(
            f"{name}: got {scaling}, wanted one positive factor, one for each of {n_layers} layers, "
            f"or for every layer a list of {ndim}, one per axis"
        )
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
