"""Snapshots of a flow in whose time step nothing crosses more than a given share of a cell."""

import abc
import math
from fractions import Fraction
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
from jaxtyping import Array, Complex, Float

from .base import grid_text
from .checks import check_positive
from .trajectory import Trajectory


class HeldTrajectory(Trajectory):
    """A `Trajectory` by a time step for the largest speed expected, in which the flow itself is held to one cell.

    The step is the largest in which `largest_speed` crosses at most `cfl` cells, so the flow may be 1 / `cfl` times as
    fast. A sample in which more than a cell is crossed at any snapshot is not a number: `data.generation` then stops
    and names it, and a smaller `cfl` lets it through.
    """

    cfl: float

    resolved: ClassVar[Fraction] = Fraction(2, 3)
    limit: ClassVar[float] = 1.0
    remedy: ClassVar[str] = "lower pde.cfl"

    @property
    @abc.abstractmethod
    def largest_speed(self) -> float:
        """Bound on what moves along any axis."""

    @abc.abstractmethod
    def cfl_numbers(self, equation: Any, states: Complex[Array, "t ..."], dt: float) -> Float[Array, "t"]:
        """The most cells that are crossed in a step, at every snapshot."""

    def check_cfl(self) -> None:
        """Raises ValueError for a CFL number with which no sample would be let through."""
        check_positive(self, "cfl")
        if self.cfl > self.limit:
            raise ValueError(f"cfl: got {self.cfl}, wanted at most {self.limit:g}, to which samples are held")

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

    def evolve(self, equation: Any, start: Float[Array, "..."]) -> dict[str, Float[Array, "t ..."]]:
        """Every field, [n_snapshots, *space], of the trajectory from its fields at the start."""
        states = self.record(equation, equation.to_spectral(start), self.steps)
        cfl = self.cfl_numbers(equation, states, self.interval / self.steps(self.interval))
        values = jax.vmap(equation.to_physical)(jnp.where(jnp.max(cfl) <= self.limit, states, jnp.nan))
        names = list(self.recorded)
        return {name: values[:, i] for i, name in enumerate(names)} if len(names) > 1 else {names[0]: values}
