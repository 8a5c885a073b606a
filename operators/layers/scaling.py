"""By how much every layer changes the number of points."""

from collections.abc import Sequence

Scaling = int | float | Sequence[int | float | Sequence[int | float]]


def as_factors(scaling: Scaling | None, ndim: int, n_layers: int) -> tuple[tuple[float, ...], ...] | None:
    """One factor for every layer and axis.

    Args:
        scaling: one factor for all layers, one per layer, or for every layer one per axis; None for no scaling.
        ndim: spatial axes.
        n_layers: layers.

    Raises:
        ValueError: for a wrong number of factors, or one that is not positive.
    """
    if scaling is None:
        return None
    rows = [scaling] * n_layers if isinstance(scaling, int | float) else list(scaling)
    factors = tuple(tuple(float(f) for f in ([row] * ndim if isinstance(row, int | float) else row)) for row in rows)
    if len(factors) != n_layers or any(len(row) != ndim or min(row) <= 0 for row in factors):
        raise ValueError(
            f"resolution_scaling_factor: got {scaling}, wanted one positive factor, one for each of {n_layers} layers, "
            f"or for every layer a list of {ndim}, one per axis"
        )
    return factors


def scaled(shape: tuple[int, ...], factors: tuple[float, ...]) -> tuple[int, ...]:
    """The grid after a layer: factor times points, halves rounded to even, at least one point."""
    return tuple(max(round(f * s), 1) for f, s in zip(factors, shape, strict=True))
