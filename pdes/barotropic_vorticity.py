"""Vorticity on a rotating sphere."""

import dataclasses
import functools
import math
from typing import ClassVar

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Complex, Float

from spectral.grid import Grid

from .equations.base import Equation
from .spherical_harmonics import SphericalHarmonics


@dataclasses.dataclass(frozen=True)
class BarotropicVorticity(Equation):
    """z_t + J(psi, z + 2 Omega mu) = -nu (-Lap)^4 z on the unit sphere that turns once a day, Lap psi = z.

    J(a, b) = a_lambda b_mu - a_mu b_lambda with the longitude lambda and the sine mu of the latitude; the state are the
    coefficients [m, l] of `SphericalHarmonics`, and fields lie on its Gauss grid.

    Args:
        truncation: T, the truncation.
        damping: of the highest degree, nu (T (T + 1))^4, 1 / day.

    Accuracy:
        Free of aliases. A sum of harmonics of one degree l is an exact solution, undamped: a Rossby-Haurwitz wave,
        which moves west by 2 Omega / (l (l + 1)).

    Source: Vallis 2017 (Atmospheric and Oceanic Fluid Dynamics), chapter 6.
    """

    fields: ClassVar[dict[str, tuple[str, str]]] = {"vorticity": ("1/day", "vertical vorticity relative to the planet")}
    degree: ClassVar[int] = 2

    truncation: int
    damping: float = 0.0

    @functools.cached_property
    def harmonics(self) -> SphericalHarmonics:
        """The transform."""
        return SphericalHarmonics(self.truncation)

    @property
    def linear(self) -> Complex[np.ndarray, "m l"]:
        """Damping, and the turning of Rossby waves: -2 Omega psi_lambda = 2 Omega i m / (l (l + 1)) z_lm."""
        eigenvalues = -self.harmonics.laplacian
        largest = self.truncation * (self.truncation + 1.0)
        m = np.arange(self.truncation + 1)[:, None]
        waves = 2 * (2 * np.pi) * 1j * m / np.maximum(eigenvalues, 1.0)
        return (waves - self.damping * (eigenvalues / largest) ** 4) * self.harmonics.inside

    def nonlinear(self, z: Complex[Array, "m l"]) -> Complex[Array, "m l"]:
        """-J(psi, z)."""
        h = self.harmonics
        psi = z * jnp.asarray(-1 / np.maximum(-h.laplacian, 1.0), z.real.dtype)
        along = jnp.asarray(1j * np.arange(self.truncation + 1)[:, None], z.dtype)
        product = h.to_nodes(along * psi) * h.to_nodes(z, slope=True) - h.to_nodes(psi, slope=True) * h.to_nodes(
            along * z
        )
        return -h.to_coefficients(product) * h.inside

    def speed(self, z: Complex[Array, "m l"]) -> Float[Array, "y x"]:
        """|u| on the Gauss grid, radii a day: u = (-(1 - mu^2) psi_mu, psi_lambda) / sqrt(1 - mu^2)."""
        h = self.harmonics
        psi = z * jnp.asarray(-1 / np.maximum(-h.laplacian, 1.0), z.real.dtype)
        along = jnp.asarray(1j * np.arange(self.truncation + 1)[:, None], z.dtype)
        square = jnp.asarray(1 - h.nodes[0][:, None] ** 2, z.real.dtype)
        return jnp.sqrt(square * h.to_nodes(psi, slope=True) ** 2 + h.to_nodes(along * psi) ** 2 / square)

    @property
    def grid(self) -> Grid:  # pyright: ignore[reportIncompatibleVariableOverride]
        """Sizes of the Gauss grid; its latitudes are not quite equally spaced."""
        return Grid((len(self.harmonics.nodes[0]), self.harmonics.longitudes), (math.pi, 2 * math.pi))

    def to_spectral(self, u: Float[Array, "y x"]) -> Complex[Array, "m l"]:
        return self.harmonics.to_coefficients(u)

    def to_physical(self, u_hat: Complex[Array, "m l"]) -> Float[Array, "y x"]:
        return self.harmonics.to_nodes(u_hat)

    def invariants(self, u_hat: Complex[Array, "m l"]) -> dict[str, Float[Array, ""]]:
        """Means over the sphere of |u|^2 / 2 = -psi z / 2 and of z^2 / 2."""
        # Orders above 0 stand for both signs.
        twice = np.where(np.arange(self.truncation + 1) > 0, 2.0, 1.0)[:, None]
        square = jnp.square(u_hat.real) + jnp.square(u_hat.imag)
        eigenvalues = np.maximum(-self.harmonics.laplacian, 1.0)
        return {"energy": jnp.sum(square * (twice / eigenvalues)) / 2, "enstrophy": jnp.sum(square * twice) / 2}
