"""Which Fourier modes a layer stores, and which of them a given grid uses.

A layer stores the signed frequencies -(K//2) .. K-K//2-1 on every axis but the last, and 0 .. n//2 on the last
one; for complex data the last axis is like the others. A grid with fewer modes uses the middle of the two-sided
axes and the beginning of the one-sided.
"""

from collections.abc import Sequence

from .arguments import refusal, whole_numbers


def as_modes(n_modes: int | Sequence[int], *, name: str = "n_modes") -> tuple[int, ...]:
    """Mode counts of every axis as a tuple.

    Raises:
        ValueError: for anything but one to three positive integers.
    """
    modes = whole_numbers(n_modes)
    if modes is None or not 1 <= len(modes) <= 3 or min(modes) < 1:
        wanted = "one positive whole number per spatial axis (1 to 3 axes)"
        raise refusal(name, n_modes, wanted, f"such as {name}=(16, 16) for two")
    return modes


def stored_modes(n_modes: tuple[int, ...], complex_data: bool = False) -> tuple[int, ...]:
    """Sizes of the mode axes of a layer's weight: `n` on the leading axes, `n//2 + 1` on the last one of real data."""
    return n_modes if complex_data else (*n_modes[:-1], n_modes[-1] // 2 + 1)


def mode_window(
    stored: tuple[int, ...], kept: tuple[int, ...], *, complex_data: bool = False, compat: str | None = None
) -> tuple[slice, ...]:
    """Slices of a weight that pair every kept mode with the row stored for its signed frequency.

    Zero frequency sits at K//2 of a leading axis of K modes and at k//2 of k kept ones, so the window begins at
    K//2 - k//2 for every combination of parities.

    Args:
        stored: sizes of the weight's mode axes.
        kept: sizes of the mode axes of the coefficients, none larger than stored.
        complex_data: whether the last axis has both signs, too.
        compat: any of the library's begins at (K - k)//2, which pairs an odd k with the rows one below where K is even.

    Raises:
        ValueError: when more modes are asked for than are stored.
    """
    if len(stored) != len(kept) or any(k > s for k, s in zip(kept, stored, strict=True)):
        raise ValueError(
            f"kept modes {kept}: wanted at most the stored {stored}; truncate the coefficients or raise n_modes"
        )
    sizes = zip(stored, kept, strict=True)
    starts = [(s - k) // 2 if compat else s // 2 - k // 2 for s, k in sizes]
    if not complex_data:
        starts[-1] = 0
    return tuple(slice(start, start + k) for start, k in zip(starts, kept, strict=True))


def check_modes(n_modes: int | Sequence[int], shape: Sequence[int], *, name: str = "n_modes") -> None:
    """Refuse to *train* a layer on a grid that cannot hold its modes.

    Calling a trained layer on a coarser grid is fine: it then uses the window of modes that exist there. Training
    on such a grid leaves weights without a gradient, and a band that touches the Nyquist frequency S/2 learns half
    a coefficient there, which means something else on every other grid. So 2 (n//2) < S is wanted on every axis.

    Args:
        n_modes: mode counts of the operator, both signs counted.
        shape: points per axis of the training grid, with domain padding if there is any.
        name: of the mode counts, in errors.

    Raises:
        ValueError: when an axis cannot hold its modes, with the largest count that it can.
    """
    modes, shape = as_modes(n_modes, name=name), tuple(shape)
    if len(modes) != len(shape):
        raise ValueError(
            f"{name}: got {modes} for a grid of shape {shape}, wanted one count per axis; give {len(shape)} counts"
        )
    allowed = tuple(min(n, s if s % 2 else s - 1) for n, s in zip(modes, shape, strict=True))
    if any(2 * (n // 2) >= s for n, s in zip(modes, shape, strict=True)):
        raise ValueError(
            f"{name}: got {modes} on a grid of shape {shape}, wanted frequencies up to n//2 below the Nyquist "
            f"frequency S/2 of every axis; use at most {name}={allowed}, or a finer grid"
        )
