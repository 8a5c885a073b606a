"""The Allen-Cahn equation."""

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
class AllenCahn(RealFields):
    """Two phases, -1 and 1, that grow at each other's cost until the interfaces are straight.

        u_t = eps^2 Lap u + u - u^3,    dF/dt = -mean(u_t^2),    F = mean(eps^2 |grad u|^2 / 2 + (1 - u^2)^2 / 4)

    Linear symbol: 1 - eps^2 |k|^2. Interfaces are tanh(x / (sqrt 2 eps)).

    Args:
        grid: one to three axes.
        width: eps, length.

    Source:
        Allen and Cahn 1979 (Acta Metall. 27).
    """

    fields: ClassVar[dict[str, tuple[str, str]]] = {"phase": ("1", "order parameter, -1 and 1 in the phases")}
    degree: ClassVar[int] = 3

    grid: Grid
    width: float

    def __post_init__(self) -> None:
        check((1, 2, 3), self.grid, width=self.width)

    @functools.cached_property
    def linear(self) -> np.ndarray:  # pyright: ignore[reportIncompatibleVariableOverride]
        """1 - eps^2 |k|^2, 1 / time."""
        return 1 - self.width**2 * self.grid.wavenumber_squared

    def nonlinear(self, u_hat: Complex[Array, "*k"]) -> Complex[Array, "*k"]:
        """-u^3."""
        return self.to_spectral(-(self.to_physical(u_hat) ** 3))

    def invariants(self, u_hat: Complex[Array, "*k"]) -> dict[str, Float[Array, ""]]:
        """None: `free_energy` falls."""
        return {}

    def free_energy(self, u_hat: Complex[Array, "*k"]) -> Float[Array, ""]:
        """F, per unit volume."""
        return free_energy(self, self.width, u_hat)


def free_energy(equation: RealFields, width: float, u_hat: Complex[Array, "*k"]) -> Float[Array, ""]:
    """mean(eps^2 |grad u|^2 / 2 + (1 - u^2)^2 / 4), exact on the grid: a quartic of modes below N/4 has no mean alias.

    Args:
        equation: of a phase.
        width: eps.
        u_hat: its state.
    """
    grid = equation.grid
    slopes = inner_product(u_hat, u_hat, grid, 1, alpha=0.0) / grid.volume
    return width**2 * slopes / 2 + jnp.mean((1 - equation.to_physical(u_hat) ** 2) ** 2) / 4
