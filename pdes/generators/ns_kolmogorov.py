"""Turbulent Kolmogorov flow: past vorticity -> future vorticity."""

import dataclasses
import math
from typing import ClassVar

import jax
from jaxtyping import Array, Float

from spectral.grid import Grid

from .. import forcing
from ..equations.navier_stokes import NavierStokes
from ..initial import filtered_vorticity
from .checks import check_not_negative, check_positive, check_shape, check_whole, is_number
from .vorticity import VorticityTrajectory


@dataclasses.dataclass(frozen=True)
class NavierStokesKolmogorov(VorticityTrajectory):
    """Flow on [0, 2 pi)^2 driven by a shear force and held by drag, from a random velocity of given largest speed.

        w_t + u . grad w = nu Lap w - mu w - A k cos(k y),    w(0) from `initial.filtered_vorticity`

    Args:
        shape: points of the solver grid, at least 3/2 of what is stored.
        viscosity: nu.
        drag: mu.
        amplitude: A, of the force A sin(k y) along x.
        waves: k.
        peak: wavenumber at which the start's spectrum peaks.
        max_speed: of the start, the largest |u|. The time step is made for components of 1.4 times that; with the
            defaults the flow slows down: 5.5 was the largest |u_i| of six samples from t = 0.5 to 20.
        warmup, interval, n_snapshots, n_inputs: see `Trajectory`.
        cfl: CFL number of that speed, see `HeldTrajectory`.

    Source:
        Kochkov et al. 2021 (PNAS 118): k = 4, A = 1, mu = 0.1, nu = 1e-3. Times as in Cao et al. 2025 (arXiv
        2405.17211).
    """

    name: ClassVar[str] = "ns_kolmogorov"

    shape: tuple[int, int] = (256, 256)
    viscosity: float = 1e-3
    drag: float = 0.1
    amplitude: float = 1.0
    waves: int = 4
    peak: float = 4.0
    max_speed: float = 5.0
    warmup: float = 4.5
    interval: float = 0.055
    n_snapshots: int = 20
    n_inputs: int = 10
    cfl: float = 0.5

    def __post_init__(self) -> None:
        check_shape(self, axes=2)
        self.check_times()
        check_positive(self, "max_speed", "peak")
        self.check_cfl()
        check_not_negative(self, "viscosity", "drag")
        check_whole(self, "waves")
        if not is_number(self.amplitude):
            raise ValueError(f"amplitude: got {self.amplitude!r}, wanted a number")

    @property
    def grid(self) -> Grid:
        return Grid(self.shape, (2 * math.pi,))

    @property
    def largest_speed(self) -> float:
        return 1.4 * self.max_speed

    def parameters(self) -> dict[str, float | str]:
        return {
            "viscosity": self.viscosity,
            "drag": self.drag,
            "forcing": f"curl of {self.amplitude:g} sin({self.waves} y) along x",
            "initial_vorticity": f"log-normal spectrum, peak {self.peak:g}, largest speed {self.max_speed:g}",
        } | self.solver()

    def flow(self, grid: Grid) -> NavierStokes:
        force = forcing.kolmogorov(grid, self.waves, self.amplitude)
        return NavierStokes(grid, self.viscosity, self.drag, force)

    def __call__(self, key: jax.Array) -> dict[str, Float[Array, "t ..."]]:
        """Vorticity [n_snapshots, x, y]."""
        return self.evolve(self.flow(self.grid), filtered_vorticity(key, self.grid, self.peak, self.max_speed))
