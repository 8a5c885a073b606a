"""The nonlinear Schroedinger equation."""

import dataclasses
import functools
from typing import ClassVar

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Complex, Float

from spectral.derivatives import symbol
from spectral.grid import Grid
from spectral.transforms import fftn, ifftn

from .base import Equation
from .real_fields import check


@dataclasses.dataclass(frozen=True)
class Schroedinger(Equation):
    """Envelopes of waves whose speed depends on their height: light in fibres, condensates, deep water.

        i psi_t + Lap psi / 2 + g |psi|^2 psi = 0

    The state is the whole spectrum of the complex psi, [*k] of `grid.shape`; in space it is its real and imaginary
    part, [2, *space]. Linear symbol: -i |k|^2 / 2. Only |m| < N/4 is kept, which leaves the cube free of aliases.

    Args:
        grid: one to three axes; with g > 0 waves may collapse on two and more.
        strength: g, positive focuses, negative spreads, zero is the free particle.

    Source:
        Zakharov and Shabat 1972 (Sov. Phys. JETP 34).
    """

    fields: ClassVar[dict[str, tuple[str, str]]] = {
        "real": ("1", "real part of the amplitude"),
        "imaginary": ("1", "imaginary part of the amplitude"),
    }
    degree: ClassVar[int] = 3

    grid: Grid
    strength: float = 1.0

    def __post_init__(self) -> None:
        check((1, 2, 3), self.grid)

    @functools.cached_property
    def wavenumbers(self) -> tuple[np.ndarray, ...]:
        """Of every axis in NumPy's order, both signs, shaped to broadcast."""
        lines = [2 * np.pi * np.fft.fftfreq(n, h) for n, h in zip(self.grid.shape, self.grid.spacing, strict=True)]
        return tuple(np.meshgrid(*lines, indexing="ij", sparse=True))

    @functools.cached_property
    def mask(self) -> np.ndarray:
        """The modes a state may hold."""
        # A Nyquist wavenumber is pi / h: |m| < N/4 is |k| < half of it, up to the rounding of k.
        kept = [np.abs(k) * h < np.pi / 2 - 1e-9 for k, h in zip(self.wavenumbers, self.grid.spacing, strict=True)]
        return np.logical_and.reduce(np.broadcast_arrays(*kept))

    @functools.cached_property
    def linear(self) -> np.ndarray:  # pyright: ignore[reportIncompatibleVariableOverride]
        """-i |k|^2 / 2, 1 / time."""
        return -0.5j * self._squared

    def nonlinear(self, u_hat: Complex[Array, "*k"]) -> Complex[Array, "*k"]:
        """i g |psi|^2 psi."""
        psi = self._wave(u_hat)
        return fftn(1j * self.strength * _intensity(psi) * psi, self._axes) * self.mask

    def to_spectral(self, u: Float[Array, "2 *space"]) -> Complex[Array, "*k"]:
        """Real and imaginary part on the grid -> masked spectrum."""
        return fftn(jax.lax.complex(u[0], u[1]), self._axes) * self.mask

    def to_physical(self, u_hat: Complex[Array, "*k"]) -> Float[Array, "2 *space"]:
        """Spectrum -> real and imaginary part on the grid."""
        psi = self._wave(u_hat)
        return jnp.stack([psi.real, psi.imag])

    def invariants(self, u_hat: Complex[Array, "*k"]) -> dict[str, Float[Array, ""]]:
        """Mass mean |psi|^2, momentum mean Im(conj(psi) psi_x), energy mean(|grad psi|^2 / 2 - g |psi|^4 / 2)."""
        power = _intensity(u_hat)
        first = np.broadcast_to(self.wavenumbers[0], self.grid.shape)
        kinetic = jnp.sum(symbol(self._squared, u_hat) * power) / 2
        quartic = jnp.mean(_intensity(self._wave(u_hat)) ** 2)
        return {
            "mass": jnp.sum(power),
            "momentum": jnp.sum(symbol(first, u_hat) * power),
            "energy": kinetic - self.strength / 2 * quartic,
        }

    @property
    def _squared(self) -> np.ndarray:
        return np.broadcast_to(sum(k**2 for k in self.wavenumbers), self.grid.shape)

    @property
    def _axes(self) -> tuple[int, ...]:
        return tuple(range(self.grid.ndim))

    def _wave(self, u_hat: jax.Array) -> jax.Array:
        return ifftn(u_hat, self._axes)


def _intensity(psi: jax.Array) -> jax.Array:
    return psi.real**2 + psi.imag**2
