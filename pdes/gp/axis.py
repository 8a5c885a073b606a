"""Collocation points of one axis, and what a kernel makes of them: covariances and differentiation matrices."""

import dataclasses
import functools
import math
import operator
import warnings
from collections.abc import Collection

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.linalg import cho_solve
from jaxtyping import Array, Float

from .envelopes import DEGREES, highest_order
from .kernels import SpectralMixture
from .toeplitz import toeplitz

# Relative to k(0): small enough that differentiation does not notice, tenfold more where Cholesky fails.
NUGGETS = tuple(10.0**power for power in range(-12, -5))
# Points per shortest wavelength below which collocation breaks down, as published runs show.
POINTS_PER_WAVE = 2.8


@dataclasses.dataclass(frozen=True)
class Axis:
    """Equally spaced points from one end to the other, both included.

    Raises:
        ValueError: for fewer than four points, or ends in the wrong order.
    """

    lower: float
    upper: float
    n: int

    def __post_init__(self) -> None:
        if not (operator.index(self.n) >= 4 and -math.inf < self.lower < self.upper < math.inf):
            raise ValueError(
                f"axis: got {self.n} points from {self.lower} to {self.upper}, wanted four or more, rising"
            )

    @property
    def length(self) -> float:
        return self.upper - self.lower

    @property
    def points(self) -> Float[np.ndarray, "n"]:
        return np.linspace(self.lower, self.upper, self.n)

    @property
    def lags(self) -> Float[np.ndarray, "n"]:
        """x_i - x_0."""
        return np.arange(self.n) * (self.length / (self.n - 1))

    def check_waves(self, mixture: SpectralMixture) -> None:
        """Warns where the shortest wave of a kernel has too few points."""
        highest = float(jnp.max(jnp.abs(mixture.frequency)))
        if self.n - 1 < POINTS_PER_WAVE * self.length * highest:
            warnings.warn(
                f"{self.n} points: got {(self.n - 1) / (self.length * highest):.2g} per shortest wave "
                f"({2 * np.pi * highest:.4g} rad per length), wanted {POINTS_PER_WAVE} or more; take more points",
                stacklevel=2,
            )


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class AxisModel:
    """A Gaussian process on the points of an axis.

    Args:
        axis: the points.
        mixture: the kernel.
        factor: lower Cholesky factor of C = K + nugget k(0) I.
        derivatives: of the orders p that were asked for, G_p = D_p C^-1: the p-th derivative at the points of the
            process' mean through values there.
        nugget: relative to k(0).
    """

    axis: Axis = dataclasses.field(metadata={"static": True})
    mixture: SpectralMixture
    factor: Float[Array, "n n"]
    derivatives: dict[int, Float[Array, "n n"]]
    nugget: Float[Array, ""]

    @classmethod
    def of(cls, axis: Axis, mixture: SpectralMixture, orders: Collection[int]) -> "AxisModel":
        """Makes the matrices, with the smallest nugget of `NUGGETS` that Cholesky's factorisation accepts.

        Args:
            axis: the points.
            mixture: the kernel.
            orders: derivatives.

        Raises:
            ValueError: for a kernel that is not smooth enough for the derivatives to have a variance, and where no
                nugget helps.
        """
        asked = tuple(sorted(set(orders) - {0}))
        check_smoothness(mixture.envelope, max(asked, default=0))
        axis.check_waves(mixture)
        for nugget in NUGGETS:
            factor, derivatives = _matrices(mixture, axis.lags, asked, nugget)
            if bool(jnp.isfinite(factor[-1, -1])):
                return cls(axis, mixture, factor, derivatives, jnp.asarray(nugget))
        raise ValueError(
            f"mixture: got a covariance of {axis.n} points that is not positive definite with a nugget of "
            f"{NUGGETS[-1]:g} k(0), wanted shorter scales, fewer points, or a rougher envelope than {mixture.envelope}"
        )

    def interpolation(self, points: Float[Array, "m"], order: int = 0) -> Float[Array, "m n"]:
        """k^(p)(points - nodes) C^-1: values at the nodes to the mean, or a derivative of it, at other points."""
        lag = points[:, None] - jnp.asarray(self.axis.points)[None, :]
        return _interpolation(self.mixture, self.factor, lag, order)


def check_smoothness(envelope: str, order: int) -> None:
    """Raises ValueError unless derivatives of that order have a variance: 2 p-th derivatives of k exist at lag 0."""
    if 2 * order > highest_order(envelope):
        raise ValueError(
            f"envelope: got {envelope}, whose samples have {highest_order(envelope) // 2} derivatives in the mean "
            f"square, wanted {order}; take a smoother one, such as matern52 (2) or gaussian"
        )


def longest_scale(axis: Axis, envelope: str) -> float:
    """The scale at which a covariance of the points is as close to singular as float64 bears.

    Errors of collocation fall with l until rounding takes over. The smallest eigenvalue of a Matern covariance falls
    as (h / l)^(2 nu + 1), which is 1e-16 at l = 400 h for nu = 5/2. Of Gaussians 50 h, as measured.

    Raises:
        ValueError: for an unknown envelope.
    """
    highest_order(envelope)
    spacings = 50.0 if envelope == "gaussian" else np.finfo(float).eps ** (-1 / (DEGREES[envelope] + 1))
    return float(spacings) * axis.length / (axis.n - 1)


@functools.partial(jax.jit, static_argnums=(2,))
def _matrices(mixture: SpectralMixture, lags: jax.Array, orders: tuple[int, ...], nugget: float | jax.Array):
    rows = mixture.derivatives(lags, max(orders, default=0))
    factor = jnp.linalg.cholesky(toeplitz(rows[0].at[0].multiply(1 + nugget)), symmetrize_input=False)
    derivatives = {}
    for p in orders:
        # (D C^-1)^T = C^-1 D^T, and D^T = (-1)^p D. Read from the other end of the axis it is (-1)^p times the same,
        # but for rounding, half of which the mean takes away.
        matrix = cho_solve((factor, True), (-1) ** p * toeplitz(rows[p], (-1) ** p)).T
        derivatives[p] = (matrix + (-1) ** p * matrix[::-1, ::-1]) / 2
    return factor, derivatives


@functools.partial(jax.jit, static_argnums=(3,))
def _interpolation(mixture: SpectralMixture, factor: jax.Array, lag: jax.Array, order: int) -> jax.Array:
    return cho_solve((factor, True), mixture.derivatives(lag, order)[order].T).T
