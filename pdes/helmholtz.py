"""Potentials and steady waves on periodic boxes: Poisson and Helmholtz problems, also in media with losses."""

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.sparse.linalg import bicgstab
from jaxtyping import Array, Complex, Float, Inexact

from spectral.derivatives import symbol
from spectral.grid import Grid
from spectral.transforms import fftn, ifftn, irfftn, rfftn


def solve_helmholtz(f: Float[Array, "*space"], grid: Grid, wavenumber: float = 0.0) -> Float[Array, "*space"]:
    """Solution of -(Lap u + k^2 u) = f on a periodic box, by its symbol 1 / (|m|^2 - k^2).

    With k = 0 it is Poisson's: the mean of f is left out, and u has none.

    Args:
        f: source.
        grid: one to three axes.
        wavenumber: k, 1 / length.

    Raises:
        ValueError: for a k that is one of the box' own, see `check_resonance`.

    Accuracy:
        Round-off for sources that the grid resolves, times k^2 over the gap to the nearest wavenumber of the box.
    """
    check_resonance(grid, wavenumber)
    axes = tuple(range(grid.ndim))
    distance = grid.wavenumber_squared - wavenumber**2
    # Without k the mean of u is free, and there is no solution unless that of f is zero.
    inverse = np.where(distance == 0, 0.0, 1 / np.where(distance == 0, 1, distance))
    f_hat = rfftn(f, axes)
    return irfftn(symbol(inverse, f_hat) * f_hat, grid.shape, axes)


def check_resonance(grid: Grid, wavenumber: float, gap: float = 1e-6) -> None:
    """Raises ValueError where |m|^2 of a wave of the box is within `gap` k^2 of k^2, or k is beyond the grid's."""
    if not 0 <= wavenumber < min(np.pi / h for h in grid.spacing):
        raise ValueError(
            f"wavenumber: got {wavenumber}, wanted a number from 0 to below pi / h = "
            f"{min(np.pi / h for h in grid.spacing):g}; take a finer grid"
        )
    squared = grid.wavenumber_squared.ravel()
    nearest = squared[np.argmin(np.abs(squared - wavenumber**2))]
    if wavenumber > 0 and abs(nearest - wavenumber**2) <= gap * wavenumber**2:
        raise ValueError(
            f"wavenumber: got {wavenumber}, at which the box {grid.extent} resonates with its wave of "
            f"|k| = {np.sqrt(nearest):.9g}, wanted a number off every sqrt(sum (2 pi m / L)^2)"
        )


def solve_lossy_helmholtz(
    f: Inexact[Array, "*space"],
    slowness: Float[Array, "*space"],
    grid: Grid,
    wavenumber: float,
    loss: float,
    tolerance: float = 1e-10,
) -> Complex[Array, "*space"]:
    """Wave u of -(Lap u + k^2 (1 + i d) s(x) u) = f: a steady source in an uneven medium that absorbs.

    Stabilised biconjugate gradients with the Fourier Laplacian, preconditioned by the exact inverse for s = mean s,
    which the loss keeps from resonance. At 10 and 20 radians a side, a contrast of 3 and d = 0.1 it takes 15 and 40
    iterations. Batches go through `jax.vmap`.

    Args:
        f: source, real or complex.
        slowness: s > 0, square of the waves' slowness against that of k.
        grid: one to three axes.
        wavenumber: k, 1 / length, where s = 1.
        loss: d > 0, the imaginary part of k^2: waves lose a factor exp(-d / 2) in every radian.
        tolerance: stops at |f - A u| <= tolerance |f|. A wave that misses it tenfold is not a number.

    Returns:
        u, complex.

    Raises:
        ValueError: for a wavenumber or a loss that is not positive.

    Accuracy:
        Spectral where the grid resolves u and s u; the algebraic error is about `tolerance`. Wants float64.
    """
    if not (wavenumber > 0 and loss > 0):
        raise ValueError(f"wavenumber, loss: got {wavenumber}, {loss}, wanted positive numbers")
    axes = tuple(range(grid.ndim))
    lines = [2 * np.pi * np.fft.fftfreq(n, h) for n, h in zip(grid.shape, grid.spacing, strict=True)]
    squared = np.sum(np.square(np.meshgrid(*lines, indexing="ij")), axis=0)
    own = jax.lax.complex(slowness, loss * slowness) * wavenumber**2
    mean = jax.lax.complex(jnp.mean(slowness), loss * jnp.mean(slowness)) * wavenumber**2

    def apply(u: jax.Array) -> jax.Array:
        return ifftn(symbol(squared, u) * fftn(u, axes), axes) - own * u

    def precondition(u: jax.Array) -> jax.Array:
        return ifftn(fftn(u, axes) / (symbol(squared, u) - mean), axes)

    source = f.astype(own.dtype)
    u, _ = bicgstab(apply, source, tol=tolerance, M=precondition)
    found = jnp.linalg.norm((source - apply(u)).ravel()) <= 10 * tolerance * jnp.linalg.norm(source.ravel())
    return jnp.where(found, u, jnp.nan)
