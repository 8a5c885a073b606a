"""Smoke: a scalar that an incompressible flow carries, and that may lift it, in two or three dimensions."""

import dataclasses
import functools
from typing import ClassVar

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Complex, Float

from spectral.derivatives import divergence, symbol
from spectral.grid import Grid
from spectral.norms import inner_product

from .navier_stokes_velocity import NavierStokesVelocity
from .real_fields import RealFields, check


@dataclasses.dataclass(frozen=True)
class Boussinesq(RealFields):
    """Light smoke in a fluid of one density but for its weight, under the approximation of Boussinesq.

        s_t + u . grad s = kappa Lap s,
        u_t + w x u + grad (p + |u|^2 / 2) = nu Lap u + b (s - mean s) e,    div u = 0,    w = curl u

    with e along the last axis, upwards. The mean weight is what the pressure holds: without that the whole box would
    fall. With b = 0 the smoke is passive. Linear symbols: -kappa |k|^2 and -nu |k|^2. The flow is that of
    `NavierStokesVelocity`, with its mask and projection.

    Args:
        grid: two or three axes.
        viscosity: nu, length^2 / time.
        diffusivity: kappa, length^2 / time.
        buoyancy: b, length / time^2: the acceleration where s = 1.

    Raises:
        ValueError: for one axis, or a negative viscosity or diffusivity.

    Accuracy:
        Without viscosity, diffusivity and buoyancy everything quadratic that the flow conserves is conserved to
        round-off; with buoyancy mass and variance of the smoke still are.
    """

    degree: ClassVar[int] = 2

    grid: Grid
    viscosity: float
    diffusivity: float
    buoyancy: float = 0.0

    def __post_init__(self) -> None:
        check((2, 3), self.grid)
        if not (self.viscosity >= 0 and self.diffusivity >= 0):
            raise ValueError(f"viscosity, diffusivity: got {self.viscosity}, {self.diffusivity}, wanted numbers >= 0")

    @functools.cached_property
    def flow(self) -> NavierStokesVelocity:
        """The equation of the velocity alone."""
        return NavierStokesVelocity(self.grid, self.viscosity)

    @property
    def fields(self) -> dict[str, tuple[str, str]]:  # pyright: ignore[reportIncompatibleVariableOverride]
        """The smoke and the components of the velocity."""
        return {"density": ("1", "density of the smoke"), **self.flow.fields}

    @functools.cached_property
    def linear(self) -> np.ndarray:  # pyright: ignore[reportIncompatibleVariableOverride]
        """-kappa |k|^2 and -nu |k|^2, 1 / time."""
        return np.concatenate([-self.diffusivity * self.grid.wavenumber_squared[None], self.flow.linear])

    def nonlinear(self, u_hat: Complex[Array, "c *k"]) -> Complex[Array, "c *k"]:
        """-div (u s), and P(u x w + b (s - mean s) e)."""
        velocity, rate = self.flow.advection(u_hat[1:])
        flux = super().to_spectral(self.to_physical(u_hat[:1]) * velocity)
        lifted = rate.at[-1].add(self._lift(u_hat))
        return jnp.concatenate([-divergence(tuple(flux), self.grid)[None], self.flow.project(lifted)])

    def to_spectral(self, u: Float[Array, "c *space"]) -> Complex[Array, "c *k"]:
        """Smoke and velocity on the grid -> masked spectra, the velocity's part without divergence."""
        u_hat = super().to_spectral(u)
        return jnp.concatenate([u_hat[:1], self.flow.project(u_hat[1:])])

    def work(self, u_hat: Complex[Array, "c *k"]) -> Float[Array, ""]:
        """What the smoke does to the flow, b mean((s - mean s) u_up): dE/dt = work - 2 nu Z with E, Z of `flow`."""
        return inner_product(self._lift(u_hat), u_hat[-1], self.grid) / self.grid.volume

    def invariants(self, u_hat: Complex[Array, "c *k"]) -> dict[str, Float[Array, ""]]:
        """Mass mean s, variance mean s^2 / 2; of passive smoke those of the flow too."""
        s_hat = u_hat[0]
        own = {"mass": s_hat.ravel()[0].real, "variance": inner_product(s_hat, s_hat, self.grid) / 2 / self.grid.volume}
        return own if self.buoyancy else own | self.flow.invariants(u_hat[1:])

    def _lift(self, u_hat: jax.Array) -> jax.Array:
        lift = self.buoyancy * (self.grid.wavenumber_squared > 0)
        return symbol(lift, u_hat[0]) * u_hat[0]
