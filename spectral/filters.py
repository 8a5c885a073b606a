"""Masks and smooth filters on whole half spectra, and change of resolution by signed frequency."""

from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Complex, Float, Num

from ._modes import check_axes
from .grid import Grid
from .transforms import irfftn, rfftn


def two_thirds_mask(grid: Grid) -> Bool[np.ndarray, "..."]:
    """De-aliasing mask of quadratic products: keeps |m| < N/3 on every axis.

    Symmetric in the sign of every frequency, so a masked spectrum stays that of a real field. Multiply the factors
    and the product by it.

    Returns:
        Booleans of `grid.spectrum_shape`.
    """
    kept = [3 * np.abs(m) < n for m, n in zip(grid.modes, grid.shape, strict=True)]
    return np.logical_and.reduce(np.broadcast_arrays(*kept))


def exponential_filter(grid: Grid, order: int = 36, strength: float | int = 36) -> Float[np.ndarray, "..."]:
    """Smooth low-pass: product over the axes of exp(-strength (|m| / (N/2))^order).

    The default leaves everything below about two thirds of the Nyquist frequency alone and takes the highest
    frequency to round-off (exp(-36) = 2e-16).

    Returns:
        Factors in (0, 1] of `grid.spectrum_shape`, float64.

    Source:
        Hou and Li 2007 (J. Comput. Phys. 226), with their order and strength as the default.
    """
    decay = [(2 * np.abs(m) / n) ** float(order) for m, n in zip(grid.modes, grid.shape, strict=True)]
    return np.exp(-strength * sum(np.broadcast_arrays(*decay)))


def _resize_leading(u_hat: jax.Array, size: int, axis: int) -> jax.Array:
    """Changes the length of a full (two-sided) axis in NumPy order."""
    source = u_hat.shape[axis]
    if source == size:
        return u_hat
    smaller = min(source, size)
    half = (smaller - 1) // 2  # highest frequency that both signs of are on both grids

    def part(start: int, stop: int) -> jax.Array:
        return jax.lax.slice_in_dim(u_hat, start, stop, axis=axis)

    def zeros(count: int) -> jax.Array:
        return jnp.zeros([count if a == axis else n for a, n in enumerate(u_hat.shape)], u_hat.dtype)

    positive, negative = part(0, half + 1), part(source - half, source)
    if smaller % 2:
        middle = [zeros(max(size - smaller, 0))]
    elif size > source:
        nyquist = part(half + 1, half + 2) / 2
        middle = [nyquist, zeros(size - smaller - 1), nyquist]
    else:
        middle = [part(half + 1, half + 2) + part(source - half - 1, source - half)]
    return jnp.concatenate([positive, *middle, negative], axis)


def _resize_half(u_hat: jax.Array, source: int, size: int, leading: int) -> jax.Array:
    """Changes the length of the half axis, the last one, of a field with `leading` other spatial axes."""
    if source == size:
        return u_hat
    smaller = min(source, size)
    kept = u_hat[..., : smaller // 2 + 1]
    if smaller % 2 == 0:
        nyquist = kept[..., -1:]
        if size > source:
            nyquist = nyquist / 2
        else:
            # Minus the frequency is stored as the conjugate at minus the other frequencies.
            axes = tuple(range(nyquist.ndim - 1 - leading, nyquist.ndim - 1))
            mirrored = jnp.roll(jnp.flip(nyquist, axes), (1,) * leading, axes)
            nyquist = nyquist + jnp.conj(mirrored)
        kept = jnp.concatenate([kept[..., :-1], nyquist], -1)
    padding = [(0, 0)] * (kept.ndim - 1) + [(0, size // 2 + 1 - kept.shape[-1])]
    return jnp.pad(kept, padding)


def resize_spectrum(
    u_hat: Complex[Array, "..."], shape_from: Sequence[int], shape_to: Sequence[int]
) -> Complex[Array, "..."]:
    """Whole half spectrum of a field on one grid -> of the same field on another grid.

    Every amplitude goes to the bin of its signed frequency. The Nyquist coefficient of an even axis stands for
    +N/2 and -N/2 together: it is split evenly when the axis grows, and both are added when it shrinks, so growing
    and shrinking back is the identity.

    Args:
        u_hat: amplitudes [*batch, *modes] in NumPy's order, spatial axes last.
        shape_from: points per axis of the field it belongs to.
        shape_to: points per axis wanted, any parity, smaller or larger on each axis.

    Raises:
        ValueError: when the spectrum is not that of a field of `shape_from`.
    """
    expected = (*shape_from[:-1], shape_from[-1] // 2 + 1)
    d = len(expected)
    if tuple(u_hat.shape[-d:]) != expected or len(shape_to) != d:
        raise ValueError(
            f"u_hat: got shape {u_hat.shape} to go from {tuple(shape_from)} to {tuple(shape_to)}, "
            f"wanted a spectrum whose last sizes are {expected} and as many sizes to go to"
        )
    for axis, size in enumerate(shape_to[:-1]):
        u_hat = _resize_leading(u_hat, size, u_hat.ndim - d + axis)
    return _resize_half(u_hat, shape_from[-1], shape_to[-1], d - 1)


def resize(u: Num[Array, "..."], shape: Sequence[int], axes: Sequence[int]) -> Float[Array, "..."]:
    """Field on another resolution of the same periodic box, by its trigonometric interpolant.

    Args:
        u: real field, periodic along `axes`.
        shape: points wanted per axis of `axes`.
        axes: the spatial axes.

    Accuracy:
        Exact to round-off for fields band-limited below the Nyquist frequency of both grids. What a smaller grid
        cannot hold is left out, not aliased.
    """
    axes = check_axes(u.ndim, axes, shape)
    last = tuple(range(-len(axes), 0))
    u = jnp.moveaxis(u, axes, last)
    resized = resize_spectrum(rfftn(u, last), u.shape[-len(axes) :], shape)
    return jnp.moveaxis(irfftn(resized, shape, last), last, axes)
