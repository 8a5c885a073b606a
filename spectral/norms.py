"""Norms of periodic fields by Parseval's identity, and spectra by wavenumber shells.

With amplitudes, mean(u v) = Re sum_k w_k conj(u_hat_k) v_hat_k over the half spectrum with weights w_k of 1 or 2.
Norms are integrals over the box (they carry the square root of its volume), exact for fields the grid resolves.
"""

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Complex, Float

from .derivatives import Spectrum, _check
from .grid import Grid
from .transforms import rfftn


def inner_product(
    u_hat: Spectrum, v_hat: Spectrum, grid: Grid, symbol: np.ndarray | None = None
) -> Float[Array, "..."]:
    """Integral over the box of u times S v: volume * Re sum_k w_k s_k conj(u_hat_k) v_hat_k.

    Args:
        u_hat: half spectrum [..., *spectrum_shape] of a real field.
        v_hat: another one, or the same.
        grid: the grid of both.
        symbol: real multiplier s_k on the half spectrum; 1 by default.

    Returns:
        One number per leading index.
    """
    _check(u_hat, grid)
    _check(v_hat, grid)
    weights = np.broadcast_to(grid.rfft_weights, grid.spectrum_shape) * (1.0 if symbol is None else symbol)
    product = u_hat.real * v_hat.real + u_hat.imag * v_hat.imag
    axes = tuple(range(-grid.ndim, 0))
    weights = jnp.asarray(weights, product.dtype).reshape((1,) * (product.ndim - grid.ndim) + weights.shape)
    return grid.volume * jnp.sum(weights * product, axis=axes)


def l2_norm(u: Float[Array, "..."], grid: Grid) -> Float[Array, "..."]:
    """Root of the integral of u^2 over the box; u is [..., *space]."""
    return jnp.sqrt(jnp.sum(u**2, axis=tuple(range(-grid.ndim, 0))) * grid.cell_measure)


def sobolev_weights(grid: Grid, s: float, alpha: float = 1.0) -> np.ndarray:
    """(alpha + |k|^2)^s on the half spectrum; for alpha = 0 the mean (k = 0) has weight 0."""
    base = alpha + grid.wavenumber_squared
    return np.where(base > 0, np.where(base > 0, base, 1.0) ** s, 0.0)


def sobolev_norm_of_spectrum(u_hat: Spectrum, grid: Grid, s: float, alpha: float = 1.0) -> Float[Array, "..."]:
    """H^s norm from a half spectrum: see `sobolev_norm`."""
    squared = inner_product(u_hat, u_hat, grid, sobolev_weights(grid, s, alpha))
    # The root has no derivative at zero; the norm of nothing is taken to have none (0) rather than infinity.
    positive = squared > 0
    return jnp.where(positive, jnp.sqrt(jnp.where(positive, squared, 1.0)), 0.0)


def sobolev_norm(u: Float[Array, "..."], grid: Grid, s: float, *, alpha: float = 1.0) -> Float[Array, "..."]:
    """H^s norm of a periodic field: |u|_s^2 = volume * sum_k (alpha + |k|^2)^s |u_hat_k|^2.

    Args:
        u: field [..., *space].
        grid: its grid; k are angular wavenumbers, in 1 / length.
        s: order; 0 is L2, 1 is H1, negative orders are the dual norms and weigh large scales.
        alpha: 1 for the usual norm, 0 for the homogeneous seminorm (which ignores the mean).

    Returns:
        One number per leading index, in the unit of u times length^(ndim/2 - s).

    Accuracy: round-off for resolved fields; of high orders in float32, eps times the largest weight.
    Source: Cao et al., "Spectral-Refiner", section on norms, with s the true order.
    """
    return sobolev_norm_of_spectrum(rfftn(u, range(u.ndim - grid.ndim, u.ndim)), grid, s, alpha)


def shell_spectrum(u_hat: Complex[Array, "..."], grid: Grid) -> tuple[np.ndarray, jax.Array]:
    """Mean square of a field by shells of wavenumber.

    P_j = sum over |k| in [(j - 1/2) k_1, (j + 1/2) k_1) of |u_hat_k|^2, both signs counted, with k_1 the smallest
    wavenumber of the box (2 pi over its longest side). Every mode is in one shell, so sum_j P_j = mean(u^2).

    Args:
        u_hat: half spectrum [..., *spectrum_shape].
        grid: its grid.

    Returns:
        Shell wavenumbers j k_1 in 1 / length [shells], and P [..., shells] in the unit of u squared.
    """
    _check(u_hat, grid)
    fundamental = 2 * np.pi / max(grid.extent)
    shells = np.floor(np.sqrt(grid.wavenumber_squared) / fundamental + 0.5).astype(np.int32).ravel()
    count = int(shells.max()) + 1
    weights = np.broadcast_to(grid.rfft_weights, grid.spectrum_shape).ravel()
    power = (u_hat.real**2 + u_hat.imag**2).reshape(-1, shells.size)
    power = power * jnp.asarray(weights, power.dtype)[None]
    summed = jax.vmap(lambda p: jax.ops.segment_sum(p, jnp.asarray(shells), count))(power)
    return np.arange(count) * fundamental, summed.reshape(*u_hat.shape[: -grid.ndim], count)
