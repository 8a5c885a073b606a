"""Incompressible Navier-Stokes for the velocity on a periodic box of two or three axes."""

import dataclasses
import functools
from typing import ClassVar

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Complex, Float

from spectral.derivatives import curl, leray_projection
from spectral.grid import Grid
from spectral.norms import inner_product

from .real_fields import RealFields, check


@dataclasses.dataclass(frozen=True)
class NavierStokesVelocity(RealFields):
    """A velocity without divergence that carries itself, with viscosity; the pressure is what keeps it so.

        u_t + w x u + grad (p + |u|^2 / 2) = nu Lap u,    div u = 0,    w = curl u

    Linear symbol: -nu |k|^2 for every component. The gradient drops out under the projection onto fields without
    divergence (`leray_projection`), and what remains to evaluate is P(u x w), the rotational form. Only |m| < N/3 is
    kept, before and after, so that energy and helicity, in two dimensions enstrophy, are conserved by the truncation.
    The mean velocity is constant and moves the whole flow. In two dimensions `NavierStokes` is cheaper.

    Args:
        grid: two or three axes.
        viscosity: nu, length^2 / time.

    Raises:
        ValueError: for one axis, or a negative viscosity.

    Source:
        Canuto et al. 2007 (Spectral Methods), section 3.3, on the rotational form.
    """

    degree: ClassVar[int] = 2

    grid: Grid
    viscosity: float

    def __post_init__(self) -> None:
        check((2, 3), self.grid)
        if not self.viscosity >= 0:
            raise ValueError(f"viscosity: got {self.viscosity}, wanted a number >= 0")

    @property
    def fields(self) -> dict[str, tuple[str, str]]:  # pyright: ignore[reportIncompatibleVariableOverride]
        """The components."""
        return {f"velocity_{axis}": ("length/time", f"velocity along {axis}") for axis in "xyz"[: self.grid.ndim]}

    @functools.cached_property
    def linear(self) -> np.ndarray:  # pyright: ignore[reportIncompatibleVariableOverride]
        """-nu |k|^2, 1 / time."""
        return np.stack([-self.viscosity * self.grid.wavenumber_squared] * self.grid.ndim)

    def nonlinear(self, u_hat: Complex[Array, "d *k"]) -> Complex[Array, "d *k"]:
        """P(u x w)."""
        return self.advection(u_hat)[1]

    def advection(self, u_hat: Complex[Array, "d *k"]) -> tuple[Float[Array, "d *space"], Complex[Array, "d *k"]]:
        """Velocity on the grid, and P(u x w)."""
        values = self.to_physical(jnp.concatenate([u_hat, self._vorticity(u_hat)]))
        u, w = values[: self.grid.ndim], values[self.grid.ndim :]
        if self.grid.ndim == 2:
            return u, self.to_spectral(jnp.stack([u[1] * w[0], -u[0] * w[0]]))
        return u, self.to_spectral(jnp.cross(u, w, axis=0))

    def to_spectral(self, u: Float[Array, "d *space"]) -> Complex[Array, "d *k"]:
        """A vector on the grid -> the masked spectrum of its part without divergence."""
        return self.project(super().to_spectral(u))

    def project(self, u_hat: Complex[Array, "d *k"]) -> Complex[Array, "d *k"]:
        """The part without divergence."""
        return jnp.stack(leray_projection(tuple(u_hat), self.grid))

    def energy(self, u_hat: Complex[Array, "d *k"]) -> Float[Array, ""]:
        """E = mean |u|^2 / 2, with dE/dt = -2 nu Z."""
        return self._mean_product(u_hat, u_hat) / 2

    def enstrophy(self, u_hat: Complex[Array, "d *k"]) -> Float[Array, ""]:
        """Z = mean |w|^2 / 2."""
        w_hat = self._vorticity(u_hat)
        return self._mean_product(w_hat, w_hat) / 2

    def invariants(self, u_hat: Complex[Array, "d *k"]) -> dict[str, Float[Array, ""]]:
        """Energy, and helicity mean(u . w), in two dimensions enstrophy."""
        if self.grid.ndim == 2:
            return {"energy": self.energy(u_hat), "enstrophy": self.enstrophy(u_hat)}
        return {"energy": self.energy(u_hat), "helicity": self._mean_product(u_hat, self._vorticity(u_hat))}

    def _vorticity(self, u_hat: jax.Array) -> jax.Array:
        """[3, *k], in two dimensions [1, *k]."""
        w_hat = jnp.asarray(curl(tuple(u_hat), self.grid))
        return w_hat if self.grid.ndim == 3 else w_hat[None]

    def _mean_product(self, a_hat: jax.Array, b_hat: jax.Array) -> jax.Array:
        return jnp.sum(inner_product(a_hat, b_hat, self.grid)) / self.grid.volume
