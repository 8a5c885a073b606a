"""Smoke that a random flow carries, and that lifts it: past frames -> future frames."""

import dataclasses
import math

import jax
import jax.numpy as jnp
from jaxtyping import Array, Complex, Float

from spectral.grid import Grid

from .. import diagnostics
from ..equations.boussinesq import Boussinesq
from ..initial import blobs, solenoidal_velocity
from .checks import check_not_negative, check_positive, check_shape, check_whole
from .held import HeldTrajectory


@dataclasses.dataclass(frozen=True)
class Smoke(HeldTrajectory):
    """Clouds of light smoke in a random flow on the torus [0, 2 pi)^2 or [0, 2 pi)^3; up is the last axis.

        `Boussinesq`,    s(0) from `initial.blobs`,    u(0) from `initial.solenoidal_velocity`

    The default map is from frames of the smoke alone to later frames of it, as a camera would see them; the velocity is
    stored too, and `inputs` and `targets` of a data config may name it.

    Args:
        shape: points of the solver grid, at least 3/2 of what is stored; two or three axes.
        viscosity, diffusivity, buoyancy: nu, kappa and b; passive smoke has b = 0.
        clouds: how many of them.
        radius: standard deviation of each, which is 1 in its middle.
        speed: root of mean |u|^2 at the start.
        peak: wavenumber of the most energetic modes of u at the start.
        warmup, interval, n_snapshots, n_inputs: see `Trajectory`.
        cfl: CFL number of components of 4.5 standard deviations at the start and the speed that a cloud gains over a
            few radii, see `HeldTrajectory`.

    Source:
        Smoke between walls is a common task, such as that of Gupta and Brandstetter 2022 (arXiv 2209.15616).
    """

    shape: tuple[int, ...] = (96, 96)
    viscosity: float = 5e-3
    diffusivity: float = 5e-3
    buoyancy: float = 0.5
    clouds: int = 6
    radius: float = 0.4
    speed: float = 0.5
    peak: float = 2.0
    warmup: float = 0.0
    interval: float = 0.5
    n_snapshots: int = 6
    n_inputs: int = 2
    cfl: float = 0.5

    def __post_init__(self) -> None:
        check_shape(self)
        self.check_times()
        check_positive(self, "radius", "speed", "peak")
        self.check_cfl()
        check_not_negative(self, "viscosity", "diffusivity", "buoyancy")
        check_whole(self, "clouds")
        self.flow(self.grid)

    @property
    def name(self) -> str:  # pyright: ignore[reportIncompatibleVariableOverride]
        """ "smoke" or "smoke_3d"."""
        return "smoke" if len(self.shape) == 2 else f"smoke_{len(self.shape)}d"

    @property
    def grid(self) -> Grid:
        return Grid(self.shape, (2 * math.pi,))

    @property
    def inputs(self) -> dict[str, tuple[int, ...]]:
        return {"density": super().inputs["density"]}

    @property
    def targets(self) -> dict[str, tuple[int, ...]]:
        return {"density": super().targets["density"]}

    @property
    def largest_speed(self) -> float:
        return 4.5 * self.speed / math.sqrt(len(self.shape)) + 2 * math.sqrt(self.buoyancy * self.radius)

    def parameters(self) -> dict[str, float | str]:
        return {
            "viscosity": self.viscosity,
            "diffusivity": self.diffusivity,
            "buoyancy": self.buoyancy,
            "start": f"{self.clouds} Gaussian clouds of radius {self.radius:g}; solenoidal velocity, "
            f"peak {self.peak:g}, mean |u|^2 = {self.speed:g}^2",
        } | self.solver()

    def flow(self, grid: Grid) -> Boussinesq:
        return Boussinesq(grid, self.viscosity, self.diffusivity, self.buoyancy)

    def cfl_numbers(self, equation: Boussinesq, states: Complex[Array, "t ..."], dt: float) -> Float[Array, "t"]:
        values = jax.vmap(equation.to_physical, out_axes=1)(states)
        return diagnostics.crossed(values[1:], equation.grid, dt)

    def __call__(self, key: jax.Array) -> dict[str, Float[Array, "t ..."]]:
        """Density and velocity, each [n_snapshots, *space]."""
        of_clouds, of_flow = jax.random.split(key)
        density = blobs(of_clouds, self.grid, self.clouds, self.radius)
        velocity = solenoidal_velocity(of_flow, self.grid, self.peak, self.speed)
        return self.evolve(self.flow(self.grid), jnp.concatenate([density[None], velocity]))
