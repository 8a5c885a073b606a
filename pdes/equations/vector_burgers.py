"""The viscous Burgers equation of a velocity vector."""

import dataclasses
import functools
from typing import ClassVar

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Complex, Float

from spectral.derivatives import gradient
from spectral.grid import Grid

from .real_fields import RealFields, check


@dataclasses.dataclass(frozen=True)
class VectorBurgers(RealFields):
    """A velocity that carries itself, without pressure.

        u_t + (u . grad) u = nu Lap u,    u = (u_x, u_y[, u_z])

    Linear symbol: -nu |k|^2 for every component. A gradient remains one, and is then solved by Cole and Hopf; no
    component ever exceeds its largest value at the start. On one axis see `Burgers`.

    Args:
        grid: two or three axes.
        viscosity: nu, length^2 / time.
    """

    degree: ClassVar[int] = 2

    grid: Grid
    viscosity: float

    def __post_init__(self) -> None:
        check((2, 3), self.grid, viscosity=self.viscosity)

    @property
    def fields(self) -> dict[str, tuple[str, str]]:  # pyright: ignore[reportIncompatibleVariableOverride]
        """One per axis."""
        return {f"velocity_{axis}": ("length/time", f"velocity along {axis}") for axis in "xyz"[: self.grid.ndim]}

    @functools.cached_property
    def linear(self) -> np.ndarray:  # pyright: ignore[reportIncompatibleVariableOverride]
        """-nu |k|^2, 1 / time."""
        return np.stack([-self.viscosity * self.grid.wavenumber_squared] * self.grid.ndim)

    def nonlinear(self, u_hat: Complex[Array, "d *k"]) -> Complex[Array, "d *k"]:
        """-(u . grad) u."""
        u, slopes = self.to_physical(u_hat), self.to_physical(jnp.stack(gradient(u_hat, self.grid)))
        return self.to_spectral(-jnp.einsum("j...,ji...->i...", u, slopes))

    def transport_velocity(self, u_hat: Complex[Array, "d *k"]) -> Float[Array, "d *space"]:
        """u itself."""
        return self.to_physical(u_hat)

    def invariants(self, u_hat: Complex[Array, "d *k"]) -> dict[str, Float[Array, ""]]:
        """None: without pressure nothing quadratic is conserved."""
        return {}
