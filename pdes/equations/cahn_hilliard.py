"""The Cahn-Hilliard equation."""

import dataclasses
import functools
from typing import ClassVar

import numpy as np
from jaxtyping import Array, Complex, Float

from spectral.derivatives import laplacian
from spectral.grid import Grid

from .allen_cahn import free_energy
from .real_fields import RealFields, check


@dataclasses.dataclass(frozen=True)
class CahnHilliard(RealFields):
    """Two phases, -1 and 1, that separate without changing their amounts.

        u_t = Lap (u^3 - u - eps^2 Lap u),    dF/dt = -mean(|grad mu|^2),    mu = u^3 - u - eps^2 Lap u

    with the free energy F of `AllenCahn`. Linear symbol: |k|^2 - eps^2 |k|^4.

    Args:
        grid: one to three axes.
        width: eps, length; time is in the unit in which the mobility is 1.

    Source:
        Cahn and Hilliard 1958 (J. Chem. Phys. 28).
    """

    fields: ClassVar[dict[str, tuple[str, str]]] = {"phase": ("1", "order parameter, -1 and 1 in the phases")}
    degree: ClassVar[int] = 3

    grid: Grid
    width: float

    def __post_init__(self) -> None:
        check((1, 2, 3), self.grid, width=self.width)

    @functools.cached_property
    def linear(self) -> np.ndarray:  # pyright: ignore[reportIncompatibleVariableOverride]
        """|k|^2 - eps^2 |k|^4, 1 / time."""
        k2 = self.grid.wavenumber_squared
        return k2 - (self.width * k2) ** 2

    def nonlinear(self, u_hat: Complex[Array, "*k"]) -> Complex[Array, "*k"]:
        """Lap u^3."""
        return laplacian(self.to_spectral(self.to_physical(u_hat) ** 3), self.grid)

    def invariants(self, u_hat: Complex[Array, "*k"]) -> dict[str, Float[Array, ""]]:
        """Mass: the mean."""
        return {"mass": u_hat.ravel()[0].real}

    def free_energy(self, u_hat: Complex[Array, "*k"]) -> Float[Array, ""]:
        """F, per unit volume; it falls."""
        return free_energy(self, self.width, u_hat)
