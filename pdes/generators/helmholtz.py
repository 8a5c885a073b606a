"""Poisson and Helmholtz problems on the torus: source -> solution."""

import dataclasses
from collections.abc import Mapping
from typing import ClassVar

import jax
from jaxtyping import Array, Float

from spectral.grid import Grid

from ..helmholtz import check_resonance, solve_helmholtz
from ..random_fields import Covariance, gaussian_random_field
from .base import FieldInfo, Generator, grid_text
from .checks import check_not_negative, check_positive, check_shape


@dataclasses.dataclass(frozen=True)
class Helmholtz(Generator):
    """Random sources on the periodic unit box and what answers them, exactly.

        -(Lap u + k^2 u) = f,    f ~ N(0, scale (-Lap + tau^2 I)^-alpha), mean-free

    The map is f -> u. With k = 0 it is Poisson's problem. k counts in radians a side; at 2 pi sqrt(m^2 + n^2 ...) the
    box resonates, and near it the nearest waves are all of u.

    Args:
        shape: points, no fewer than are stored; one to three axes.
        wavenumber: k.
        scale, tau, alpha: of the covariance.

    Raises:
        ValueError: at a resonance, and for a k that the grid does not hold.

    Accuracy: round-off, for what of the source the grid holds.
    """

    inputs: ClassVar[dict[str, tuple[int, ...]]] = {"source": (0,)}
    targets: ClassVar[dict[str, tuple[int, ...]]] = {"solution": (0,)}

    shape: tuple[int, ...] = (128, 128)
    wavenumber: float = 0.0
    scale: float = 1e6
    tau: float = 10.0
    alpha: float = 3.0

    def __post_init__(self) -> None:
        check_shape(self)
        check_positive(self, "scale", "alpha")
        check_not_negative(self, "tau", "wavenumber")
        check_resonance(self.grid, self.wavenumber)

    @property
    def name(self) -> str:  # pyright: ignore[reportIncompatibleVariableOverride]
        """ "poisson" without a wavenumber."""
        return "helmholtz" if self.wavenumber else "poisson"

    @property
    def grid(self) -> Grid:
        return Grid(self.shape)

    @property
    def covariance(self) -> Covariance:
        return Covariance(self.scale, self.tau**2, self.alpha)

    @property
    def fields(self) -> dict[str, FieldInfo]:
        return {
            "source": FieldInfo((0.0,), "1/length^2", "source f"),
            "solution": FieldInfo((0.0,), "1", "u, mean-free"),
        }

    def parameters(self) -> dict[str, float | str]:
        return {
            "wavenumber": self.wavenumber,
            "source_covariance": f"{self.covariance}, mean-free, E|f_k|^2 = eigenvalue",
            "solver_grid": grid_text(self.grid),
            "scheme": "exact, by its Fourier symbol",
        }

    def __call__(self, key: jax.Array) -> dict[str, Float[Array, "t ..."]]:
        """Source and solution, each [1, *space]."""
        source = gaussian_random_field(key, self.grid, self.covariance)[None]
        return {"source": source, **self.solve({"source": source}, self.grid)}

    def solve(self, given: Mapping[str, Float[Array, "t ..."]], grid: Grid) -> dict[str, Float[Array, "t ..."]]:
        """The solution of a source [1, *space]."""
        return {"solution": solve_helmholtz(given["source"][0], grid, self.wavenumber)[None]}
