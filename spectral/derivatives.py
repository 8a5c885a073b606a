"""Differential operators on whole half spectra.

A spectrum is u_hat[*batch, kx, ky] (or one or three axes) of a field on a `Grid`; a vector field is the tuple of its
components' spectra. Everything is exact for fields the grid resolves, in the unit u / length. Odd derivatives drop
the Nyquist frequency of even axes (see `Grid.derivative_wavenumbers`).
"""

from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Complex

from .grid import Grid

Spectrum = Complex[Array, "..."]


def symbol(values: np.ndarray, u_hat: jax.Array) -> jax.Array:
    """A symbol in the precision of the spectrum, broadcast against its batch axes."""
    dtype = u_hat.dtype if np.iscomplexobj(values) else u_hat.real.dtype
    return jnp.asarray(values.reshape((1,) * (u_hat.ndim - values.ndim) + values.shape), dtype)


def check_spectrum(u_hat: jax.Array, grid: Grid) -> None:
    """Raises ValueError unless the last axes of u_hat are the half spectrum of the grid."""
    if tuple(u_hat.shape[-grid.ndim :]) != grid.spectrum_shape:
        raise ValueError(
            f"u_hat: got shape {u_hat.shape}, wanted [..., {', '.join(map(str, grid.spectrum_shape))}], "
            f"the half spectrum of {grid}"
        )


def _check_vector(v_hat: Sequence[jax.Array], grid: Grid) -> None:
    if len(v_hat) != grid.ndim:
        raise ValueError(f"v_hat: got {len(v_hat)} components, wanted {grid.ndim}, one per axis of {grid}")
    for component in v_hat:
        check_spectrum(component, grid)


def derivative(u_hat: Spectrum, grid: Grid, axis: int, order: int = 1) -> Spectrum:
    """Partial derivative d^order u / dx_axis^order, symbol (i k)^order.

    Args:
        u_hat: spectrum [*batch, *modes].
        grid: the grid of the field.
        axis: 0 .. grid.ndim - 1.
        order: number of derivatives.
    """
    check_spectrum(u_hat, grid)
    k = (grid.derivative_wavenumbers if order % 2 else grid.wavenumbers)[axis]
    return symbol((1j * k) ** order, u_hat) * u_hat


def gradient(u_hat: Spectrum, grid: Grid) -> tuple[Spectrum, ...]:
    """grad u: one spectrum per axis."""
    return tuple(derivative(u_hat, grid, axis) for axis in range(grid.ndim))


def divergence(v_hat: Sequence[Spectrum], grid: Grid) -> Spectrum:
    """div v of a vector field given by its components."""
    _check_vector(v_hat, grid)
    return sum(
        (derivative(v, grid, axis) for axis, v in enumerate(v_hat)),
        start=jnp.zeros_like(v_hat[0]),
    )


def curl(v_hat: Sequence[Spectrum], grid: Grid) -> Spectrum | tuple[Spectrum, ...]:
    """curl v: in two dimensions the scalar d_x v_y - d_y v_x, in three the vector."""
    _check_vector(v_hat, grid)

    def component(i: int, j: int) -> jax.Array:
        return derivative(v_hat[j], grid, i) - derivative(v_hat[i], grid, j)

    if grid.ndim == 2:
        return component(0, 1)
    if grid.ndim == 3:
        return component(1, 2), component(2, 0), component(0, 1)
    raise ValueError(f"curl: got a grid of {grid.ndim} axis, wanted two or three")


def laplacian(u_hat: Spectrum, grid: Grid) -> Spectrum:
    """Laplacian of u, symbol -|k|^2."""
    check_spectrum(u_hat, grid)
    return symbol(-grid.wavenumber_squared, u_hat) * u_hat


def inverse_laplacian(u_hat: Spectrum, grid: Grid) -> Spectrum:
    """The mean-free psi with Laplacian psi = u - mean(u), symbol -1/|k|^2.

    Mind the sign: the stream function of -Laplacian psi = omega is `-inverse_laplacian(omega_hat, grid)`.
    """
    check_spectrum(u_hat, grid)
    return symbol(-grid.inverse_wavenumber_squared, u_hat) * u_hat


def leray_projection(v_hat: Sequence[Spectrum], grid: Grid) -> tuple[Spectrum, ...]:
    """Divergence-free part of a vector field: v - k (k.v) / |k|^2.

    With the wavenumbers of odd derivatives, so that `divergence` of the result is zero to round-off, Nyquist
    frequencies included. The mean stays.
    """
    _check_vector(v_hat, grid)
    wavenumbers = grid.derivative_wavenumbers
    squared = sum(k**2 for k in np.broadcast_arrays(*wavenumbers))
    inverse = np.where(squared > 0, 1 / np.where(squared > 0, squared, 1), 0)
    ks = [symbol(k, v_hat[0]) for k in wavenumbers]
    potential = sum((k * v for k, v in zip(ks, v_hat, strict=True)), start=jnp.zeros_like(v_hat[0]))
    potential = potential * symbol(inverse, v_hat[0])
    return tuple(v - k * potential for k, v in zip(ks, v_hat, strict=True))


def velocity_from_vorticity(omega_hat: Spectrum, grid: Grid) -> tuple[Spectrum, Spectrum]:
    """Velocity (u, v) = (d_y psi, -d_x psi) with -Laplacian psi = omega, in two dimensions.

    Args:
        omega_hat: vorticity spectrum [*batch, kx, ky], unit 1/time; its mean is ignored.
        grid: a grid of two axes.

    Returns:
        Spectra of both components, unit length/time; divergence-free, mean-free, curl = omega.
    """
    if grid.ndim != 2:
        raise ValueError(f"grid: got {grid.ndim} axes, wanted 2")
    psi_hat = -inverse_laplacian(omega_hat, grid)
    return derivative(psi_hat, grid, 1), -derivative(psi_hat, grid, 0)
