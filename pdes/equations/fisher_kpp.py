"""The Fisher-KPP equation."""

import dataclasses
import functools
from typing import ClassVar

import numpy as np
from jaxtyping import Array, Complex, Float

from spectral.grid import Grid

from .real_fields import RealFields, check


@dataclasses.dataclass(frozen=True)
class FisherKPP(RealFields):
    """A population that grows up to 1 and spreads into empty space in fronts of speed 2 sqrt(r D) or more.

        u_t = D Lap u + r u (1 - u)

    Linear symbol: r - D |k|^2.

    Args:
        grid: one to three axes.
        diffusivity: D, length^2 / time.
        growth: r, 1 / time.

    Source:
        Fisher 1937 (Ann. Eugenics 7); Kolmogorov, Petrovsky and Piskunov 1937.
    """

    fields: ClassVar[dict[str, tuple[str, str]]] = {"population": ("1", "population over its capacity")}
    degree: ClassVar[int] = 2

    grid: Grid
    diffusivity: float
    growth: float = 1.0

    def __post_init__(self) -> None:
        check((1, 2, 3), self.grid, diffusivity=self.diffusivity, growth=self.growth)

    @functools.cached_property
    def linear(self) -> np.ndarray:  # pyright: ignore[reportIncompatibleVariableOverride]
        """r - D |k|^2, 1 / time."""
        return self.growth - self.diffusivity * self.grid.wavenumber_squared

    def nonlinear(self, u_hat: Complex[Array, "*k"]) -> Complex[Array, "*k"]:
        """-r u^2."""
        return self.to_spectral(-self.growth * self.to_physical(u_hat) ** 2)

    def invariants(self, u_hat: Complex[Array, "*k"]) -> dict[str, Float[Array, ""]]:
        """None."""
        return {}
