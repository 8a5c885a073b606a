"""Random starts of flows: vorticities of two-dimensional turbulence, solenoidal velocities, clouds."""

from typing import Literal

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from spectral.derivatives import leray_projection, symbol, velocity_from_vorticity
from spectral.grid import Grid
from spectral.transforms import irfftn

from . import diagnostics
from .random_fields import random_spectrum

AXES = (0, 1)


def mcwilliams(
    key: jax.Array,
    grid: Grid,
    peak: float = 4.0,
    energy: float | None = None,
    convention: Literal["1984", "torch_cfd"] = "1984",
) -> Float[Array, "x y"]:
    """Vorticity of McWilliams' isolated-vortex experiment: a narrow band of Gaussian modes of given energy.

    E|psi_hat_k|^2 ~ d(k)  ("1984")   or   E|psi_hat_k|^2 ~ d(k)^2  ("torch_cfd"),   d(k) = 1 / (k (1 + (k/k0)^4))

    The paper prescribes the square of the amplitude; torch-cfd multiplies the amplitude by d, which is steeper, and
    normalises mean(|u|^2) instead of its half to 1/2.

    Args:
        key: random key; the same flow on every grid up to the normalisation, which sums the modes of the grid.
        grid: two axes.
        peak: k0, 1 / length.
        energy: mean(|u|^2)/2 of every sample, by default 0.5 ("1984") or 0.25 ("torch_cfd").
        convention: see above.

    Returns:
        Mean-free vorticity, 1 / time.

    Raises:
        ValueError: for another convention.

    Source:
        McWilliams 1984 (J. Fluid Mech. 146); Cao et al. 2025 (arXiv 2405.17211) for torch-cfd.
    """
    conventions = {"1984": (1, 0.5), "torch_cfd": (2, 0.25)}
    if convention not in conventions:
        raise ValueError(f"convention: got {convention!r}, wanted one of {', '.join(conventions)}")
    power, default = conventions[convention]
    k2 = grid.wavenumber_squared
    k = np.sqrt(np.where(k2 > 0, k2, 1))
    w_hat = random_spectrum(key, grid, k**4 * (k * (1 + (k / peak) ** 4)) ** -power)
    ratio = (default if energy is None else energy) / diagnostics.energy(w_hat, grid)
    return irfftn(w_hat * jnp.sqrt(ratio), grid.shape, AXES)


def filtered_vorticity(
    key: jax.Array, grid: Grid, peak: float = 4.0, max_speed: float = 5.0, variance: float = 0.25
) -> Float[Array, "x y"]:
    """Vorticity of a random solenoidal velocity whose spectrum is log-normal in |k|.

    E|u_hat_k|^2 ~ (p(k)/k)^2,    p(k) = exp(-(log k - log k0 - s)^2 / 2s) / k,    s = variance

    Args:
        key: random key; the same flow on every grid up to the normalisation, which looks at the points of the grid.
        grid: two axes.
        peak: k0, 1 / length: the mode of p.
        max_speed: largest |u| on the grid, length / time.
        variance: s, of log k.

    Returns:
        Mean-free vorticity, 1 / time.

    Source:
        Kochkov et al. 2021 (PNAS 118): start of the Kolmogorov flows. They filter both components of white noise,
        project and rescale three times; the exact projection of that noise has one mode along k-perp, drawn here.
    """
    k2 = grid.wavenumber_squared
    k = np.sqrt(np.where(k2 > 0, k2, 1))
    density = np.exp(-((np.log(k / peak) - variance) ** 2) / (2 * variance)) / k
    w_hat = random_spectrum(key, grid, density**2)
    velocity = irfftn(jnp.stack(velocity_from_vorticity(w_hat, grid)), grid.shape, (1, 2))
    speed = jnp.sqrt(jnp.max(jnp.sum(velocity**2, axis=0)))
    return irfftn(w_hat * (max_speed / speed), grid.shape, AXES)


def solenoidal_velocity(key: jax.Array, grid: Grid, peak: float, speed: float) -> Float[Array, "d ..."]:
    """A random velocity without divergence or mean, smooth, of given root mean square.

        E(k) ~ k^4 exp(-2 (k / k0)^2),    mean |u|^2 = speed^2

    with E(k) the energy between wavenumbers k and k + dk, largest at k0: independent Gaussian modes of every component,
    projected.

    Args:
        key: random key; the same flow on every grid that holds it, to round-off where that reaches 4 k0.
        grid: two or three axes.
        peak: k0, 1 / length.
        speed: of every sample, length / time.

    Returns:
        Velocity [d, *space], length / time.
    """
    k = np.sqrt(grid.wavenumber_squared) / peak
    # Modes in a shell go with k^(d-1).
    density = np.where(k > 0, k, 1) ** (5.0 - grid.ndim) * np.exp(-2 * k**2)
    drawn = [random_spectrum(one, grid, density) for one in jax.random.split(key, grid.ndim)]
    u = irfftn(jnp.stack(leray_projection(drawn, grid)), grid.shape, tuple(range(1, grid.ndim + 1)))
    return u * (speed / jnp.sqrt(jnp.mean(jnp.sum(u**2, axis=0))))


def taylor_green_velocity(key: jax.Array, grid: Grid, speed: float) -> Float[Array, "3 x y z"]:
    """The vortices of Taylor and Green at a random place of the torus.

        u = 2 speed (sin X cos Y cos Z, -cos X sin Y cos Z, 0),    (X, Y, Z) = 2 pi x / L + three random angles

    Args:
        key: random key.
        grid: three axes.
        speed: root of mean |u|^2, length / time; that of Taylor and Green is 1/2.

    Source: Taylor and Green 1937 (Proc. R. Soc. A 158).
    """
    angles = jax.random.uniform(key, (3,), maxval=2 * np.pi)
    x, y, z = (
        jnp.asarray(2 * np.pi / length * line) + angle
        for line, length, angle in zip(grid.mesh, grid.extent, angles, strict=True)
    )
    u = jnp.stack([jnp.sin(x) * jnp.cos(y) * jnp.cos(z), -jnp.cos(x) * jnp.sin(y) * jnp.cos(z), jnp.zeros(grid.shape)])
    return 2 * speed * u


def blobs(key: jax.Array, grid: Grid, count: int, radius: float) -> Float[Array, "..."]:
    """Gaussian clouds at independent, uniform places of a periodic box, each 1 in its middle.

        s = sum_j exp(-|x - x_j|^2 / 2 r^2),    periodic images included

    Args:
        key: random key; the same clouds on every grid that holds them, 4 / r in wavenumbers.
        grid: one to three axes.
        count: number of clouds.
        radius: r, length.
    """
    places = jax.random.uniform(key, (count, grid.ndim)) * np.array([grid.extent])
    # The amplitudes of one cloud at 0.
    cloud = (2 * np.pi * radius**2) ** (grid.ndim / 2) / grid.volume * np.exp(-grid.wavenumber_squared * radius**2 / 2)

    def wave(place: jax.Array) -> jax.Array:
        phase = sum((k * x for k, x in zip(grid.wavenumbers, place, strict=True)), start=jnp.zeros(()))
        return jnp.exp(-1j * phase)

    s_hat = jnp.sum(jax.vmap(wave)(places), axis=0)
    return irfftn(symbol(cloud, s_hat) * s_hat, grid.shape, tuple(range(grid.ndim)))
