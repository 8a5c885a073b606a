"""Decaying two-dimensional turbulence: past vorticity -> future vorticity."""

import dataclasses
import math
from fractions import Fraction
from typing import ClassVar, Literal

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from spectral.grid import Grid

from ..equations.navier_stokes import NavierStokes
from ..initial import mcwilliams
from ..steppers import etdrk4, rollout
from .base import FieldInfo, Generator, grid_text


@dataclasses.dataclass(frozen=True)
class NavierStokesDecaying(Generator):
    """McWilliams' decaying turbulence on the torus [0, 2 pi)^2, recorded at equal intervals after a warm-up.

        w_t + u . grad w = nu Lap w,    w(0) from `initial.mcwilliams`

    The map is the first `n_inputs` snapshots -> the others. Snapshot i is at warmup + i interval, i = 0, 1, ...

    Args:
        shape: points of the solver grid, at least 3/2 of what is stored.
        viscosity: nu.
        energy: mean(|u|^2)/2 at the start.
        convention: "1984" or "torch_cfd", see `initial.mcwilliams`.
        peak: wavenumber of the most energetic modes.
        warmup: time of the first snapshot, positive.
        interval: time between two snapshots.
        n_snapshots: snapshots in all.
        n_inputs: how many of them are inputs.
        cfl: largest CFL number, for speeds up to 4.5 sqrt(energy): 4.5 standard deviations of each component.

    Source:
        McWilliams 1984 (J. Fluid Mech. 146). Cao et al. 2025 (arXiv 2405.17211) take convention="torch_cfd",
        energy=0.25 on 256 x 256 points, and smooth snapshots over cells where we cut their Fourier series.
    """

    name: ClassVar[str] = "ns_decaying"
    resolved: ClassVar[Fraction] = Fraction(2, 3)

    shape: tuple[int, int] = (256, 256)
    viscosity: float = 1e-3
    energy: float = 0.5
    convention: Literal["1984", "torch_cfd"] = "1984"
    peak: float = 4.0
    warmup: float = 4.5
    interval: float = 0.055
    n_snapshots: int = 20
    n_inputs: int = 10
    cfl: float = 0.5

    def __post_init__(self) -> None:
        object.__setattr__(self, "shape", tuple(self.shape))
        if not 0 < self.n_inputs < self.n_snapshots:
            raise ValueError(
                f"n_inputs: got {self.n_inputs} of n_snapshots {self.n_snapshots}, "
                f"wanted 1 to {self.n_snapshots - 1}, so that a snapshot is left to predict"
            )
        if min(self.warmup, self.interval, self.cfl) <= 0:
            raise ValueError(
                f"warmup, interval, cfl: got {self.warmup}, {self.interval}, {self.cfl}, wanted positive numbers"
            )

    @property
    def grid(self) -> Grid:
        return Grid(self.shape, (2 * math.pi,))

    def steps(self, duration: float) -> int:
        """Time steps that cover a duration at the CFL number."""
        return math.ceil(duration * 4.5 * math.sqrt(self.energy) / (self.cfl * min(self.grid.spacing)))

    @property
    def fields(self) -> dict[str, FieldInfo]:
        times = tuple(self.warmup + i * self.interval for i in range(self.n_snapshots))
        return {"vorticity": FieldInfo(times, "1/time", "vorticity d_x u_y - d_y u_x")}

    @property
    def inputs(self) -> dict[str, tuple[int, ...]]:
        return {"vorticity": tuple(range(self.n_inputs))}

    @property
    def targets(self) -> dict[str, tuple[int, ...]]:
        return {"vorticity": tuple(range(self.n_inputs, self.n_snapshots))}

    def parameters(self) -> dict[str, float | str]:
        return {
            "viscosity": self.viscosity,
            "drag": 0.0,
            "energy": self.energy,
            "initial_vorticity": f"McWilliams, {self.convention} convention, peak {self.peak:g}",
            "solver_grid": grid_text(self.grid),
            "dealiasing": "two thirds, before and after",
            "scheme": "ETDRK4",
            "dt": self.interval / self.steps(self.interval),
        }

    def __call__(self, key: jax.Array) -> dict[str, Float[Array, "t ..."]]:
        """Vorticity [n_snapshots, x, y]."""
        equation = NavierStokes(self.grid, self.viscosity)
        start = equation.to_spectral(mcwilliams(key, self.grid, self.peak, self.energy, self.convention))
        warm, inner = self.steps(self.warmup), self.steps(self.interval)
        first = rollout(etdrk4(equation, self.warmup / warm), start, n_outputs=1, inner_steps=warm)[0]
        later = rollout(etdrk4(equation, self.interval / inner), first, self.n_snapshots - 1, inner)
        states = jnp.concatenate([first[None], later])
        return {"vorticity": jax.vmap(equation.to_physical)(states)}
