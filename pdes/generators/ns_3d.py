"""Decaying turbulence in three dimensions: past velocity -> future velocity."""

import dataclasses
import math
from typing import ClassVar

import jax
from jaxtyping import Array, Complex, Float

from spectral.grid import Grid

from .. import diagnostics
from ..equations.navier_stokes_velocity import NavierStokesVelocity
from ..initial import solenoidal_velocity, taylor_green_velocity
from .checks import check_not_negative, check_positive, check_shape
from .held import HeldTrajectory

STARTS = {"random": "solenoidal, peak {:g}", "taylor_green": "vortices of Taylor and Green, moved"}


@dataclasses.dataclass(frozen=True)
class NavierStokes3D(HeldTrajectory):
    """Flow on the torus [0, 2 pi)^3 that breaks up into smaller eddies and decays.

        u_t + w x u + grad (p + |u|^2 / 2) = nu Lap u,    div u = 0,    u(0) from `initial.solenoidal_velocity`
                                                                or `initial.taylor_green_velocity`

    Args:
        shape: points of the solver grid, at least 3/2 of what is stored.
        viscosity: nu.
        start: "random", or "taylor_green": the same vortices for every sample, elsewhere.
        speed: root of mean |u|^2 at the start.
        peak: wavenumber of the most energetic modes of a random start.
        warmup, interval, n_snapshots, n_inputs: see `Trajectory`.
        cfl: CFL number of components of 5 standard deviations at the start, see `HeldTrajectory`.
    """

    name: ClassVar[str] = "ns_3d"

    shape: tuple[int, int, int] = (48, 48, 48)
    viscosity: float = 2e-2
    start: str = "random"
    speed: float = 1.0
    peak: float = 2.0
    warmup: float = 0.0
    interval: float = 0.5
    n_snapshots: int = 5
    n_inputs: int = 1
    cfl: float = 0.75

    def __post_init__(self) -> None:
        check_shape(self, axes=3)
        self.check_times()
        if self.start not in STARTS:
            raise ValueError(f"start: got {self.start!r}, wanted one of {', '.join(STARTS)}")
        check_positive(self, "speed", "peak")
        self.check_cfl()
        check_not_negative(self, "viscosity")

    @property
    def grid(self) -> Grid:
        return Grid(self.shape, (2 * math.pi,))

    @property
    def largest_speed(self) -> float:
        return 5 * self.speed / math.sqrt(3)

    def parameters(self) -> dict[str, float | str]:
        return {
            "viscosity": self.viscosity,
            "start": f"{STARTS[self.start].format(self.peak)}, mean |u|^2 = {self.speed:g}^2",
        } | self.solver()

    def flow(self, grid: Grid) -> NavierStokesVelocity:
        return NavierStokesVelocity(grid, self.viscosity)

    def cfl_numbers(
        self, equation: NavierStokesVelocity, states: Complex[Array, "t ..."], dt: float
    ) -> Float[Array, "t"]:
        velocity = jax.vmap(equation.to_physical, out_axes=1)(states)
        return diagnostics.crossed(velocity, equation.grid, dt)

    def __call__(self, key: jax.Array) -> dict[str, Float[Array, "t ..."]]:
        """The components of the velocity, each [n_snapshots, x, y, z]."""
        if self.start == "taylor_green":
            start = taylor_green_velocity(key, self.grid, self.speed)
        else:
            start = solenoidal_velocity(key, self.grid, self.peak, self.speed)
        return self.evolve(self.flow(self.grid), start)
