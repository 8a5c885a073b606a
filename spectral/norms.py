"""Norms, inner products and shell spectra of periodic fields by Parseval's identity.

Functions of a spectrum take whole half spectra [*batch, *modes] of amplitudes (`spectral.transforms.rfftn`); every
norm integrates over the box of the grid, so its value does not depend on the number of points.
"""

from collections.abc import Sequence

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Complex, Float, Int, Num

from ._modes import check_axes
from .derivatives import check_spectrum, symbol
from .grid import Grid
from .transforms import rfftn


def sobolev_weights(grid: Grid, s: float | int, alpha: float | int = 1.0) -> Float[np.ndarray, "..."]:
    """Parseval weights |box| (alpha + |k|^2)^s of every stored mode, conjugate partners counted in.

    Args:
        grid: the grid of the field.
        s: order, any real number; negative orders weigh the large scales.
        alpha: shift; 0 gives the homogeneous norm, which leaves out the mean for every s.

    Returns:
        float64 weights of `grid.spectrum_shape`.

    Raises:
        ValueError: for negative alpha.
    """
    if alpha < 0:
        raise ValueError(f"alpha: got {alpha}, wanted a shift >= 0; 0 is the homogeneous norm")
    base = alpha + grid.wavenumber_squared
    powers = np.where(base > 0, np.where(base > 0, base, 1.0) ** s, 0.0)
    return grid.volume * grid.rfft_weights * powers


def inner_product(
    u_hat: Complex[Array, "..."],
    v_hat: Complex[Array, "..."],
    grid: Grid,
    s: float | int = 0,
    *,
    alpha: float | int = 1.0,
) -> Float[Array, "*b"]:
    """Inner product of H^s: |box| sum_k (alpha + |k|^2)^s Re(conj(u_k) v_k) over the full spectrum.

    The default s = 0 is the L2 product, the integral of u v.

    Args:
        u_hat: spectrum [*batch, *modes].
        v_hat: spectrum of the same shape.
        grid: the grid of both fields.
        s: order.
        alpha: shift, see `sobolev_weights`.

    Returns:
        One value per batch entry.
    """
    check_spectrum(u_hat, grid)
    check_spectrum(v_hat, grid)
    product = u_hat.real * v_hat.real + u_hat.imag * v_hat.imag
    return jnp.sum(symbol(sobolev_weights(grid, s, alpha), u_hat) * product, axis=_last(grid))


def spectrum_norm(
    u_hat: Complex[Array, "..."], grid: Grid, s: float | int, *, alpha: float | int = 1.0
) -> Float[Array, "*b"]:
    """`sobolev_norm` of a field given by its spectrum [*batch, *modes]."""
    return jnp.sqrt(inner_product(u_hat, u_hat, grid, s, alpha=alpha))


def sobolev_norm(
    u: Num[Array, "..."],
    grid: Grid,
    s: float | int,
    *,
    alpha: float | int = 1.0,
    axes: Sequence[int] | None = None,
) -> Float[Array, "*b"]:
    """H^s norm, ||u||_s^2 = |box| sum_k (alpha + |k|^2)^s |u_k|^2, for any real order s.

    Args:
        u: real field.
        grid: its grid.
        s: order; 0 is L2, -1 the dual norm of residuals.
        alpha: shift; 0 gives the homogeneous norm, which leaves out the mean.
        axes: the spatial axes of u, by default the last ones.

    Returns:
        One norm per entry of the other axes, in the unit of u times length^(d/2 - s).

    Accuracy:
        Exact to round-off for fields the grid resolves, at any resolution. The derivative of the norm is infinite
        at u = 0.
    """
    last = _last(grid)
    u = jnp.moveaxis(u, check_axes(u.ndim, last if axes is None else axes), last)
    return spectrum_norm(rfftn(u, last), grid, s, alpha=alpha)


def l2_norm(u: Num[Array, "..."], grid: Grid, *, axes: Sequence[int] | None = None) -> Float[Array, "*b"]:
    """L2 norm sqrt(integral u^2) by the rectangle rule, without a transform.

    Args:
        u: real field.
        grid: its grid.
        axes: the spatial axes of u, by default the last ones.
    """
    axes = check_axes(u.ndim, _last(grid) if axes is None else axes)
    return jnp.sqrt(grid.cell_measure * jnp.sum(u**2, axis=axes))


def shells(grid: Grid) -> Int[np.ndarray, "..."]:
    """The shell j of every stored mode, of `grid.spectrum_shape`: j - 1/2 <= |k| / k_0 < j + 1/2, `shell_spectrum`."""
    fundamental = 2 * np.pi / max(grid.extent)
    # The small shift keeps a |k| that is exactly on an edge, such as 2.5, from falling to either side by round-off.
    return np.floor(np.sqrt(grid.wavenumber_squared) / fundamental + 0.5 + 1e-9).astype(int)


def shell_spectrum(u_hat: Complex[Array, "..."], grid: Grid) -> Float[Array, "*b shells"]:
    """Mean square of a field by shells of wavenumber.

    E_j = sum of |u_k|^2 over the full spectrum, j - 1/2 <= |k| / k_0 < j + 1/2

    with the fundamental wavenumber k_0 = 2 pi / (longest side). Shells reach into the corners of the spectrum, so
    their sum is mean(u^2); cut at min(N) // 2 for the shells that lie in it whole. The kinetic energy spectrum is
    half the sum of this over the velocity components.

    Args:
        u_hat: spectrum [*batch, *modes].
        grid: the grid of the field.

    Returns:
        [*batch, shells], shell j at index j.
    """
    check_spectrum(u_hat, grid)
    shell = shells(grid).ravel()
    power = symbol(np.broadcast_to(grid.rfft_weights, grid.spectrum_shape), u_hat)
    power = power * (u_hat.real**2 + u_hat.imag**2)
    power = power.reshape(*u_hat.shape[: u_hat.ndim - grid.ndim], -1)
    empty = jnp.zeros((*power.shape[:-1], int(shell.max()) + 1), power.dtype)
    return empty.at[..., shell].add(power)


def _last(grid: Grid) -> tuple[int, ...]:
    return tuple(range(-grid.ndim, 0))
