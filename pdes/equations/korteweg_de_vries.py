"""The Korteweg-de Vries equation."""

import dataclasses
import functools
from typing import ClassVar

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Complex, Float

from spectral.derivatives import derivative
from spectral.grid import Grid
from spectral.norms import inner_product

from .real_fields import RealFields, check


@dataclasses.dataclass(frozen=True)
class KortewegDeVries(RealFields):
    """Waves on shallow water: steepening against dispersion, with solitons that pass through each other.

        u_t + 6 u u_x + d u_xxx = 0

    Linear symbol: i d k^3.

    Args:
        grid: one axis.
        dispersion: d, length^3 / time.

    Source:
        Gardner, Greene, Kruskal and Miura 1967 (Phys. Rev. Lett. 19), for the factor 6.
    """

    fields: ClassVar[dict[str, tuple[str, str]]] = {"height": ("length/time", "elevation as a speed")}
    degree: ClassVar[int] = 2

    grid: Grid
    dispersion: float = 1.0

    def __post_init__(self) -> None:
        check((1,), self.grid, dispersion=self.dispersion)

    @functools.cached_property
    def linear(self) -> np.ndarray:  # pyright: ignore[reportIncompatibleVariableOverride]
        """i d k^3, 1 / time."""
        return 1j * self.dispersion * self.grid.derivative_wavenumbers[0] ** 3

    def nonlinear(self, u_hat: Complex[Array, "kx"]) -> Complex[Array, "kx"]:
        """-3 (u^2)_x."""
        u = self.to_physical(u_hat)
        return derivative(self.to_spectral(-3 * u * u), self.grid, 0)

    def transport_velocity(self, u_hat: Complex[Array, "kx"]) -> Float[Array, "1 x"]:
        """6 u."""
        return 6 * self.to_physical(u_hat)[None]

    def invariants(self, u_hat: Complex[Array, "kx"]) -> dict[str, Float[Array, ""]]:
        """Mass, momentum mean(u^2)/2, and energy mean(d u_x^2 / 2 - u^3)."""
        square = inner_product(u_hat, u_hat, self.grid) / self.grid.volume
        slopes = inner_product(u_hat, u_hat, self.grid, 1, alpha=0.0) / self.grid.volume
        cube = jnp.mean(self.to_physical(u_hat) ** 3)
        return {"mass": u_hat[0].real, "momentum": square / 2, "energy": self.dispersion * slopes / 2 - cube}
