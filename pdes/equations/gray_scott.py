"""The Gray-Scott model of two reacting and diffusing species."""

import dataclasses
import functools
from typing import ClassVar

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Complex, Float

from spectral.grid import Grid

from .real_fields import RealFields, check


@dataclasses.dataclass(frozen=True)
class GrayScott(RealFields):
    """A substrate that is fed and a catalyst that makes more of itself from it and is removed: spots and stripes.

        u_t = D_u Lap u - u v^2 + F (1 - u),    v_t = D_v Lap v + u v^2 - (F + K) v

    Linear symbols: -D_u |k|^2 - F and -D_v |k|^2 - F - K.

    Args:
        grid: one to three axes.
        diffusivities: D_u and D_v, length^2 / time.
        feed: F, 1 / time.
        kill: K, 1 / time.

    Source:
        Pearson 1993 (Science 261): D_u = 2e-5, D_v = 1e-5 on a square of side 2.5.
    """

    fields: ClassVar[dict[str, tuple[str, str]]] = {
        "substrate": ("1", "concentration u, fed"),
        "catalyst": ("1", "concentration v, removed"),
    }
    degree: ClassVar[int] = 3

    grid: Grid
    feed: float
    kill: float
    diffusivities: tuple[float, float] = (2e-5, 1e-5)

    def __post_init__(self) -> None:
        of_u, of_v = self.diffusivities
        check((1, 2, 3), self.grid, feed=self.feed, kill=self.kill, diffusivity_u=of_u, diffusivity_v=of_v)

    @functools.cached_property
    def linear(self) -> np.ndarray:  # pyright: ignore[reportIncompatibleVariableOverride]
        """-D_u |k|^2 - F and -D_v |k|^2 - F - K, 1 / time."""
        k2, (of_u, of_v) = self.grid.wavenumber_squared, self.diffusivities
        return np.stack([-of_u * k2 - self.feed, -of_v * k2 - self.feed - self.kill])

    def nonlinear(self, u_hat: Complex[Array, "2 *k"]) -> Complex[Array, "2 *k"]:
        """F - u v^2 and u v^2."""
        u, v = self.to_physical(u_hat)
        rate = u * v * v
        return self.to_spectral(jnp.stack([self.feed - rate, rate]))

    def invariants(self, u_hat: Complex[Array, "2 *k"]) -> dict[str, Float[Array, ""]]:
        """None."""
        return {}
