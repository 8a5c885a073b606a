"""Random forcing -> vorticity of two-dimensional Navier-Stokes: the benchmark of the tensorised neural operators."""

import dataclasses
import math
from collections.abc import Mapping
from fractions import Fraction
from typing import ClassVar

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from spectral.grid import Grid

from ..equations.navier_stokes import NavierStokes
from ..random_fields import Covariance, gaussian_random_field
from ..steppers import etdrk4, rollout
from .base import FieldInfo, Generator, grid_text
from .checks import check_not_negative, check_positive, check_shape


@dataclasses.dataclass(frozen=True)
class NavierStokesForcing(Generator):
    """A fluid at rest on the torus [0, 2 pi)^2, stirred by a random forcing that is constant in time.

        w_t + u . grad w = (1/Re) Lap w + f,    w(0) = 0,    f ~ N(0, scale (-Lap + tau^2 I)^-alpha), mean-free

    The map is f -> w(T). With the defaults std f = 0.186 and std w = 0.84 over the ensemble, and the largest |u_i|
    of a sample at T is 1.1 in the median and 2.1 in a thousand.

    The time step comes from a bound on the speed. Started from rest, the flow first follows u = t u_f with u_f the
    velocity of the forcing, and it stays below: |u_i| <= 4.5 t std(u_f,i) held in every one of 768 samples, and was
    nearly reached. So dt = cfl dx / (4.5 T std(u_f,i)), rounded down to a whole number of steps; at cfl = 1 the fastest
    mode of the fastest sample is at the edge of stability of the scheme, and only at the end.

    Args:
        shape: points of the solver grid, at least 3/2 of what is stored so that every stored mode is solved for.
        reynolds: Re; viscosity = 1 / Re.
        final_time: T.
        scale, tau, alpha: of the covariance, amplitudes as in `Covariance`.
        cfl: largest CFL number.

    Accuracy:
        Relative L2 error of w(T) at 64 x 64 points, against 256 x 256 points and half the step: 2e-5 at most of eight
        samples from the default solver grid, all of it from space, and 1.3e-7 from 192 x 192; 1e-3 from 96 x 96.

    Source:
        Kossaifi et al. 2023 (arXiv 2310.00120); its generator is not published, so the covariance is
        taken literally, and the solver is ours.
    """

    name: ClassVar[str] = "ns_forcing"
    resolved: ClassVar[Fraction] = Fraction(2, 3)
    inputs: ClassVar[dict[str, tuple[int, ...]]] = {"forcing": (0,)}
    targets: ClassVar[dict[str, tuple[int, ...]]] = {"vorticity": (-1,)}

    shape: tuple[int, int] = (128, 128)
    reynolds: float = 500.0
    final_time: float = 5.0
    scale: float = 27.0
    tau: float = 3.0
    alpha: float = 4.0
    cfl: float = 1.0

    def __post_init__(self) -> None:
        check_shape(self, axes=2)
        check_positive(self, "reynolds", "final_time", "scale", "alpha", "cfl")
        check_not_negative(self, "tau")

    @property
    def grid(self) -> Grid:
        return Grid(self.shape, (2 * math.pi,))

    @property
    def covariance(self) -> Covariance:
        return Covariance(self.scale, self.tau**2, self.alpha)

    @property
    def steps(self) -> int:
        """Time steps to T."""
        grid = self.grid
        # Velocity amplitudes of the forcing are f_hat / |k|, half of their energy in each component.
        energy = grid.rfft_weights * self.covariance.eigenvalues(grid) * grid.inverse_wavenumber_squared
        speed = 4.5 * self.final_time * np.sqrt(energy.sum() / 2)
        return math.ceil(self.final_time * speed / (self.cfl * min(grid.spacing)))

    @property
    def fields(self) -> dict[str, FieldInfo]:
        return {
            "forcing": FieldInfo((0.0,), "1/time^2", "forcing of the vorticity, constant in time"),
            "vorticity": FieldInfo((self.final_time,), "1/time", "vorticity d_x u_y - d_y u_x at T"),
        }

    def parameters(self) -> dict[str, float | str]:
        return {
            "reynolds": self.reynolds,
            "viscosity": 1 / self.reynolds,
            "drag": 0.0,
            "final_time": self.final_time,
            "initial_vorticity": 0.0,
            "forcing_covariance": f"{self.covariance}, mean-free, E|f_k|^2 = eigenvalue",
            "solver_grid": grid_text(self.grid),
            "dealiasing": "two thirds, before and after",
            "scheme": "ETDRK4",
            "dt": self.final_time / self.steps,
        }

    def __call__(self, key: jax.Array) -> dict[str, Float[Array, "t ..."]]:
        """Forcing and final vorticity, each [1, x, y]."""
        forcing = gaussian_random_field(key, self.grid, self.covariance)[None]
        return {"forcing": forcing, **self.solve({"forcing": forcing}, self.grid)}

    def solve(self, given: Mapping[str, Float[Array, "t ..."]], grid: Grid) -> dict[str, Float[Array, "t ..."]]:
        """The vorticity at T that a forcing [1, x, y] stirs up from rest."""
        forcing = given["forcing"][0]
        equation = NavierStokes(grid, 1 / self.reynolds, forcing=forcing)
        step = etdrk4(equation, self.final_time / self.steps)
        rest = equation.to_spectral(jnp.zeros_like(forcing))
        final = rollout(step, rest, n_outputs=1, inner_steps=self.steps)[0]
        return {"vorticity": equation.to_physical(final)[None]}
