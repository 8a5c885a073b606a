"""What equations of real fields with a polynomial nonlinear term share."""

import functools

import numpy as np
from jaxtyping import Array, Bool, Complex, Float

from spectral.grid import Grid
from spectral.transforms import irfftn, rfftn

from .base import Equation


class RealFields(Equation):
    """Real fields [*space], or [field, *space], as half spectra that hold what a polynomial leaves free of aliases.

    Products of `degree` factors are exact on the modes |m| < N / (degree + 1), which are all that a state holds: what
    is solved is the Galerkin truncation. Two thirds of the spectrum for squares, half for cubes.
    """

    @functools.cached_property
    def mask(self) -> np.ndarray:
        """The modes a state may hold."""
        return dealiasing_mask(self.grid, self.degree)

    def to_spectral(self, u: Float[Array, "*space"]) -> Complex[Array, "*k"]:
        """Fields on the grid -> masked spectra."""
        return rfftn(u, self._axes) * np.broadcast_to(self.mask, (*u.shape[: -self.grid.ndim], *self.mask.shape))

    def to_physical(self, u_hat: Complex[Array, "*k"]) -> Float[Array, "*space"]:
        """Spectra -> fields on the grid."""
        return irfftn(u_hat, self.grid.shape, self._axes)

    @property
    def _axes(self) -> tuple[int, ...]:
        return tuple(range(-self.grid.ndim, 0))


def dealiasing_mask(grid: Grid, degree: int) -> Bool[np.ndarray, "..."]:
    """The half spectrum's modes with |m| < N / (degree + 1) on every axis."""
    kept = [(degree + 1) * np.abs(m) < n for m, n in zip(grid.modes, grid.shape, strict=True)]
    return np.logical_and.reduce(np.broadcast_arrays(*kept))


def check(axes: tuple[int, ...], grid: Grid, **positive: float) -> None:
    """Raises ValueError for another number of axes, or for a coefficient that is not positive."""
    if grid.ndim not in axes:
        raise ValueError(f"grid: got {grid.ndim} axes, wanted {' or '.join(map(str, axes))}")
    wrong = {name: value for name, value in positive.items() if not value > 0}
    if wrong:
        raise ValueError(f"{', '.join(wrong)}: got {', '.join(map(str, wrong.values()))}, wanted positive numbers")
