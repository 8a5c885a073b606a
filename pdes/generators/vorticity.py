"""Snapshots of a vorticity: what the generators of plane Navier-Stokes trajectories share."""

import abc
import math
from fractions import Fraction
from typing import ClassVar

import jax
import jax.numpy as jnp
from jaxtyping import Array, Complex, Float

from .. import diagnostics
from ..equations.navier_stokes import NavierStokes
from .base import grid_text
from .trajectory import Trajectory


class VorticityTrajectory(Trajectory):
    """A `Trajectory` of w_t + u . grad w = nu Lap w - mu w + f, with a time step for the largest speed expected.

    The step is the largest in which a fluid of `largest_speed` crosses at most `cfl` cells; the flow itself is held to
    that at every snapshot, and a sample that exceeds it is not a number: `data.generation` then stops and names it.
    """

    cfl: float

    resolved: ClassVar[Fraction] = Fraction(2, 3)
    recorded: ClassVar[dict[str, tuple[str, str]]] = NavierStokes.fields

    @property
    @abc.abstractmethod
    def largest_speed(self) -> float:
        """Bound on each component of the velocity."""

    def steps(self, duration: float) -> int:
        """Time steps that cover a duration at the CFL number."""
        return math.ceil(duration * self.largest_speed / (self.cfl * min(self.grid.spacing)))

    def solver(self) -> dict[str, float | str]:
        """The part of `parameters` that says how the equation is solved."""
        return {
            "solver_grid": grid_text(self.grid),
            "dealiasing": "two thirds, before and after",
            "scheme": "ETDRK4",
            "dt": self.interval / self.steps(self.interval),
        }

    def evolve(self, equation: NavierStokes, start: Float[Array, "x y"]) -> dict[str, Float[Array, "t ..."]]:
        """The vorticity [n_snapshots, x, y] that follows from one at the start."""
        states: Complex[Array, "t kx ky"] = self.record(equation, equation.to_spectral(start), self.steps)
        cfl = diagnostics.cfl(states, self.grid, self.interval / self.steps(self.interval))
        kept = jnp.where(jnp.max(cfl) <= self.cfl, states, jnp.nan)
        return {"vorticity": jax.vmap(equation.to_physical)(kept)}
