"""Gaussian random fields: the same key is the same function on every grid."""

import dataclasses
import math
from typing import Literal

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Complex, Float

from spectral.grid import Grid
from spectral.transforms import idctn, irfftn


@dataclasses.dataclass(frozen=True)
class Covariance:
    """The covariance operator scale (-Lap + shift)^(-power).

    Its eigenfunctions exp(i k x) have norm 1 for the measure that gives the box the volume 1, so a sample is
    f = sum_k f_hat_k exp(i k x) with E|f_hat_k|^2 = scale (|k|^2 + shift)^(-power), and var f is their sum.

    Args:
        scale: sigma^2.
        shift: tau^2, 1 / length^2.
        power: alpha; samples have about alpha - 1 derivatives in two dimensions.

    Raises:
        ValueError: for a scale or shift below zero, or a power that is not positive.
    """

    scale: float
    shift: float
    power: float

    def __post_init__(self) -> None:
        finite = all(map(math.isfinite, (self.scale, self.shift, self.power)))
        if not finite or min(self.scale, self.shift) < 0 or self.power <= 0:
            raise ValueError(
                f"scale, shift, power: got {self.scale}, {self.shift}, {self.power}, wanted two finite numbers >= 0 "
                "and a positive one"
            )

    def eigenvalues(self, grid: Grid) -> Float[np.ndarray, "..."]:
        """E|f_hat_k|^2 on the half spectrum; zero at k = 0 without a shift."""
        return self.at(grid.wavenumber_squared)

    def at(self, squared: np.ndarray) -> np.ndarray:
        """The eigenvalue at |k|^2: of mean-free fields, which need no shift, zero where |k|^2 + shift is."""
        shifted = squared + self.shift
        return self.scale * np.where(shifted > 0, shifted, np.inf) ** -self.power

    def __str__(self) -> str:
        return f"{self.scale:g} (-Lap + {self.shift:g} I)^-{self.power:g}"


def li_covariance(
    convention: Literal["li_paper", "li_code", "li_code_cfloat"] = "li_paper", tau: float = 7.0, alpha: float = 2.5
) -> Covariance:
    """The initial vorticity of Li et al. 2021, of which there are three versions that differ in variance only.

    | convention | covariance | variance on the unit torus |
    |---|---|---|
    | "li_paper" | tau^(3/2) (-Lap + tau^2)^-alpha, as printed | 0.00185 |
    | "li_code" | 2 tau^(2 alpha - 2) (-Lap + tau^2)^-alpha, as the published script draws it | 0.0686 |
    | "li_code_cfloat" | half of that: forks that draw unit-variance complex noise | 0.0343 |

    Raises:
        ValueError: for another name.

    Source:
        Li et al. 2021 (arXiv 2010.08895), section 5.3, and its script random_fields.py.
    """
    scales = {
        "li_paper": tau**1.5,
        "li_code": 2 * tau ** (2 * alpha - 2),
        "li_code_cfloat": tau ** (2 * alpha - 2),
    }
    if convention not in scales:
        raise ValueError(f"convention: got {convention!r}, wanted one of {', '.join(scales)}")
    return Covariance(scales[convention], tau**2, alpha)


def gaussian_random_field(key: jax.Array, grid: Grid, covariance: Covariance) -> Float[Array, "..."]:
    """A mean-free sample of N(0, covariance) on the points of a grid.

    Args:
        key: random key; it fixes the function, the grid only says where it is evaluated and how many modes it has.
        grid: one to three axes.
        covariance: of the whole family; the constant mode is left out.

    Returns:
        Field [*space], in the default float type.

    Accuracy:
        The modes below N/2 are exact, those above are missing.
    """
    axes = tuple(range(grid.ndim))
    return irfftn(random_spectrum(key, grid, covariance.eigenvalues(grid)), grid.shape, axes)


