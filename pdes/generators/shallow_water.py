"""Rotating shallow water from a balanced start: past snapshots -> future snapshots."""

import dataclasses
import math
from typing import ClassVar

import jax
import jax.numpy as jnp
from jaxtyping import Array, Complex, Float

from spectral.grid import Grid

from .. import diagnostics
from ..equations.shallow_water import ShallowWater
from ..initial import solenoidal_velocity
from .checks import check_not_negative, check_positive, check_shape, is_number
from .held import HeldTrajectory


@dataclasses.dataclass(frozen=True)
class ShallowWaterFlow(HeldTrajectory):
    """Vortices of rotating shallow water on [0, 2 pi)^2, from a random flow whose height is in balance with it.

        `ShallowWater`,    u(0) from `initial.solenoidal_velocity`,    h(0) from `ShallowWater.balanced`

    so that waves are what the flow sends out, not a noise of the start. The defaults' numbers are: Froude
    U / sqrt(g H) = 0.1, Rossby U k0 / f = 0.1.

    Args:
        shape: points of the solver grid, at least 3/2 of what is stored.
        gravity, coriolis, viscosity: g, f and nu.
        depth: H, mean height.
        peak: k0, wavenumber at which the start's spectrum peaks.
        speed: U, root of the mean square of the start's velocity.
        warmup, interval, n_snapshots, n_inputs: see `Trajectory`.
        cfl: CFL number of waves on 3/2 of the depth and components of 4.5 standard deviations at the start, see
            `HeldTrajectory`; what moves is |u_i| + sqrt(g h). A sample that falls dry is not a number.
    """

    name: ClassVar[str] = "shallow_water"
    recorded: ClassVar[dict[str, tuple[str, str]]] = ShallowWater.fields

    shape: tuple[int, int] = (96, 96)
    gravity: float = 1.0
    coriolis: float = 4.0
    viscosity: float = 1e-3
    depth: float = 1.0
    peak: float = 4.0
    speed: float = 0.1
    warmup: float = 0.0
    interval: float = 2.0
    n_snapshots: int = 11
    n_inputs: int = 1
    cfl: float = 0.5

    def __post_init__(self) -> None:
        check_shape(self, axes=2)
        self.check_times()
        check_positive(self, "gravity", "depth", "peak", "speed")
        self.check_cfl()
        check_not_negative(self, "viscosity")
        if not is_number(self.coriolis):
            raise ValueError(f"coriolis: got {self.coriolis!r}, wanted a number")

    @property
    def grid(self) -> Grid:
        return Grid(self.shape, (2 * math.pi,))

    @property
    def largest_speed(self) -> float:
        return 4.5 / math.sqrt(2) * self.speed + math.sqrt(1.5 * self.gravity * self.depth)

    def parameters(self) -> dict[str, float | str]:
        return {
            "gravity": self.gravity,
            "coriolis": self.coriolis,
            "viscosity": self.viscosity,
            "depth": self.depth,
            "start": f"solenoidal, peak {self.peak:g}, mean |u|^2 = {self.speed:g}^2, height in balance",
        } | self.solver()

    def flow(self, grid: Grid) -> ShallowWater:
        return ShallowWater(grid, self.gravity, self.coriolis, self.viscosity)

    def cfl_numbers(self, equation: ShallowWater, states: Complex[Array, "t ..."], dt: float) -> Float[Array, "t"]:
        h, *velocity = jnp.moveaxis(jax.vmap(equation.to_physical)(states), 1, 0)
        waves = jnp.sqrt(self.gravity * jnp.where(h > 0, h, jnp.inf))
        return diagnostics.crossed(jnp.stack([jnp.abs(u) + waves for u in velocity]), equation.grid, dt)

    def __call__(self, key: jax.Array) -> dict[str, Float[Array, "t ..."]]:
        """Height and velocity, each [n_snapshots, x, y]."""
        equation = self.flow(self.grid)
        velocity = solenoidal_velocity(key, self.grid, self.peak, self.speed)
        return self.evolve(equation, equation.balanced(velocity, self.depth))
