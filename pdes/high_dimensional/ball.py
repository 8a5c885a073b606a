"""Semilinear equations in the unit ball with a solution that couples neighbouring coordinates."""

import abc
import dataclasses
import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Key

from ..generators.checks import is_number
from .point_problem import Field, PointProblem, normal


@dataclasses.dataclass(frozen=True)
class BallProblem(PointProblem):
    """Lap u + g(u) = f for |x| < 1, u = 0 for |x| = 1, with f such that

        u(x) = (1 - |x|^2) sum_{i < d} c_i sin(x_i + cos x_{i+1} + x_{i+1} cos x_i),    c_i ~ N(0, 1).

    Points have a uniform direction and a uniform radius: uniform in the volume, all of them would be next to the
    sphere in many dimensions, where u vanishes.

    Args:
        dims: d, at least 2.
        points: points of a sample.
        seed: of the coefficients c, which are a part of the problem.

    Raises:
        ValueError: for numbers out of range.

    Source: Hu et al. (arXiv 2307.12306), section 5.1: "inseparable, anisotropic, nontrivial" solutions, points, and
        coefficients, the latter from another random stream.
    """

    dims: int = 100
    points: int = 25
    seed: int = 0

    def __post_init__(self) -> None:
        self.check(least_dims=2)
        if not is_number(self.seed) or self.seed != int(self.seed) or self.seed < 0:
            raise ValueError(f"seed: got {self.seed!r}, wanted a whole number of at least 0")

    @staticmethod
    @abc.abstractmethod
    def reaction(u: Float[Array, "*b"]) -> Float[Array, "*b"]:
        """g(u)."""

    @functools.cached_property
    def coefficients(self) -> Float[np.ndarray, "c"]:
        """c, float64."""
        return np.random.default_rng(self.seed).standard_normal(self.dims - 1)

    def point(self, key: Key[Array, ""]) -> Float[Array, "d"]:
        """Uniform direction, uniform radius."""
        direction, radius = jax.random.split(key)
        x = normal(direction, self.dims)
        return x * (jax.random.uniform(radius, (), jnp.float32) / jnp.linalg.norm(x))

    def exact(self, x: Float[Array, "d"]) -> Float[Array, ""]:
        """u(x)."""
        return (1 - jnp.sum(x**2)) * interaction(x, self._c(x)).value

    def laplacian(self, x: Float[Array, "d"]) -> Float[Array, ""]:
        """Lap u of the exact solution, in O(d) operations:

        with s the sum, (1 - |x|^2) Lap s - 4 x . grad s - 2 d s.
        """
        s = interaction(x, self._c(x))
        return (1 - jnp.sum(x**2)) * s.laplacian - 4 * s.radial - 2 * self.dims * s.value

    def rest(self, u: Field, x: Float[Array, "d"]) -> Float[Array, ""]:
        """g(u) - f."""
        return self.reaction(u(x)) - self.laplacian(x) - self.reaction(self.exact(x))

    def parameters(self) -> dict[str, float | str]:
        return super().parameters() | {"seed": float(self.seed)}

    def _c(self, x: Float[Array, "d"]) -> Float[Array, "c"]:
        return jnp.asarray(self.coefficients, x.dtype)


class Interaction(NamedTuple):
    """s = sum_i c_i sin(phi_i) at a point, x . grad s, and Lap s."""

    value: Float[Array, ""]
    radial: Float[Array, ""]
    laplacian: Float[Array, ""]


def interaction(x: Float[Array, "d"], c: Float[Array, "c"]) -> Interaction:
    """The sum over neighbours with its derivatives, phi_i = a + cos b + b cos a for a = x_i, b = x_{i+1}."""
    a, b = x[:-1], x[1:]
    sin_a, cos_a, sin_b, cos_b = jnp.sin(a), jnp.cos(a), jnp.sin(b), jnp.cos(b)
    phi = a + cos_b + b * cos_a
    phi_a, phi_b = 1 - b * sin_a, cos_a - sin_b
    # phi_aa + phi_bb, and the square of the gradient.
    curved, steep = -b * cos_a - cos_b, phi_a**2 + phi_b**2
    sine, cosine = c * jnp.sin(phi), c * jnp.cos(phi)
    return Interaction(
        jnp.sum(sine), jnp.sum(cosine * (a * phi_a + b * phi_b)), jnp.sum(cosine * curved - sine * steep)
    )
