"""Isotropic Matern kernels in any dimension, and covariances of values, slopes and Laplacians under them."""

import dataclasses
import math
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

# nu - 1/2; a Laplacian has a variance from nu = 5/2 on.
ORDERS = {"matern52": 2, "matern72": 3, "matern92": 4}


Numbers = Array | np.ndarray


class Functionals(NamedTuple):
    """value u(x) + slope . grad u(x) + laplacian Lap u(x), one per row.

    Args:
        points: x.
        value, slope, laplacian: coefficients.
    """

    points: Float[Numbers, "*n d"]
    value: Float[Numbers, "*n"]
    slope: Float[Numbers, "*n d"]
    laplacian: Float[Numbers, "*n"]

    @classmethod
    def values(cls, points: Float[np.ndarray, "n d"]) -> "Functionals":
        """u(x)."""
        zero = np.zeros(len(points))
        return cls(points, zero + 1, np.zeros_like(points), zero)

    def take(self, rows: Numbers | slice) -> "Functionals":
        """Some of them."""
        return Functionals(*(part[rows] for part in self))


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Matern:
    """k(x, x') = m_nu(s) / m_nu(0) with s = sqrt(2 nu) |x - x'| / l and m_nu(s) = s^nu K_nu(s).

    For nu = n + 1/2, m_nu = theta_n(s) exp(-s) but for a factor, with Bessel's polynomials theta_0 = 1,
    theta_1 = 1 + s, theta_n = (2 n - 1) theta_(n-1) + s^2 theta_(n-2).

    Args:
        scale: l, unit of the points.
        envelope: "matern52", "matern72" or "matern92".

    Raises:
        ValueError: for another envelope, or a scale that is not positive.
    """

    scale: float | Float[Array, ""]
    envelope: str = dataclasses.field(default="matern72", metadata={"static": True})

    def __post_init__(self) -> None:
        if self.envelope not in ORDERS:
            raise ValueError(f"envelope: got {self.envelope!r}, wanted one of {', '.join(ORDERS)}")
        if isinstance(self.scale, float | int) and not 0 < self.scale < math.inf:
            raise ValueError(f"scale: got {self.scale}, wanted a length above 0")

    def covariance(self, left: Functionals, right: Functionals) -> Float[Array, "*b m n"]:
        """Of functionals under the process.

        In z = alpha (x - x'), alpha = sqrt(2 nu) / l, derivatives step down in nu:

            grad m_nu = -z m_(nu-1),    Lap m_nu = m_nu - (2 nu - 2 + d) m_(nu-1),

        which leaves A m_nu + B m_(nu-1) + C m_(nu-2), all with one exponential.

        Args:
            left: [*b, m].
            right: [*b, n].

        Accuracy: round-off of k(0) sqrt(var left var right).
        """
        order = ORDERS[self.envelope]
        alpha = math.sqrt(2 * order + 1) / self.scale
        kappa = 2 * order - 1 + left.points.shape[-1]
        # Axis by axis: sums over an innermost axis of two or three numbers would take most of the time.
        z = [alpha * (x[..., :, None] - y[..., None, :]) for x, y in _by_axis(left.points, right.points)]
        s = jnp.sqrt(sum(along**2 for along in z))
        decay = jnp.exp(-s) / _theta(order, 0.0)
        m = [_theta(order - i, s) * decay for i in range(3)]
        a, other_a = alpha**2 * left.laplacian[..., :, None], alpha**2 * right.laplacian[..., None, :]
        e, other_e = left.value[..., :, None] + a, right.value[..., None, :] + other_a
        both = _by_axis(left.slope, right.slope)
        p = alpha * sum(b[..., :, None] * along for (b, _), along in zip(both, z, strict=True))
        other_p = alpha * sum(b[..., None, :] * along for (_, b), along in zip(both, z, strict=True))
        slopes = alpha**2 * sum(b[..., :, None] * c[..., None, :] for b, c in both)
        first = other_p * e - p * other_e + slopes - kappa * (a * other_e + other_a * e)
        second = -p * other_p + kappa * (other_a * p - a * other_p) + kappa * (kappa - 2) * a * other_a
        return jnp.asarray(e * other_e * m[0] + first * m[1] + second * m[2])


def _by_axis(left: Numbers, right: Numbers) -> list[tuple[Numbers, Numbers]]:
    return [(left[..., i], right[..., i]) for i in range(left.shape[-1])]


def _theta(order: int, s):
    before, value = 1.0 + 0 * s, 1.0 + s
    if order == 0:
        return before
    for n in range(2, order + 1):
        before, value = value, (2 * n - 1) * value + s**2 * before
    return value
