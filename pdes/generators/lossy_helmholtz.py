"""Steady waves in an uneven medium with losses: medium -> wave."""

import dataclasses
import math
from collections.abc import Mapping
from fractions import Fraction
from typing import ClassVar

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from spectral.grid import Grid

from ..helmholtz import solve_lossy_helmholtz
from ..random_fields import smooth_uniform_field
from .base import FieldInfo, Generator, grid_text
from .checks import check_positive, check_shape


@dataclasses.dataclass(frozen=True)
class LossyHelmholtz(Generator):
    """The wave that a small source in the middle of the periodic unit square sends through a random medium.

        -(Lap u + k^2 (1 + i d) s u) = exp(-|x - x0|^2 / 2 r^2) / (2 pi r^2),    s = low + (high - low) Phi(g)

    with g a smooth Gaussian field of pointwise variance 1 and Phi its distribution function. The map is s -> u.

    Args:
        shape: points of the solver grid, at least 3/2 of what is stored.
        wavenumber: k, in radians a side where s = 1.
        loss: d.
        radius: r of the source.
        low, high: bounds of s, the squared slowness.
        tau, alpha: g ~ N(0, sigma^2 (-Lap + tau^2 I)^-alpha).
        tolerance: relative residual at which the solver stops.
    """

    name: ClassVar[str] = "helmholtz_lossy"
    resolved: ClassVar[Fraction] = Fraction(2, 3)
    inputs: ClassVar[dict[str, tuple[int, ...]]] = {"slowness": (0,)}
    targets: ClassVar[dict[str, tuple[int, ...]]] = {"real": (0,), "imaginary": (0,)}

    shape: tuple[int, int] = (96, 96)
    wavenumber: float = 30.0
    loss: float = 0.1
    radius: float = 0.03
    low: float = 0.5
    high: float = 1.5
    tau: float = 10.0
    alpha: float = 8.0
    tolerance: float = 1e-10

    def __post_init__(self) -> None:
        check_shape(self, axes=2)
        check_positive(self, "wavenumber", "loss", "radius", "low", "high", "tau", "alpha", "tolerance")
        if self.low > self.high:
            raise ValueError(f"low, high: got {self.low}, {self.high}, wanted the smaller one first")

    @property
    def grid(self) -> Grid:
        return Grid(self.shape)

    @property
    def fields(self) -> dict[str, FieldInfo]:
        return {
            "slowness": FieldInfo((0.0,), "1", f"squared slowness, {self.low:g} to {self.high:g}"),
            "real": FieldInfo((0.0,), "1", "real part of the wave"),
            "imaginary": FieldInfo((0.0,), "1", "imaginary part of the wave"),
        }

    def parameters(self) -> dict[str, float | str]:
        return {
            "wavenumber": self.wavenumber,
            "loss": self.loss,
            "source": f"Gaussian of radius {self.radius:g} in the middle, integral 1",
            "medium": f"uniform in ({self.low:g}, {self.high:g}) at every point, smooth beyond |k| = {self.tau:g}",
            "solver_grid": grid_text(self.grid),
            "scheme": "Fourier, stabilised biconjugate gradients",
            "tolerance": self.tolerance,
        }

    def __call__(self, key: jax.Array) -> dict[str, Float[Array, "t ..."]]:
        """Medium and both parts of the wave, each [1, x, y]."""
        medium = smooth_uniform_field(key, self.grid, self.tau, self.alpha)
        slowness = (self.low + (self.high - self.low) * medium)[None]
        return {"slowness": slowness, **self.solve({"slowness": slowness}, self.grid)}

    def solve(self, given: Mapping[str, Float[Array, "t ..."]], grid: Grid) -> dict[str, Float[Array, "t ..."]]:
        """Both parts of the wave in a medium [1, x, y]."""
        slowness = given["slowness"][0]
        distance = sum((x - 0.5) ** 2 for x in grid.mesh)
        source = np.exp(-distance / (2 * self.radius**2)) / (2 * math.pi * self.radius**2)
        u = solve_lossy_helmholtz(
            jnp.asarray(source, slowness.dtype), slowness, grid, self.wavenumber, self.loss, self.tolerance
        )
        return {"real": u.real[None], "imaginary": u.imag[None]}
