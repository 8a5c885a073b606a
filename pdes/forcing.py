"""Vorticity forcings of well-known flows, as NumPy fields on a grid."""

import numpy as np
from jaxtyping import Float

from spectral.grid import Grid


def li(grid: Grid, amplitude: float = 0.1) -> Float[np.ndarray, "x y"]:
    """f = A (sin 2 pi (x/Lx + y/Ly) + cos 2 pi (x/Lx + y/Ly)), 1 / time^2.

    Source:
        Li et al. 2021 (arXiv 2010.08895), on the unit torus with A = 0.1.
    """
    phase = 2 * np.pi * sum(x / length for x, length in zip(grid.mesh, grid.extent, strict=True))
    return amplitude * (np.sin(phase) + np.cos(phase))


def kolmogorov(grid: Grid, waves: int = 4, amplitude: float = 1.0) -> Float[np.ndarray, "x y"]:
    """Curl of the body force A sin(k y) along x: f = -A k cos(k y), k = 2 pi waves / Ly, 1 / time^2.

    Args:
        grid: two axes.
        waves: periods of the force along y.
        amplitude: A, length / time^2.

    Source:
        Kochkov et al. 2021 (PNAS 118) with 4 waves, A = 1 and a drag of 0.1 on a box of side 2 pi.
    """
    k = 2 * np.pi * waves / grid.extent[1]
    return -amplitude * k * np.cos(k * grid.mesh[1])
