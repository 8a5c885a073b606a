"""The rotating shallow-water equations on a periodic rectangle."""

import dataclasses
import functools
from typing import ClassVar

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Complex, Float

from spectral.derivatives import curl, divergence, gradient, inverse_laplacian
from spectral.grid import Grid

from .real_fields import RealFields, check


@dataclasses.dataclass(frozen=True)
class ShallowWater(RealFields):
    """A thin layer of rotating water: vortices, and waves that gravity and rotation drive.

        h_t + div (h u) = 0,    u_t + (zeta + f) k x u + grad (g h + |u|^2 / 2) = nu Lap u

    with zeta = d_x u_y - d_y u_x and k x u = (-u_y, u_x). The mean of h is the depth at rest, H. Small waves on it have
    frequencies sqrt(f^2 + g H |k|^2), which are not stiff next to the flow and are stepped with it: linear symbols are
    0 for the height and -nu |k|^2 for the velocity. Products are of two factors, so that |m| < N/3 is kept.

    Args:
        grid: two axes.
        gravity: g, length / time^2.
        coriolis: f, 1 / time, twice the rate of rotation.
        viscosity: nu, length^2 / time.

    Raises:
        ValueError: for a grid that is not two-dimensional, a gravity that is not positive, a negative viscosity.

    Accuracy:
        Mass is conserved to round-off. Energy is of third degree and potential enstrophy no polynomial: the truncation
        conserves them up to what the grid leaves unresolved, which falls faster than any power of 1/N. Waves without
        viscosity steepen until the grid fails.

    Source:
        Vallis 2017 (Atmospheric and Oceanic Fluid Dynamics), chapter 3, in the vector-invariant form.
    """

    fields: ClassVar[dict[str, tuple[str, str]]] = {
        "height": ("length", "depth of the water"),
        "velocity_x": ("length/time", "velocity along x"),
        "velocity_y": ("length/time", "velocity along y"),
    }
    degree: ClassVar[int] = 2

    grid: Grid
    gravity: float = 1.0
    coriolis: float = 0.0
    viscosity: float = 0.0

    def __post_init__(self) -> None:
        check((2,), self.grid, gravity=self.gravity)
        if self.viscosity < 0:
            raise ValueError(f"viscosity: got {self.viscosity}, wanted a number >= 0")

    @functools.cached_property
    def linear(self) -> np.ndarray:  # pyright: ignore[reportIncompatibleVariableOverride]
        """0 and twice -nu |k|^2, 1 / time."""
        decay = -self.viscosity * self.grid.wavenumber_squared
        return np.stack([np.zeros_like(decay), decay, decay])

    def nonlinear(self, u_hat: Complex[Array, "3 kx ky"]) -> Complex[Array, "3 kx ky"]:
        """Everything but viscosity, the waves included."""
        h, ux, uy, zeta = self._with_spin(u_hat)
        hu_x, hu_y, head = self.to_spectral(jnp.stack([h * ux, h * uy, self.gravity * h + (ux * ux + uy * uy) / 2]))
        turned = self._turned(ux, uy, zeta)
        slope = gradient(head, self.grid)
        return jnp.stack([-divergence((hu_x, hu_y), self.grid), turned[0] - slope[0], turned[1] - slope[1]])

    def balanced(self, velocity: Float[Array, "2 x y"], depth: float) -> Float[Array, "3 x y"]:
        """The fields of a velocity without divergence, with the height at which it stays so to first order in time.

            Lap (g h) = -div ((zeta + f) k x u) - Lap |u|^2 / 2,    mean h = depth,

        the rate of change of div u set to zero: Charney's balance, and the geostrophic one where the flow is slow.

        Args:
            velocity: u.
            depth: H.
        """
        still = jnp.zeros_like(velocity[:1])
        _, ux, uy, zeta = self._with_spin(self.to_spectral(jnp.concatenate([still, velocity])))
        pull = inverse_laplacian(divergence(self._turned(ux, uy, zeta), self.grid), self.grid)
        height = self.to_physical(pull - self.to_spectral((ux * ux + uy * uy) / 2)) / self.gravity
        return jnp.stack([height + (depth - jnp.mean(height)), ux, uy])

    def invariants(self, u_hat: Complex[Array, "3 kx ky"]) -> dict[str, Float[Array, ""]]:
        """Mass mean h, energy mean(h |u|^2 + g h^2) / 2, potential enstrophy mean((zeta + f)^2 / h) / 2."""
        h, ux, uy, zeta = self._with_spin(u_hat)
        return {
            "mass": u_hat[0, 0, 0].real,
            "energy": jnp.mean(h * (ux * ux + uy * uy) + self.gravity * h * h) / 2,
            "potential enstrophy": jnp.mean((zeta + self.coriolis) ** 2 / h) / 2,
        }

    def _with_spin(self, u_hat: jax.Array) -> jax.Array:
        """h, u and zeta on the grid."""
        spin = jnp.asarray(curl((u_hat[1], u_hat[2]), self.grid))
        return self.to_physical(jnp.concatenate([u_hat, spin[None]]))

    def _turned(self, ux: jax.Array, uy: jax.Array, zeta: jax.Array) -> tuple[jax.Array, jax.Array]:
        """-(zeta + f) k x u."""
        absolute = zeta + self.coriolis
        along_x, along_y = self.to_spectral(jnp.stack([absolute * uy, -absolute * ux]))
        return along_x, along_y
