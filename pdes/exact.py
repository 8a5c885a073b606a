"""Exact solutions, for tests and as data."""

import jax
import numpy as np
from jaxtyping import Float

from spectral.filters import resize
from spectral.grid import Grid
from spectral.transforms import irfftn, rfftn


def taylor_green(grid: Grid, waves: int, time: float, viscosity: float, drag: float = 0.0) -> Float[np.ndarray, "x y"]:
    """Vorticity of the decaying array of Taylor-Green vortices.

    u = (cos kx sin ly, -(k/l) sin kx cos ly) g,    w = -((k^2 + l^2)/l) cos kx cos ly g,
    g = exp(-(nu (k^2 + l^2) + mu) t),    k = 2 pi waves / Lx,    l = 2 pi waves / Ly

    An exact solution of unforced Navier-Stokes for every k: the stream function is an eigenfunction of the
    Laplacian, so the nonlinear term vanishes. On a square the decay is exp(-2 nu k^2 t) and w = -2k cos kx cos ky g.

    Args:
        grid: two axes.
        waves: periods per side.
        time: t.
        viscosity: nu, length^2 / time.
        drag: mu, 1 / time.

    Returns:
        Vorticity on the grid, 1 / time.
    """
    k, l = (2 * np.pi * waves / length for length in grid.extent)
    x, y = grid.mesh
    decay = np.exp(-(viscosity * (k**2 + l**2) + drag) * time)
    return -(k**2 + l**2) / l * decay * np.cos(k * x) * np.cos(l * y)


def abc_flow(
    grid: Grid,
    waves: int,
    time: float,
    viscosity: float,
    amplitudes: tuple[float, float, float] = (1.0, 0.8, 0.6),
    wind: tuple[float, float, float] = (0.0, 0.0, 0.0),
) -> Float[np.ndarray, "3 x y z"]:
    """Velocity of the decaying flow of Arnold, Beltrami and Childress, carried by a uniform wind.

    u = V + g (A sin kz + C cos ky, B sin kx + A cos kz, C sin ky + B cos kx)(x - V t),    g = exp(-nu k^2 t)

    An exact solution of unforced Navier-Stokes for every k: without V the velocity is parallel to its curl, k u.

    Args:
        grid: three axes of one length L.
        waves: k L / 2 pi.
        time: t.
        viscosity: nu, length^2 / time.
        amplitudes: A, B and C, length / time.
        wind: V, length / time.
    """
    k = 2 * np.pi * waves / grid.extent[0]
    x, y, z = (k * (points - v * time) for points, v in zip(grid.mesh, wind, strict=True))
    a, b, c = np.exp(-viscosity * k**2 * time) * np.array(amplitudes)
    flow = [a * np.sin(z) + c * np.cos(y), b * np.sin(x) + a * np.cos(z), c * np.sin(y) + b * np.cos(x)]
    return np.stack([v + component for v, component in zip(wind, flow, strict=True)])


def cole_hopf(
    u0: Float[np.ndarray, "x"], grid: Grid, time: float, viscosity: float, points: int = 8192
) -> Float[np.ndarray, "x"]:
    """Solution of the periodic Burgers equation u_t + u u_x = nu u_xx from any start, by one integral per point.

    u(x, t) = int (x - y)/t e^(-G/2nu) dy / int e^(-G/2nu) dy,    G = (x - y)^2 / 2t + int_0^y u0,    y over the line

    for a start without mean; a mean m is a moving frame, u -> m + u(x - m t). The smallest G of every x is taken off
    before the exponential, so nothing over- or underflows however small nu is.

    Args:
        u0: start on the points of the grid; its trigonometric interpolant is what is solved for.
        grid: one axis.
        time: t > 0.
        viscosity: nu, length^2 / time.
        points: of the rectangle rule on one period; its step must resolve the kernel, whose width is sqrt(2 nu t),
            less where u0 is steep.

    Returns:
        u(t) on the grid, float64.

    Accuracy:
        1e-13 where `points` resolves the integrand: the rectangle rule converges faster than any power on it.
    """
    (n,), (length,) = grid.shape, grid.extent
    fine = -(-points // n)  # refinement of the grid, so that every x is a point of the rule
    with jax.enable_x64(True):
        u_hat = np.asarray(jax.jit(lambda u: rfftn(u, (0,)))(np.asarray(u0, float)))
        mean, k = float(u_hat[0].real), grid.derivative_wavenumbers[0]
        shifted = u_hat * np.exp(-1j * mean * time * k)
        potential_hat = np.where(k > 0, -1j * shifted / np.where(k > 0, k, 1), 0)
        refine = jax.jit(lambda v: resize(irfftn(v, (n,), (0,)), (fine * n,), (0,)))
        potential = np.asarray(refine(potential_hat))
    # Beyond this distance the weights are below e^-40 of the largest.
    reach = np.sqrt(2 * time * (np.ptp(potential) + 80 * viscosity))
    side = int(np.ceil(reach * fine * n / length))
    offsets = np.arange(-side, side + 1)
    y = offsets * length / (fine * n)

    def at(x: int) -> float:
        g = y**2 / (2 * time) + potential[(fine * x + offsets) % (fine * n)]
        weights = np.exp((g.min() - g) / (2 * viscosity))
        return mean - float(weights @ y) / (time * float(weights.sum()))

    return np.array([at(x) for x in range(n)])
