"""Solitons, fronts and other waves in closed form, as NumPy fields: exact solutions for tests and as data.

Those of the whole line are used on a periodic box wide enough that their tails are round-off where it closes.
"""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from spectral.grid import Grid


def _from_centre(grid: Grid, centre: float) -> np.ndarray:
    """Signed distance along the first axis by the shorter way round, over the whole grid."""
    length = grid.extent[0]
    return np.mod(grid.mesh[0] - centre + length / 2, length) - length / 2


def harmonics(grid: Grid, time: float, velocity: Sequence[float], diffusivity: float) -> Float[np.ndarray, "..."]:
    """Three waves of u_t + c . grad u = D Lap u: sum_j a_j exp(-D |k_j|^2 t) cos(k_j . (x - c t) + j)."""
    result = np.zeros(grid.shape)
    for j, (amplitude, waves) in enumerate([(1.0, (1, 1, 2)), (0.5, (2, -1, 0)), (0.25, (3, 2, -1))]):
        k = [2 * np.pi * m / length for m, length in zip(waves, grid.extent, strict=False)]
        phase = sum(kj * (x - c * time) for kj, x, c in zip(k, grid.mesh, velocity, strict=True))
        result += amplitude * np.exp(-diffusivity * sum(kj**2 for kj in k) * time) * np.cos(phase + j)
    return result


def standing_waves(grid: Grid, time: float, speed: float, drift: float = 0.1) -> Float[np.ndarray, "2 ..."]:
    """Displacement and velocity of u_tt = c^2 Lap u: two standing waves on a mean that moves at `drift`."""
    u, v = np.full(grid.shape, drift * time), np.full(grid.shape, drift)
    for amplitude, waves in [(1.0, (1, 1, 1)), (0.5, (2, 0, 1))]:
        k = [2 * np.pi * m / length for m, length in zip(waves, grid.extent, strict=False)]
        shape = amplitude * np.cos(sum(kj * x for kj, x in zip(k, grid.mesh, strict=True)))
        w = speed * np.sqrt(sum(kj**2 for kj in k))
        u, v = u + shape * np.cos(w * time), v - w * shape * np.sin(w * time)
    return np.stack([u, v])


def poincare_wave(
    grid: Grid, time: float, waves: Sequence[int], height: float, gravity: float, coriolis: float
) -> Float[np.ndarray, "3 x y"]:
    """Height and velocity of a small wave on rotating shallow water of depth 1, to first order in its height a.

    h = 1 + a cos q,    u = a / |k|^2 (w k cos q + f (-k_y, k_x) sin q),    q = k . x - w t,    w^2 = f^2 + g |k|^2
    """
    k = [2 * np.pi * m / length for m, length in zip(waves, grid.extent, strict=True)]
    squared = k[0] ** 2 + k[1] ** 2
    frequency = np.sqrt(coriolis**2 + gravity * squared)
    phase = k[0] * grid.mesh[0] + k[1] * grid.mesh[1] - frequency * time
    along, across = height * frequency / squared * np.cos(phase), height * coriolis / squared * np.sin(phase)
    return np.stack([1 + height * np.cos(phase), k[0] * along - k[1] * across, k[1] * along + k[0] * across])


def zonal_jets(grid: Grid, speed: float, gravity: float, coriolis: float, waves: int = 2) -> Float[np.ndarray, "3 x y"]:
    """Height and velocity of steady shallow water of mean depth 1: jets along x that the slope of the water turns.

    u = U sin l y,    h = 1 + f U / (g l) cos l y,    l = 2 pi waves / L_y
    """
    l = 2 * np.pi * waves / grid.extent[1]
    y = grid.mesh[1]
    height = 1 + coriolis * speed / (gravity * l) * np.cos(l * y)
    return np.stack([height, speed * np.sin(l * y), np.zeros(grid.shape)])


def rossby_haurwitz(grid: Grid, time: float, height: float = 3.0) -> Float[np.ndarray, "y x"]:
    """Vorticity z = A mu (1 - mu^2)^(3/2) cos 3 (lambda + 2 Omega t / 20) on the sphere, mu the sine of the latitude.

    The harmonic of degree 4 and order 3; waves of one degree l go west by 2 Omega / (l (l + 1)), Omega = 2 pi / day
    (`BarotropicVorticity`).

    Args:
        grid: Gauss-Legendre latitudes and equally spaced longitudes.
        time: t, days.
        height: A, 1 / day.
    """
    mu = np.polynomial.legendre.leggauss(grid.shape[0])[0][:, None]
    longitude = 2 * np.pi * np.arange(grid.shape[1]) / grid.shape[1]
    return height * mu * (1 - mu**2) ** 1.5 * np.cos(3 * (longitude + 4 * np.pi / 20 * time))


def rising_columns(
    grid: Grid, time: float, viscosity: float, diffusivity: float, buoyancy: float, wind: float = 0.0
) -> Float[np.ndarray, "c ..."]:
    """Density and velocity of smoke in two columns that lift from rest side by side, in a wind V along x.

        s = 1 + exp(-kappa k^2 t) cos k(x - V t),    k = 4 pi / L_x,
        u_up = b (exp(-kappa k^2 t) - exp(-nu k^2 t)) / ((nu - kappa) k^2) cos k(x - V t)

    An exact solution of `Boussinesq`: nothing changes along the columns. nu and kappa must differ.
    """
    k = 4 * np.pi / grid.extent[0]
    rates = diffusivity * k**2, viscosity * k**2
    wave = np.cos(k * (grid.mesh[0] - wind * time))
    rise = buoyancy * (np.exp(-rates[0] * time) - np.exp(-rates[1] * time)) / (rates[1] - rates[0])
    across = [np.full(grid.shape, wind), *[np.zeros(grid.shape)] * (grid.ndim - 2)]
    return np.stack([1 + np.exp(-rates[0] * time) * wave, *across, rise * wave])


