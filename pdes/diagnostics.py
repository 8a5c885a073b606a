"""Quadratic quantities of two-dimensional flows, their budgets, and whether a run is resolved.

Everything takes vorticity amplitudes w_hat[*b, kx, ky] (half spectrum, NumPy's order) and is a mean over the box:
per unit area, so it does not depend on the side lengths.
"""

import functools

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Complex, Float

from spectral.derivatives import symbol, velocity_from_vorticity
from spectral.grid import Grid
from spectral.norms import inner_product, spectrum_norm
from spectral.transforms import irfftn


def energy(w_hat: Complex[Array, "*b kx ky"], grid: Grid) -> Float[Array, "*b"]:
    """E = mean(|u|^2) / 2 = 1/2 sum_k |w_hat|^2 / |k|^2, length^2 / time^2."""
    return 0.5 / grid.volume * inner_product(w_hat, w_hat, grid, -1, alpha=0.0)


def enstrophy(w_hat: Complex[Array, "*b kx ky"], grid: Grid) -> Float[Array, "*b"]:
    """Z = mean(w^2) / 2, 1 / time^2."""
    return 0.5 / grid.volume * inner_product(w_hat, w_hat, grid)


def palinstrophy(w_hat: Complex[Array, "*b kx ky"], grid: Grid) -> Float[Array, "*b"]:
    """P = mean(|grad w|^2) / 2, 1 / (length^2 time^2)."""
    return 0.5 / grid.volume * inner_product(w_hat, w_hat, grid, 1, alpha=0.0)


def budgets(
    w_hat: Complex[Array, "*b kx ky"],
    grid: Grid,
    linear: np.ndarray,
    forcing_hat: Complex[Array, "kx ky"] | None = None,
) -> tuple[Float[Array, "*b"], Float[Array, "*b"]]:
    """Rates of change of energy and enstrophy that the equation prescribes; advection has no part in them.

    dE/dt = -2 nu Z - 2 mu E + mean(psi f),    dZ/dt = -2 nu P - 2 mu Z + mean(w f)

    Args:
        w_hat: vorticity spectrum, de-aliased.
        grid: its grid.
        linear: symbol of the linear term, -nu |k|^2 - mu (`NavierStokes.linear`).
        forcing_hat: spectrum of the vorticity forcing (`NavierStokes.forcing_hat`).

    Returns:
        dE/dt, length^2 / time^3, and dZ/dt, 1 / time^3.
    """
    rate = symbol(linear, w_hat) * w_hat
    if forcing_hat is not None:
        rate = rate + jnp.broadcast_to(forcing_hat, w_hat.shape)
    of_energy, of_enstrophy = (inner_product(w_hat, rate, grid, s, alpha=0.0) / grid.volume for s in (-1, 0))
    return of_energy, of_enstrophy


def cfl(w_hat: Complex[Array, "*b kx ky"], grid: Grid, dt: float) -> Float[Array, "*b"]:
    """CFL number: the most cells that the fluid crosses along an axis in one step, max |u_i| dt / dx_i."""
    return crossed(irfftn(jnp.stack(velocity_from_vorticity(w_hat, grid)), grid.shape, (-2, -1)), grid, dt)


def crossed(velocity: Float[Array, "d ..."], grid: Grid, dt: float) -> Float[Array, "*b"]:
    """The most cells that something of a velocity [d, *b, *space] crosses along an axis in a time dt."""
    fastest = jnp.max(jnp.abs(velocity), axis=tuple(range(-grid.ndim, 0)))
    return functools.reduce(jnp.maximum, [speed * (dt / dx) for speed, dx in zip(fastest, grid.spacing, strict=True)])


def resolution_tail(w_hat: Complex[Array, "*b kx ky"], grid: Grid) -> Float[Array, "*b"]:
    """Share of the L2 norm of the vorticity in the outermost ring of frequencies that the two-thirds rule keeps.

    The ring is max_i |m_i| / M_i = 1 with M_i the largest frequency below N_i / 3. Below about 1e-3 a flow is
    resolved; at 0.05 its errors in space are of the order of a percent, whatever the time step.
    """
    reach = [np.abs(m) / max((n - 1) // 3, 1) for m, n in zip(grid.modes, grid.shape, strict=True)]
    ring = np.maximum(*np.broadcast_arrays(*reach)) == 1
    return spectrum_norm(symbol(ring.astype(float), w_hat) * w_hat, grid, 0) / spectrum_norm(w_hat, grid, 0)
