"""Decaying Taylor-Green vortices, exactly."""

import dataclasses
import math
from typing import ClassVar

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from spectral.grid import Grid

from ..equations.navier_stokes import NavierStokes
from .checks import check_not_negative, check_shape, check_whole
from .trajectory import Trajectory


@dataclasses.dataclass(frozen=True)
class NavierStokesTaylorGreen(Trajectory):
    """Arrays of decaying vortices of random number and place on the unit torus: `exact.taylor_green`, shifted.

        w = -2k cos k(x - a) cos k(y - b) exp(-2 nu k^2 t),    k = 2 pi kappa,    kappa = 1, ..., max_waves

    kappa is drawn uniformly, and the vortices lie on (a, b) uniform in the box. Solved by its formula: no time step.

    Args:
        shape: points of the grid, more than twice `max_waves`.
        viscosity: nu.
        max_waves: largest number of periods per side.
        warmup, interval, n_snapshots, n_inputs: see `Trajectory`.

    Accuracy: round-off, on every grid that holds the modes.

    Source:
        Cao et al. 2025 (arXiv 2405.17211): unit torus, nu = 1e-3, from t = 4.5 to 5.5; which kappa is not published.
    """

    name: ClassVar[str] = "ns_taylor_green"
    recorded: ClassVar[dict[str, tuple[str, str]]] = NavierStokes.fields

    shape: tuple[int, int] = (64, 64)
    viscosity: float = 1e-3
    max_waves: int = 10
    warmup: float = 4.5
    interval: float = 0.025
    n_snapshots: int = 41
    n_inputs: int = 1

    def __post_init__(self) -> None:
        check_shape(self, axes=2)
        self.check_times()
        check_not_negative(self, "viscosity")
        check_whole(self, "max_waves")
        if self.max_waves >= min(self.shape) / 2:
            raise ValueError(
                f"max_waves: got {self.max_waves} on {self.shape} points, wanted less than half the points of every "
                "side; take a finer grid or fewer waves"
            )

    @property
    def grid(self) -> Grid:
        return Grid(self.shape)

    def parameters(self) -> dict[str, float | str]:
        return {
            "viscosity": self.viscosity,
            "drag": 0.0,
            "initial_vorticity": f"Taylor-Green, 1 to {self.max_waves} waves per side, shifted at random",
            "scheme": "exact",
        }

    def flow(self, grid: Grid) -> NavierStokes:
        return NavierStokes(grid, self.viscosity)

    def __call__(self, key: jax.Array) -> dict[str, Float[Array, "t ..."]]:
        """Vorticity [n_snapshots, x, y]."""
        of_waves, of_shift = jax.random.split(key)
        k = 2 * math.pi * jax.random.randint(of_waves, (), 1, self.max_waves + 1)
        a, b = jax.random.uniform(of_shift, (2,))
        x, y = self.grid.points
        vortices = -2 * k * jnp.cos(k * (x - a))[:, None] * jnp.cos(k * (y - b))[None]
        times = np.array(self.fields["vorticity"].times)
        decay = jnp.exp(-2 * self.viscosity * k**2 * times)
        return {"vorticity": decay[:, None, None] * vortices[None]}
