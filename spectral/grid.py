"""Periodic rectangular grids and their wavenumbers."""

import dataclasses
import functools
import math
import operator

import numpy as np


@dataclasses.dataclass(frozen=True)
class Grid:
    """Equispaced points on a periodic box, with the half spectrum of real fields on it.

    Points are x_i = i L/N for i = 0 .. N-1 (the endpoint is the start of the next period) and angular
    wavenumbers are k = 2 pi m / L for the signed integers m in NumPy's FFT order; the last axis keeps m >= 0
    only, as a real transform does. Arrays are NumPy float64: cast where they are used.

    Args:
        shape: points per axis, one to three axes, any parity.
        extent: side lengths, in the length unit of the problem; one number means the same on every axis.

    Raises:
        ValueError: for a wrong number of axes, a size that is no positive whole number, or a length that is not
            positive.
    """

    shape: tuple[int, ...]
    extent: tuple[float, ...] = (1.0,)

    def __post_init__(self) -> None:
        try:
            shape = tuple(operator.index(n) for n in np.atleast_1d(self.shape))
        except (TypeError, ValueError) as error:
            raise ValueError(f"shape: got {self.shape!r}, wanted whole numbers, such as (64, 64)") from error
        try:
            extent = tuple(float(length) for length in np.atleast_1d(self.extent))
        except (TypeError, ValueError) as error:
            raise ValueError(f"extent: got {self.extent!r}, wanted lengths, such as (1.0, 1.0)") from error
        if len(extent) == 1:
            extent = extent * len(shape)
        if not 1 <= len(shape) <= 3 or min(shape) < 1:
            raise ValueError(f"shape: got {self.shape}, wanted 1 to 3 positive sizes, such as (64, 64)")
        if len(extent) != len(shape) or not all(0 < length < math.inf for length in extent):
            raise ValueError(
                f"extent: got {self.extent} for shape {shape}, wanted one positive length, or one per axis"
            )
        object.__setattr__(self, "shape", shape)
        object.__setattr__(self, "extent", extent)

    @property
    def ndim(self) -> int:
        return len(self.shape)

    @property
    def size(self) -> int:
        """Number of points."""
        return math.prod(self.shape)

    @property
    def spacing(self) -> tuple[float, ...]:
        return tuple(length / n for length, n in zip(self.extent, self.shape, strict=True))

    @property
    def volume(self) -> float:
        """Measure of the whole box."""
        return math.prod(self.extent)

    @property
    def cell_measure(self) -> float:
        """Measure that one point stands for: the weight of the (spectrally exact) rectangle rule."""
        return self.volume / self.size

    @property
    def spectrum_shape(self) -> tuple[int, ...]:
        """Shape of the half spectrum of a real field."""
        return (*self.shape[:-1], self.shape[-1] // 2 + 1)

    @functools.cached_property
    def points(self) -> tuple[np.ndarray, ...]:
        """Coordinates of every axis, each [n]."""
        return tuple(np.arange(n) * h for n, h in zip(self.shape, self.spacing, strict=True))

    @functools.cached_property
    def mesh(self) -> tuple[np.ndarray, ...]:
        """Coordinates on the whole grid, one array of `shape` per axis (matrix indexing)."""
        return tuple(np.meshgrid(*self.points, indexing="ij"))

    @functools.cached_property
    def modes(self) -> tuple[np.ndarray, ...]:
        """Signed integer frequencies of every axis, shaped to broadcast on the half spectrum."""
        result = []
        for axis, n in enumerate(self.shape):
            half = axis == self.ndim - 1
            m = np.arange(n // 2 + 1) if half else np.rint(np.fft.fftfreq(n, 1 / n)).astype(int)
            result.append(m.reshape([-1 if a == axis else 1 for a in range(self.ndim)]))
        return tuple(result)

    @functools.cached_property
    def wavenumbers(self) -> tuple[np.ndarray, ...]:
        """Angular wavenumbers 2 pi m / L, shaped to broadcast on the half spectrum."""
        return tuple(2 * np.pi / length * m for m, length in zip(self.modes, self.extent, strict=True))

    @functools.cached_property
    def derivative_wavenumbers(self) -> tuple[np.ndarray, ...]:
        """Wavenumbers for odd derivatives: the Nyquist frequency of an even axis is set to zero.

        A real field's Nyquist coefficient stands for +N/2 and -N/2 at once, so its odd derivative on the grid
        is zero; keeping i k there would make the derivative complex.
        """
        result = []
        for k, m, n in zip(self.wavenumbers, self.modes, self.shape, strict=True):
            result.append(np.where(2 * np.abs(m) == n, 0.0, k) if n % 2 == 0 else k)
        return tuple(result)

    @functools.cached_property
    def wavenumber_squared(self) -> np.ndarray:
        """|k|^2 on the half spectrum, shape `spectrum_shape`."""
        squares = [k**2 for k in self.wavenumbers]
        return functools.reduce(np.add, squares)

    @functools.cached_property
    def inverse_wavenumber_squared(self) -> np.ndarray:
        """1/|k|^2 on the half spectrum, with 0 at k = 0 (mean-free Poisson solve)."""
        k2 = self.wavenumber_squared
        return np.where(k2 > 0, 1 / np.where(k2 > 0, k2, 1), 0.0)

    @functools.cached_property
    def rfft_weights(self) -> np.ndarray:
        """How many modes of the full spectrum each stored one stands for (1 or 2), broadcastable.

        Parseval with amplitude coefficients reads mean(f^2) = sum(weights |f_hat|^2).
        """
        n = self.shape[-1]
        weights = np.full(n // 2 + 1, 2.0)
        weights[0] = 1.0
        if n % 2 == 0:
            weights[-1] = 1.0
        return weights.reshape([1] * (self.ndim - 1) + [-1])
