"""Snapshots of a vorticity: what the generators of plane Navier-Stokes trajectories share."""

from typing import ClassVar

from jaxtyping import Array, Complex, Float

from .. import diagnostics
from ..equations.navier_stokes import NavierStokes
from .held import HeldTrajectory


class VorticityTrajectory(HeldTrajectory):
    """A `HeldTrajectory` of w_t + u . grad w = nu Lap w - mu w + f."""

    recorded: ClassVar[dict[str, tuple[str, str]]] = NavierStokes.fields

    def cfl_numbers(self, equation: NavierStokes, states: Complex[Array, "t kx ky"], dt: float) -> Float[Array, "t"]:
        return diagnostics.cfl(states, equation.grid, dt)
