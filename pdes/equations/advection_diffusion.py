"""Advection and diffusion at constant coefficients: the linear transport equations."""

import dataclasses
import functools
from typing import ClassVar

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Complex, Float

from spectral.grid import Grid
from spectral.norms import inner_product

from .real_fields import RealFields, check


@dataclasses.dataclass(frozen=True)
class AdvectionDiffusion(RealFields):
    """A concentration that a uniform flow carries while it spreads.

        u_t + c . grad u = D Lap u

    Linear symbol: -i c . k - D |k|^2, and no other term, so that `etdrk4` is exact at any time step. D = 0 is the
    advection equation, c = 0 the heat equation.

    Args:
        grid: one to three axes.
        velocity: c, length / time, one number per axis.
        diffusivity: D, length^2 / time.

    Raises:
        ValueError: for another number of velocities, or a negative diffusivity.
    """

    fields: ClassVar[dict[str, tuple[str, str]]] = {"concentration": ("1", "concentration")}
    degree: ClassVar[int] = 1

    grid: Grid
    velocity: tuple[float, ...]
    diffusivity: float = 0.0

    def __post_init__(self) -> None:
        check((1, 2, 3), self.grid)
        if len(self.velocity) != self.grid.ndim or self.diffusivity < 0:
            raise ValueError(
                f"velocity, diffusivity: got {self.velocity}, {self.diffusivity}, "
                f"wanted {self.grid.ndim} numbers and one >= 0"
            )

    @functools.cached_property
    def linear(self) -> np.ndarray:  # pyright: ignore[reportIncompatibleVariableOverride]
        """-i c . k - D |k|^2, 1 / time."""
        k = self.grid.derivative_wavenumbers
        transport = sum(c * kj for c, kj in zip(self.velocity, k, strict=True))
        return -1j * transport - self.diffusivity * self.grid.wavenumber_squared

    def nonlinear(self, u_hat: Complex[Array, "*k"]) -> Complex[Array, "*k"]:
        """Zero."""
        return jnp.zeros_like(u_hat)

    def invariants(self, u_hat: Complex[Array, "*k"]) -> dict[str, Float[Array, ""]]:
        """Mean, and half the mean square."""
        return {
            "mean": u_hat.ravel()[0].real,
            "energy": 0.5 / self.grid.volume * inner_product(u_hat, u_hat, self.grid),
        }
