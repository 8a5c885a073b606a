"""Forced Navier-Stokes from random vorticity: the benchmark of the Fourier neural operator."""

import dataclasses
import math
from typing import ClassVar, Literal

import jax
import numpy as np
from jaxtyping import Array, Float

from spectral.grid import Grid

from .. import forcing
from ..equations.navier_stokes import NavierStokes
from ..random_fields import Covariance, gaussian_random_field, li_covariance
from .checks import check_not_negative, check_positive, check_shape
from .vorticity import VorticityTrajectory


@dataclasses.dataclass(frozen=True)
class NavierStokesLi(VorticityTrajectory):
    """Random vorticity on the unit torus under one fixed forcing, recorded at equal intervals.

        w_t + u . grad w = nu Lap w + A (sin 2 pi (x + y) + cos 2 pi (x + y)),    w(0) ~ `li_covariance(convention)`

    The regimes of the paper are nu = 1e-3, 1e-4, 1e-5 to T = 50, 30, 20: 10 snapshots, at 1, 2, ..., 10, -> those
    at 11, ..., T. With warmup=0, interval=T, n_snapshots=2, n_inputs=1 the map is w(0) -> w(T) at once.

    The time step comes from a bound on the speed: 4.5 standard deviations of a start's velocity and twice what the
    forcing alone would add by the end, u_f min(T, 1/(nu |k_f|^2)). The largest |u_i| in 6 samples of every regime
    was 0.36 to 0.76 of it.

    Args:
        shape: points of the solver grid, at least 3/2 of what is stored.
        viscosity: nu.
        amplitude: A.
        convention: of the start, see `li_covariance`; the published sets are drawn by "li_code".
        warmup, interval, n_snapshots, n_inputs: see `Trajectory`.
        cfl: CFL number of that speed, see `HeldTrajectory`.

    Accuracy:
        See docs/pdes.md. At nu = 1e-5 the flow is not resolved on fewer than 256 points a side.

    Source:
        Li et al. 2021 (arXiv 2010.08895), section 5.3. Their scheme is of first order in time, ours of fourth;
        their 64 x 64 points are every fourth of 256 x 256, ours a cut of the Fourier series.
    """

    name: ClassVar[str] = "ns_li"

    shape: tuple[int, int] = (256, 256)
    viscosity: float = 1e-3
    amplitude: float = 0.1
    convention: Literal["li_paper", "li_code", "li_code_cfloat"] = "li_code"
    warmup: float = 1.0
    interval: float = 1.0
    n_snapshots: int = 50
    n_inputs: int = 10
    cfl: float = 1.0

    def __post_init__(self) -> None:
        check_shape(self, axes=2)
        self.check_times()
        check_positive(self, "viscosity")
        self.check_cfl()
        check_not_negative(self, "amplitude")
        li_covariance(self.convention)  # refuses another name

    @property
    def grid(self) -> Grid:
        return Grid(self.shape)

    @property
    def covariance(self) -> Covariance:
        return li_covariance(self.convention)

    @property
    def largest_speed(self) -> float:
        grid, squared = self.grid, 8 * math.pi**2  # |k|^2 of the forcing
        start = grid.rfft_weights * self.covariance.eigenvalues(grid) * grid.inverse_wavenumber_squared
        end = self.warmup + (self.n_snapshots - 1) * self.interval
        added = 2 * self.amplitude / math.sqrt(squared) * min(end, 1 / (self.viscosity * squared))
        return 4.5 * math.sqrt(np.sum(start) / 2) + added

    def parameters(self) -> dict[str, float | str]:
        return {
            "viscosity": self.viscosity,
            "drag": 0.0,
            "forcing": f"{self.amplitude:g} (sin 2 pi (x + y) + cos 2 pi (x + y))",
            "initial_covariance": f"{self.covariance}, mean-free, E|w_k|^2 = eigenvalue",
        } | self.solver()

    def flow(self, grid: Grid) -> NavierStokes:
        return NavierStokes(grid, self.viscosity, forcing=forcing.li(grid, self.amplitude))

    def __call__(self, key: jax.Array) -> dict[str, Float[Array, "t ..."]]:
        """Vorticity [n_snapshots, x, y]."""
        return self.evolve(self.flow(self.grid), gaussian_random_field(key, self.grid, self.covariance))
