"""Real fields as their lowest modes: real arrays of fixed size, whose sum of squares is that of the truncated field."""

import dataclasses
import functools
import math
from collections.abc import Sequence
from typing import Literal

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from ._modes import Basis, fit_axis
from .transforms import Backend, forward, inverse

Norm = Literal["ortho", "function"]


@dataclasses.dataclass(frozen=True)
class Truncation:
    """An isometry between fields spanned by low modes and arrays [*stored, parts, c]; its inverse fills with zeros.

    sum |z|^2 = sum |u|^2 (norm "ortho"), or the mean of |u|^2 times the number of modes ("function"), of a field u
    without other modes; in general the difference is the energy of the modes left out (Parseval).

    - "cosine": orthonormal DCT-II, one part. Samples are taken to lie at the centres of cells, (j + 1/2) / S.
    - "fourier": frequencies -(n//2) .. n//2, on the last axis 0 .. n//2, and (re, im) as two parts, weighted so that
      plain sums of squares are energies. Of two coefficients that a real field makes conjugate one is stored, and
      the other is an entry that is zero and has no effect. Samples lie at j / S.

    A grid with fewer points than modes leaves the modes that it does not have at zero.

    Args:
        n_modes: modes per axis; Fourier counts both signs, and an even count is the odd one above it.
        basis: "cosine" or "fourier".
        norm: "ortho" depends on the number of points, "function" does not (up to the grid's aliasing): it is "ortho"
            on a grid of as many points as modes.
        backend: of the transforms, see `spectral.transforms.forward`.

    Accuracy: as the transforms, about 1e-6 in float32. On a grid of even size S the Fourier basis is an isometry for
        n//2 < S/2, below the Nyquist frequency.
    """

    n_modes: tuple[int, ...]
    basis: Basis = "cosine"
    norm: Norm = "ortho"
    backend: Backend = "auto"

    @property
    def ndim(self) -> int:
        return len(self.n_modes)

    @property
    def parts(self) -> int:
        """Real numbers of a coefficient."""
        return 1 if self.basis == "cosine" else 2

    @property
    def stored(self) -> tuple[int, ...]:
        """Modes stored per axis."""
        if self.basis == "cosine":
            return self.n_modes
        return (*(2 * (n // 2) + 1 for n in self.n_modes[:-1]), self.n_modes[-1] // 2 + 1)

    @property
    def origin(self) -> tuple[int, ...]:
        """Where the constant function is."""
        if self.basis == "cosine":
            return (0,) * self.ndim
        return (*(n // 2 for n in self.n_modes[:-1]), 0)

    @property
    def alive(self) -> np.ndarray:
        """Which entries fields have, [*stored, parts] of zeros and ones."""
        return (self._weights()[0] > 0).astype(np.float32)

    def scale(self, shape: Sequence[int]) -> float:
        """The coefficient of the constant function 1 on a grid."""
        return math.sqrt(math.prod(shape if self.norm == "ortho" else self.n_modes))

    def forward(self, u: Float[Array, "*b_space c"]) -> Float[Array, "*b_modes p c"]:
        """Coefficients of fields.

        Args:
            u: fields [*b, *space, c].

        Returns:
            Coefficients [*b, *stored, parts, c].
        """
        shape = u.shape[-1 - self.ndim : -1]
        c = forward(u, self._counts, axes=self._axes(u.ndim), basis=self.basis, backend=self.backend)
        parts = [c] if self.parts == 1 else [c.real, c.imag]
        z = self._fit(jnp.stack(parts, axis=-2))
        return z * self._broadcast(self._weights()[0] * self.scale(shape), z)

    def inverse(
        self, z: Float[Array, "*b_modes p c"], shape: Sequence[int], of: Sequence[int] | None = None
    ) -> Float[Array, "*b_space c"]:
        """Fields of coefficients.

        Args:
            z: coefficients [*b, *stored, parts, c].
            shape: points per axis of the fields.
            of: the grid that z belongs to; `shape` by default.
        """
        c = z * self._broadcast(self._weights()[1] / self.scale(shape if of is None else of), z)
        axes = self._axes(c.ndim - 1)
        if self.parts == 1:
            return inverse(c[..., 0, :], shape, axes=axes, basis=self.basis, backend=self.backend)
        c = jax.lax.complex(c[..., 0, :], c[..., 1, :])
        return inverse(c, shape, axes=axes, basis=self.basis, backend=self.backend)

    def residual_energy(self, u: Float[Array, "*b_space c"], z: Float[Array, "*b_modes p c"]) -> Float[Array, "*b c"]:
        """Energy of the modes of u that its coefficients z do not hold, [*b, c], in the norm's measure.

        Accuracy: the energy of the difference, not a difference of energies: exact to round-off of the tail itself.
        """
        shape = u.shape[-1 - self.ndim : -1]
        tail = jnp.sum((u - self.inverse(z, shape)) ** 2, axis=self._axes(u.ndim))
        return tail if self.norm == "ortho" else tail * (self.scale(shape) ** 2 / math.prod(shape))

    @property
    def _counts(self) -> tuple[int, ...]:
        """As `spectral.transforms` counts modes."""
        return self.stored if self.basis == "cosine" else tuple(2 * (n // 2) + 1 for n in self.n_modes)

    def _axes(self, ndim: int) -> tuple[int, ...]:
        return tuple(range(ndim - 1 - self.ndim, ndim - 1))

    def _fit(self, z: Array) -> Array:
        """Zeros for modes that the grid does not have."""
        for j, (size, zero) in enumerate(zip(self.stored, self.origin, strict=True)):
            axis = z.ndim - 2 - self.ndim + j
            if zero and z.shape[axis] < size:  # ascending signed frequencies
                before = zero - z.shape[axis] // 2
                padding = [(0, 0)] * z.ndim
                padding[axis] = (before, size - z.shape[axis] - before)
                z = jnp.pad(z, padding)
            else:
                z = fit_axis(z, size, axis)
        return z

    def _broadcast(self, weights: np.ndarray, z: Array) -> Array:
        full = (1,) * (z.ndim - weights.ndim - 1)
        return jnp.asarray(weights.reshape(*full, *weights.shape, 1), z.dtype)

    def _weights(self) -> tuple[np.ndarray, np.ndarray]:
        return _weights(self.stored, self.origin, self.parts)


@functools.lru_cache(maxsize=64)
def _weights(stored: tuple[int, ...], origin: tuple[int, ...], parts: int) -> tuple[np.ndarray, np.ndarray]:
    """Factors from amplitudes to isometric coefficients and back, [*stored, parts] each.

    A Fourier amplitude stands for itself and its conjugate, energy 2 |c|^2. Where the last frequency is positive the
    inverse transform adds the conjugate; where it is zero both are in the array, of which the first is kept, and
    the real part of the inverse halves what comes alone.
    """
    if parts == 1:
        return np.ones((*stored, 1)), np.ones((*stored, 1))
    # The sign of the first frequency that is not zero, the last axis first.
    sign = np.zeros(stored, int)
    for axis in reversed(range(len(stored))):
        f = np.arange(stored[axis]) - origin[axis]
        sign = np.where(sign == 0, np.sign(f).reshape([-1 if a == axis else 1 for a in range(len(stored))]), sign)
    there, back = np.where(sign > 0, math.sqrt(2), 0.0), np.where(sign > 0, math.sqrt(2), 0.0)
    back[..., 1:] = math.sqrt(0.5)
    pair = [np.stack([w, w], axis=-1) for w in (there, back)]
    for w in pair:
        w[(*origin, 0)] = 1.0  # the mean is real
    return pair[0], pair[1]
