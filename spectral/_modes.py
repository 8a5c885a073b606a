"""Which frequencies a truncated spectrum keeps, and moving between orders of storage."""

from collections.abc import Sequence
from typing import Literal

import jax
import jax.numpy as jnp

Basis = Literal["fourier", "cosine"]


def check_axes(ndim: int, axes: Sequence[int], n_modes: Sequence[int] | None = None) -> tuple[int, ...]:
    """Axes as non-negative ints, or an error that says what is wrong with them."""
    result = tuple(int(a) + ndim if a < 0 else int(a) for a in axes)
    if not 1 <= len(result) <= 3 or len(set(result)) < len(result) or not all(0 <= a < ndim for a in result):
        raise ValueError(f"axes: got {tuple(axes)} for an array of {ndim} axes, wanted 1 to 3 different ones")
    if n_modes is not None and (len(n_modes) != len(result) or min(n_modes) < 1):
        raise ValueError(f"n_modes: got {tuple(n_modes)}, wanted one positive count for each of axes {result}")
    return result


def kept_shape(n_modes: Sequence[int], shape: Sequence[int], basis: Basis = "fourier") -> tuple[int, ...]:
    """Sizes of the truncated spectrum of a field.

    Args:
        n_modes: modes per axis. Fourier counts both signs, and the last axis stores n//2 + 1 of them; a cosine
            axis stores n.
        shape: points per axis. An axis never keeps more than its grid has.
        basis: "fourier" or "cosine".

    Returns:
        One stored size per axis.
    """
    kept = [min(n, size) for n, size in zip(n_modes, shape, strict=True)]
    if basis == "fourier":
        kept[-1] = min(n_modes[-1] // 2 + 1, shape[-1] // 2 + 1)
    return tuple(kept)


def take_modes(spectrum: jax.Array, count: int, axis: int) -> jax.Array:
    """NumPy-ordered full spectrum -> its `count` lowest signed frequencies, ascending, along one axis."""
    size = spectrum.shape[axis]
    negative = jax.lax.slice_in_dim(spectrum, size - count // 2, size, axis=axis)
    positive = jax.lax.slice_in_dim(spectrum, 0, count - count // 2, axis=axis)
    return jnp.concatenate([negative, positive], axis)


def crop_modes(coeffs: jax.Array, size: int, axis: int) -> jax.Array:
    """Drops the signed frequencies, ascending along `axis`, that a grid of `size` points does not have."""
    count = coeffs.shape[axis]
    kept = min(count, size)
    start = count // 2 - kept // 2
    return jax.lax.slice_in_dim(coeffs, start, start + kept, axis=axis)


def place_modes(coeffs: jax.Array, size: int, axis: int) -> jax.Array:
    """Ascending signed frequencies -> NumPy-ordered full spectrum of `size` bins, along one axis."""
    coeffs = crop_modes(coeffs, size, axis)
    count = coeffs.shape[axis]
    negative = jax.lax.slice_in_dim(coeffs, 0, count // 2, axis=axis)
    positive = jax.lax.slice_in_dim(coeffs, count // 2, count, axis=axis)
    gap = list(coeffs.shape)
    gap[axis] = size - count
    return jnp.concatenate([positive, jnp.zeros(gap, coeffs.dtype), negative], axis)


def fit_axis(coeffs: jax.Array, size: int, axis: int) -> jax.Array:
    """Crops or zero-fills the end of an axis whose index is the frequency itself (0, 1, 2, ...)."""
    coeffs = jax.lax.slice_in_dim(coeffs, 0, min(size, coeffs.shape[axis]), axis=axis)
    padding = [(0, 0)] * coeffs.ndim
    padding[axis] = (0, size - coeffs.shape[axis])
    return jnp.pad(coeffs, padding)
