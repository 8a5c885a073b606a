"""Exact solutions, for tests and as data."""

import numpy as np
from jaxtyping import Float

from spectral.grid import Grid


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
