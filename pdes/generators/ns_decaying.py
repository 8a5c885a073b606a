"""Decaying two-dimensional turbulence: past vorticity -> future vorticity."""

import dataclasses
import math
from typing import ClassVar, Literal, get_args

import jax
from jaxtyping import Array, Float

from spectral.grid import Grid

from ..equations.navier_stokes import NavierStokes
from ..initial import mcwilliams
from .checks import check_not_negative, check_positive, check_shape
from .vorticity import VorticityTrajectory

Convention = Literal["1984", "torch_cfd"]


@dataclasses.dataclass(frozen=True)
class NavierStokesDecaying(VorticityTrajectory):
    """McWilliams' decaying turbulence on the torus [0, 2 pi)^2, recorded at equal intervals after a warm-up.

        w_t + u . grad w = nu Lap w,    w(0) from `initial.mcwilliams`

    The map is the first `n_inputs` snapshots -> the others, see `Trajectory`.

    Args:
        shape: points of the solver grid, at least 3/2 of what is stored.
        viscosity: nu.
        energy: mean(|u|^2)/2 at the start.
        convention: "1984" or "torch_cfd", see `initial.mcwilliams`.
        peak: wavenumber of the most energetic modes.
        warmup, interval, n_snapshots, n_inputs: see `Trajectory`.
        cfl: CFL number of speeds of 4.5 sqrt(energy), 4.5 standard deviations of each component; see `HeldTrajectory`.

    Source:
        McWilliams 1984 (J. Fluid Mech. 146). Cao et al. 2025 (arXiv 2405.17211) take convention="torch_cfd",
        energy=0.25 on 256 x 256 points, and smooth snapshots over cells where we cut their Fourier series.
    """

    name: ClassVar[str] = "ns_decaying"

    shape: tuple[int, int] = (256, 256)
    viscosity: float = 1e-3
    energy: float = 0.5
    convention: Convention = "1984"
    peak: float = 4.0
    warmup: float = 4.5
    interval: float = 0.055
    n_snapshots: int = 20
    n_inputs: int = 10
    cfl: float = 0.5

    def __post_init__(self) -> None:
        check_shape(self, axes=2)
        self.check_times()
        check_positive(self, "energy", "peak")
        self.check_cfl()
        check_not_negative(self, "viscosity")
        if self.convention not in get_args(Convention):
            raise ValueError(f"convention: got {self.convention!r}, wanted one of {', '.join(get_args(Convention))}")

    @property
    def grid(self) -> Grid:
        return Grid(self.shape, (2 * math.pi,))

    @property
    def largest_speed(self) -> float:
        return 4.5 * math.sqrt(self.energy)

    def parameters(self) -> dict[str, float | str]:
        return {
            "viscosity": self.viscosity,
            "drag": 0.0,
            "energy": self.energy,
            "initial_vorticity": f"McWilliams, {self.convention} convention, peak {self.peak:g}",
        } | self.solver()

    def flow(self, grid: Grid) -> NavierStokes:
        return NavierStokes(grid, self.viscosity)

    def __call__(self, key: jax.Array) -> dict[str, Float[Array, "t ..."]]:
        """Vorticity [n_snapshots, x, y]."""
        return self.evolve(self.flow(self.grid), mcwilliams(key, self.grid, self.peak, self.energy, self.convention))
