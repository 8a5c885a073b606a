"""Scalar fields on the sphere by their spherical harmonics."""

import dataclasses
import functools

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Complex, Float

from spectral.transforms import irfftn, rfftn


@dataclasses.dataclass(frozen=True)
class SphericalHarmonics:
    """u(lambda, mu) = sum over |m| <= l <= T of u_lm P_lm(mu) exp(i m lambda), for real fields of sin(latitude) mu.

    P_lm are the associated Legendre functions with mean square 1 on [-1, 1], so that the mean of u^2 on the sphere is
    sum_l (|u_l0|^2 + 2 sum_{m>0} |u_lm|^2). Coefficients are [T + 1, T + 1] over (m, l), m >= 0, zero where l < m.

    Args:
        degree: T, the triangular truncation.

    Accuracy:
        Round-off in float64. `grid` is the smallest on which products of two fields of degree T are exact in the
        coefficients up to T.

    Source: Durran 2010 (Numerical Methods for Fluid Dynamics), section 6.4; recurrences of the normalised functions.
    """

    degree: int

    @functools.cached_property
    def nodes(self) -> tuple[np.ndarray, np.ndarray]:
        """mu and weights of the Gauss-Legendre latitudes."""
        return np.polynomial.legendre.leggauss((3 * self.degree + 2) // 2 + 1)

    @property
    def longitudes(self) -> int:
        """Points around a latitude circle."""
        return 3 * self.degree + 2

    @functools.cached_property
    def _at_nodes(self) -> tuple[np.ndarray, np.ndarray]:
        return self.legendre(self.nodes[0])

    @property
    def laplacian(self) -> Float[np.ndarray, "m l"]:
        """-l (l + 1), the eigenvalues of the Laplacian on the unit sphere."""
        degrees = np.arange(self.degree + 1)
        return np.broadcast_to(-degrees * (degrees + 1.0), (self.degree + 1, self.degree + 1))

    @property
    def inside(self) -> Float[np.ndarray, "m l"]:
        """1 for the coefficients that there are, l >= m, and 0 for the others."""
        return np.triu(np.ones((self.degree + 1, self.degree + 1)))

    def legendre(self, mu: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """P_lm and their derivatives by mu at points strictly inside (-1, 1), each [point, m, l]."""
        top = self.degree + 2
        p = np.zeros((len(mu), top, top))
        p[:, 0, 0] = 1.0
        for m in range(1, top):
            p[:, m, m] = np.sqrt((2 * m + 1) / (2 * m)) * np.sqrt(1 - mu**2) * p[:, m - 1, m - 1]
        m, l = np.meshgrid(np.arange(top), np.arange(top), indexing="ij")
        with np.errstate(invalid="ignore"):
            # mu P_lm = e_{l+1} P_{l+1} + e_l P_{l-1}
            e = np.where(l > m, np.sqrt(np.maximum(l**2 - m**2, 0) / (4.0 * l**2 - 1)), 0.0)
        for l_ in range(1, top):
            orders = slice(0, l_)
            below = e[orders, l_ - 1] * p[:, orders, l_ - 2] if l_ > 1 else 0.0
            p[:, orders, l_] = (mu[:, None] * p[:, orders, l_ - 1] - below) / e[orders, l_]
        t = self.degree + 1
        up, down = p[:, :t, 1:], np.concatenate([np.zeros_like(p[:, :t, :1]), p[:, :t, : t - 1]], axis=2)
        slopes = (l[:t, :t] + 1) * e[:t, :t] * down - l[:t, :t] * e[:t, 1:] * up
        return p[:, :t, :t], slopes / (1 - mu**2)[:, None, None]

    def to_nodes(self, c: Complex[Array, "m l"], *, slope: bool = False) -> Float[Array, "y x"]:
        """The field on the Gauss grid; with `slope` its derivative by mu."""
        return self._synthesis(c, self._at_nodes[1 if slope else 0], self.longitudes)

    def to_coefficients(self, u: Float[Array, "y x"]) -> Complex[Array, "m l"]:
        """Coefficients of a field on the Gauss grid."""
        waves = rfftn(u, (1,))[:, : self.degree + 1]
        weighted = self._at_nodes[0] * (self.nodes[1] / 2)[:, None, None]
        return jnp.einsum("ym,yml->ml", waves, jnp.asarray(weighted, u.dtype))

    def to_latitudes(self, c: Complex[Array, "m l"], shape: tuple[int, int], shift: float = 0.5) -> Float[Array, "y x"]:
        """The field at the centres of equal cells of colatitude and longitude, [y, x] from the north pole on.

        Args:
            c: coefficients.
            shape: cells.
            shift: of the longitudes against the cells' edges, in cells.
        """
        mu = np.cos((np.arange(shape[0]) + 0.5) * np.pi / shape[0])
        turned = c * np.exp(1j * np.arange(self.degree + 1) * 2 * np.pi * shift / shape[1])[:, None]
        return self._synthesis(turned, self.legendre(mu)[0], shape[1])

    def from_latitudes(self, u: Float[Array, "y x"], shift: float = 0.5) -> Complex[Array, "m l"]:
        """Coefficients of a field at the cells of `to_latitudes`, in the sense of least squares.

        More latitudes than T and more than 2 T longitudes give those of a field of degree T back.
        """
        mu = np.cos((np.arange(u.shape[0]) + 0.5) * np.pi / u.shape[0])
        inverse = np.linalg.pinv(self.legendre(mu)[0].transpose(1, 0, 2))
        turn = np.exp(-1j * np.arange(self.degree + 1) * 2 * np.pi * shift / u.shape[1])
        waves = rfftn(u, (1,))[:, : self.degree + 1]
        found = jnp.einsum("mly,ym->ml", jnp.asarray(inverse, u.dtype), waves)
        return found * jnp.asarray(turn[:, None] * self.inside, found.dtype)

    def _synthesis(self, c: Complex[Array, "m l"], p: np.ndarray, longitudes: int) -> Float[Array, "y x"]:
        waves = jnp.einsum("ml,yml->ym", c, jnp.asarray(p, c.real.dtype))
        kept = min(longitudes // 2 + 1, self.degree + 1)
        half = jnp.pad(waves[:, :kept], ((0, 0), (0, longitudes // 2 + 1 - kept)))
        return irfftn(half, (longitudes,), (1,))
