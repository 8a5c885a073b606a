"""The viscous Burgers equation on a periodic interval."""

import dataclasses
import functools
from typing import ClassVar

import numpy as np
from jaxtyping import Array, Complex, Float

from spectral.derivatives import derivative
from spectral.grid import Grid
from spectral.norms import inner_product

from .real_fields import RealFields


@dataclasses.dataclass(frozen=True)
class Burgers(RealFields):
    """Velocity that carries itself, with viscosity, in conservative form.

        u_t + (u^2 / 2)_x = nu u_xx

    Linear symbol: -nu k^2. The square is free of aliases: only |m| < N/3 is kept, before and after, so what remains
    is the Galerkin truncation, in which the nonlinear term conserves the mean and the energy. The mean may be
    anything: it moves the whole solution.

    Args:
        grid: one axis, any size and length.
        viscosity: nu, length^2 / time.

    Raises:
        ValueError: for a grid that is not one-dimensional, or a negative viscosity.

    Accuracy:
        Spectral in space where the fronts are resolved. A front between speeds that differ by D is 4 nu / D wide, and
        its amplitudes fall as exp(-2 pi nu |k| / D).
    """

    fields: ClassVar[dict[str, tuple[str, str]]] = {"velocity": ("length/time", "velocity")}
    degree: ClassVar[int] = 2

    grid: Grid
    viscosity: float

    def __post_init__(self) -> None:
        if self.grid.ndim != 1:
            raise ValueError(f"grid: got {self.grid.ndim} axes, wanted 1")
        if self.viscosity < 0:
            raise ValueError(f"viscosity: got {self.viscosity}, wanted a number >= 0")

    @functools.cached_property
    def linear(self) -> np.ndarray:  # pyright: ignore[reportIncompatibleVariableOverride]
        """-nu k^2, 1 / time."""
        return -self.viscosity * self.grid.wavenumber_squared

    def nonlinear(self, u_hat: Complex[Array, "kx"]) -> Complex[Array, "kx"]:
        """-(u^2 / 2)_x of a velocity spectrum."""
        u = self.to_physical(u_hat)
        return derivative(self.to_spectral(-0.5 * u * u), self.grid, 0)

    def transport_velocity(self, u_hat: Complex[Array, "kx"]) -> Float[Array, "1 x"]:
        """u itself."""
        return self.to_physical(u_hat)[None]

    def invariants(self, u_hat: Complex[Array, "kx"]) -> dict[str, Float[Array, ""]]:
        """Mean velocity, and energy mean(u^2) / 2."""
        return {"mean": u_hat[0].real, "energy": 0.5 / self.grid.volume * inner_product(u_hat, u_hat, self.grid)}
