"""Viscous Burgers flow: velocity at the start -> velocity at T."""

import dataclasses
import math
from fractions import Fraction
from typing import ClassVar

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from spectral.grid import Grid

from ..equations.burgers import Burgers
from ..random_fields import Covariance, gaussian_random_field
from ..steppers import etdrk4, rollout
from .base import FieldInfo, Generator, grid_text
from .checks import check_not_negative, check_positive, check_shape


@dataclasses.dataclass(frozen=True)
class BurgersFlow(Generator):
    """Random velocities on the periodic unit interval, and what becomes of them.

        u_t + (u^2 / 2)_x = nu u_xx,    u(0) ~ N(0, scale (-Lap + tau^2 I)^-alpha), mean-free

    The map is u(0) -> u(T). std u(0) = 0.594. At nu = 0.1 viscosity has the last word: u(1) is close to one wave of
    std 0.003 to 0.02. At nu = 0.01 it is a steep saw tooth of std 0.1 to 0.2, at nu = 0.001 it has fronts.

    The time step is cfl max(dx, nu/U) / U with U = 4.5 std u(0), a bound on the speed, which never grows: waves
    shorter than nu/U are held by viscosity, which the scheme integrates exactly, so a finer grid needs no smaller step.

    Args:
        shape: points of the solver grid, at least 3/2 of what is stored; about 3 / nu where nu < 0.01, for the fronts.
        viscosity: nu.
        final_time: T.
        scale, tau, alpha: of the covariance, amplitudes as in `Covariance`.
        cfl: see above.

    Accuracy:
        Relative L2 error of u(T) against `exact.cole_hopf`: 5e-6 at most of eight samples with the defaults, on any
        grid (the step); 4e-11 at nu = 0.01, and 3e-13 at nu = 0.001 on 3072 points.

    Source:
        Li et al. 2021 (arXiv 2010.08895), section 5.1: nu = 0.1, stored at 256 to 8192 points.
    """

    name: ClassVar[str] = "burgers"
    resolved: ClassVar[Fraction] = Fraction(2, 3)
    inputs: ClassVar[dict[str, tuple[int, ...]]] = {"velocity": (0,)}
    targets: ClassVar[dict[str, tuple[int, ...]]] = {"velocity": (-1,)}

    shape: tuple[int, ...] = (384,)
    viscosity: float = 0.1
    final_time: float = 1.0
    scale: float = 625.0
    tau: float = 5.0
    alpha: float = 2.0
    cfl: float = 0.5

    def __post_init__(self) -> None:
        check_shape(self, axes=1)
        check_positive(self, "viscosity", "final_time", "scale", "alpha", "cfl")
        check_not_negative(self, "tau")

    @property
    def grid(self) -> Grid:
        return Grid(self.shape)

    @property
    def covariance(self) -> Covariance:
        return Covariance(self.scale, self.tau**2, self.alpha)

    @property
    def steps(self) -> int:
        """Time steps to T."""
        grid = self.grid
        variance = (grid.rfft_weights * self.covariance.eigenvalues(grid))[1:].sum()
        speed = 4.5 * float(np.sqrt(variance))
        return math.ceil(self.final_time * speed / (self.cfl * max(grid.spacing[0], self.viscosity / speed)))

    @property
    def fields(self) -> dict[str, FieldInfo]:
        return {"velocity": FieldInfo((0.0, self.final_time), "length/time", "velocity at the start and at T")}

    def parameters(self) -> dict[str, float | str]:
        return {
            "viscosity": self.viscosity,
            "final_time": self.final_time,
            "initial_covariance": f"{self.covariance}, mean-free, E|u_k|^2 = eigenvalue",
            "solver_grid": grid_text(self.grid),
            "dealiasing": "two thirds, before and after",
            "scheme": "ETDRK4",
            "dt": self.final_time / self.steps,
        }

    def flow(self, grid: Grid) -> Burgers:
        return Burgers(grid, self.viscosity)

    def __call__(self, key: jax.Array) -> dict[str, Float[Array, "t ..."]]:
        """Velocity [2, x] at 0 and at T."""
        equation = self.flow(self.grid)
        start = equation.to_spectral(gaussian_random_field(key, self.grid, self.covariance))
        final = rollout(etdrk4(equation, self.final_time / self.steps), start, n_outputs=1, inner_steps=self.steps)
        states = jnp.concatenate([start[None], final])
        return {"velocity": jax.vmap(equation.to_physical)(states)}