def smooth_uniform_field(key: jax.Array, grid: Grid, tau: float, alpha: float) -> Float[Array, "..."]:
    """Phi(g) for a Gaussian field g ~ N(0, sigma^2 (-Lap + tau^2 I)^-alpha) of pointwise variance 1: uniform in (0, 1).

    Args:
        key: random key.
        grid: one to three axes.
        tau: wavenumber beyond which the amplitudes of g fall, 1 / length.
        alpha: how fast.
    """
    eigenvalues = np.broadcast_to(grid.rfft_weights, grid.spectrum_shape) * Covariance(1.0, tau**2, alpha).eigenvalues(
        grid
    )
    unit = Covariance(1 / (eigenvalues.sum() - eigenvalues.ravel()[0]), tau**2, alpha)
    return jax.scipy.special.ndtr(gaussian_random_field(key, grid, unit))


def random_spectrum(key: jax.Array, grid: Grid, variance: np.ndarray) -> Complex[Array, "..."]:
    """Independent Gaussian amplitudes of a real field, E|f_hat_k|^2 = variance_k.

    Args:
        key: random key. A mode's number depends on the key and on its signed frequencies alone.
        grid: one to three axes.
        variance: one number per mode of the half spectrum, even in k.

    Returns:
        Half spectrum, Hermitian, zero at k = 0 and at Nyquist frequencies (which stand for two modes at once).
    """
    modes = np.stack([m.ravel() for m in np.broadcast_arrays(*grid.modes)])
    # On the plane where the last frequency is zero both signs are stored: draw one of each pair, conjugate the other.
    leading = modes[:-1]
    first = np.take_along_axis(leading, np.argmax(leading != 0, axis=0)[None], axis=0)[0] if len(leading) else 0
    flip = (modes[-1] == 0) & (first < 0)
    own = np.where(flip, -modes, modes).astype(np.int32).view(np.uint32)

    def draw(frequencies: jax.Array) -> jax.Array:
        own_key = key
        for axis in range(grid.ndim):
            own_key = jax.random.fold_in(own_key, frequencies[axis])
        return jax.random.normal(own_key, (2,))

    noise = jax.vmap(draw, in_axes=1)(jnp.asarray(own))
    single = [2 * np.abs(m) == n for m, n in zip(modes, grid.shape, strict=True)]
    dropped = np.logical_or.reduce([*single, (modes == 0).all(axis=0)])
    std = np.where(dropped, 0, np.sqrt(variance.ravel() / 2))
    parts = noise * jnp.asarray(np.stack([std, np.where(flip, -std, std)], axis=1), noise.dtype)
    return jax.lax.complex(parts[:, 0], parts[:, 1]).reshape(grid.spectrum_shape)


def neumann_random_field(key: jax.Array, grid: Grid, covariance: Covariance) -> Float[Array, "..."]:
    """A mean-free sample of N(0, covariance) at cell centres, for the Laplacian with zero normal derivative.

    f = sum_m xi_m sqrt(lambda_m) phi_m,    phi_m = prod_j c_j cos(pi m_j x_j / L_j),    c_j = sqrt(2), or 1 at m_j = 0

    with lambda_m the covariance's eigenvalue at the wavenumber pi m / L. The phi_m have norm 1 for the measure that
    gives the box the volume 1.

    Args:
        key: random key; it fixes the function, the grid only says where it is evaluated and how many modes it has.
        grid: sizes and side lengths; point i of an axis is the centre of its cell, (i + 1/2) L / N.
        covariance: of the whole family; the constant mode is left out.

    Returns:
        Field [*space], in the default float type.

    Accuracy:
        The modes below N are exact, those above are missing.
    """
    modes = np.stack([m.ravel() for m in np.meshgrid(*map(np.arange, grid.shape), indexing="ij")])
    squared = sum((np.pi * m / length) ** 2 for m, length in zip(modes, grid.extent, strict=True))
    variance = covariance.at(np.asarray(squared))
    # An orthonormal cosine coefficient is sqrt(points) times that of phi_m.
    std = np.sqrt(grid.size * np.where((modes == 0).all(axis=0), 0, variance))

    def draw(frequencies: jax.Array) -> jax.Array:
        own_key = key
        for axis in range(grid.ndim):
            own_key = jax.random.fold_in(own_key, frequencies[axis])
        return jax.random.normal(own_key)

    noise = jax.vmap(draw, in_axes=1)(jnp.asarray(modes.astype(np.uint32)))
    coefficients = (noise * jnp.asarray(std, noise.dtype)).reshape(grid.shape)
    return idctn(coefficients, tuple(range(grid.ndim)))
