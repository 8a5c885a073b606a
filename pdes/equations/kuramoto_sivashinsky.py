"""The Kuramoto-Sivashinsky equation."""

import dataclasses
import functools
from typing import ClassVar

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Complex, Float

from spectral.derivatives import derivative, gradient
from spectral.grid import Grid
from spectral.norms import inner_product

from .real_fields import RealFields, check, dealiasing_mask


@dataclasses.dataclass(frozen=True)
class KuramotoSivashinsky(RealFields):
    """Flame fronts and films: long waves grow, short ones decay, and the nonlinear term passes energy between them.

        u_t + (u^2 / 2)_x + u_xx + u_xxxx = 0               on one axis
        h_t + |grad h|^2 / 2 + Lap h + Lap Lap h = 0        on two or three, without the mean of h

    With u = h_x the first is the derivative of the second. The mean of h falls for ever and acts on nothing else, so
    it is left out. Linear symbol: |k|^2 - |k|^4: a box shorter than 2 pi is stable, one longer than about 22 chaotic.

    Args:
        grid: one to three axes.

    Source:
        Kuramoto and Tsuzuki 1976 (Prog. Theor. Phys. 55), Sivashinsky 1977 (Acta Astronaut. 4).
    """

    fields: ClassVar[dict[str, tuple[str, str]]] = {"u": ("1", "velocity, in more than one dimension height")}
    degree: ClassVar[int] = 2

    grid: Grid

    def __post_init__(self) -> None:
        check((1, 2, 3), self.grid)

    @functools.cached_property
    def mask(self) -> np.ndarray:
        """The de-aliased modes, without the mean where that is of the height."""
        mask = dealiasing_mask(self.grid, self.degree)
        return mask if self.grid.ndim == 1 else mask & (self.grid.wavenumber_squared > 0)

    @functools.cached_property
    def linear(self) -> np.ndarray:  # pyright: ignore[reportIncompatibleVariableOverride]
        """|k|^2 - |k|^4, 1 / time."""
        k2 = self.grid.wavenumber_squared
        return k2 - k2**2

    def nonlinear(self, u_hat: Complex[Array, "*k"]) -> Complex[Array, "*k"]:
        """-(u^2 / 2)_x, or -|grad h|^2 / 2."""
        if self.grid.ndim == 1:
            u = self.to_physical(u_hat)
            return derivative(self.to_spectral(-0.5 * u * u), self.grid, 0)
        slope = self.to_physical(jnp.stack(gradient(u_hat, self.grid)))
        return self.to_spectral(-0.5 * jnp.sum(slope**2, axis=0))

    def transport_velocity(self, u_hat: Complex[Array, "*k"]) -> Float[Array, "d *space"]:
        """u, or grad h."""
        if self.grid.ndim == 1:
            return self.to_physical(u_hat)[None]
        return self.to_physical(jnp.stack(gradient(u_hat, self.grid)))

    def invariants(self, u_hat: Complex[Array, "*k"]) -> dict[str, Float[Array, ""]]:
        """On one axis, where the nonlinear term conserves them: mean, and half the mean square."""
        if self.grid.ndim > 1:
            return {}
        return {"mean": u_hat[0].real, "energy": 0.5 / self.grid.volume * inner_product(u_hat, u_hat, self.grid)}