def kdv_soliton(grid: Grid, time: float, speed: float, dispersion: float = 1.0) -> Float[np.ndarray, "x"]:
    """Soliton of u_t + 6 u u_x + d u_xxx = 0 that starts at a quarter of the box.

        u = c/2 sech^2(sqrt(c/d)/2 (x - L/4 - c t))

    Its tails are exp(-sqrt(c/d) L/2) where the box closes.
    """
    x = _from_centre(grid, grid.extent[0] / 4 + speed * time)
    return speed / 2 / np.cosh(np.sqrt(speed / dispersion) / 2 * x) ** 2


def allen_cahn_front(grid: Grid, time: float, width: float) -> Float[np.ndarray, "x"]:
    """Two fronts of u_t = eps^2 u_xx + u - u^3 that run apart, from the phase 1 into the unstable 0.

        u = (1 - tanh((d - L/4 - s t) / (2 sqrt 2 eps))) / 2,    s = 3 eps / sqrt 2,    d = |x - L/2|

    Its tails are exp(-(L/4 - s t) / (sqrt 2 eps)) where the fronts meet on the far side, the same at t = 0 in between.
    """
    distance = np.abs(grid.points[0] - grid.extent[0] / 2)
    front = grid.extent[0] / 4 + 3 * width / np.sqrt(2) * time
    return 0.5 * (1 - np.tanh((distance - front) / (2 * np.sqrt(2) * width)))


def fisher_front(grid: Grid, time: float, diffusivity: float, growth: float = 1.0) -> Float[np.ndarray, "x"]:
    """Two fronts of u_t = D u_xx + r u (1 - u) that run apart into empty space, at speed 5 sqrt(r D / 6).

        u = (1 + exp(q (d - L/3) - 5 r t / 6))^-2,    q = sqrt(r / 6D),    d = |x - L/2|

    Its tails are exp(-q L/3) in between and about the same on the far side.

    Source:
        Ablowitz and Zeppetella 1979 (Bull. Math. Biol. 41).
    """
    distance, rate = np.abs(grid.points[0] - grid.extent[0] / 2), np.sqrt(growth / (6 * diffusivity))
    return (1 + np.exp(rate * (distance - grid.extent[0] / 3) - 5 / 6 * growth * time)) ** -2.0


def bright_soliton(grid: Grid, time: float, height: float, speed: float, strength: float) -> Float[np.ndarray, "2 x"]:
    """Real and imaginary part of the soliton of i psi_t + psi_xx / 2 + g |psi|^2 psi = 0 from the middle of the box.

        psi = A / sqrt g  sech(A y) exp(i (v y + (A^2 + v^2) t / 2)),    y = x - L/2 - v t

    Its tails are exp(-A L/2) where the box closes; v L / 2 pi must be a whole number for the phase to close there too.
    """
    x = _from_centre(grid, grid.extent[0] / 2 + speed * time)
    psi = (
        height / np.sqrt(strength) / np.cosh(height * x) * np.exp(1j * (speed * x + (height**2 + speed**2) / 2 * time))
    )
    return np.stack([psi.real, psi.imag])


def plane_wave(
    grid: Grid, time: float, waves: Sequence[int], height: float, strength: float
) -> Float[np.ndarray, "2 ..."]:
    """Real and imaginary part of A exp(i (k . x - (|k|^2 / 2 - g A^2) t)), a wave of `Schroedinger`."""
    k = [2 * np.pi * m / length for m, length in zip(waves, grid.extent, strict=True)]
    frequency = sum(kj**2 for kj in k) / 2 - strength * height**2
    psi = height * np.exp(1j * (sum(kj * x for kj, x in zip(k, grid.mesh, strict=True)) - frequency * time))
    return np.stack([psi.real, psi.imag])


def potential_burgers(grid: Grid, time: float, viscosity: float, depth: float = 0.6) -> Float[np.ndarray, "d ..."]:
    """Velocity of Burgers' equation u_t + (u . grad) u = nu Lap u that is a gradient, by Cole and Hopf.

        u = -2 nu grad log phi,    phi = 1 + b/2 (exp(-nu |k|^2 t) cos k . x + exp(-nu |l|^2 t) sin l . x),

    with k one wave along every axis and l two along the first and minus one along the others; phi solves the heat
    equation.

    Args:
        grid: one to three axes.
        time: t.
        viscosity: nu.
        depth: b, below 1.
    """
    phi, slopes = np.ones(grid.shape), [np.zeros(grid.shape) for _ in grid.shape]
    for waves, quarter in (((1, 1, 1), 0.0), ((2, -1, -1), -np.pi / 2)):
        k = [2 * np.pi * m / length for m, length in zip(waves, grid.extent, strict=False)]
        phase = sum(kj * x for kj, x in zip(k, grid.mesh, strict=True)) + quarter
        amplitude = depth / 2 * np.exp(-viscosity * sum(kj**2 for kj in k) * time)
        phi = phi + amplitude * np.cos(phase)
        slopes = [s - kj * amplitude * np.sin(phase) for s, kj in zip(slopes, k, strict=True)]
    return -2 * viscosity * np.stack(slopes) / phi
