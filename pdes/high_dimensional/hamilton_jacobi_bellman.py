"""A Hamilton-Jacobi-Bellman equation backwards in time, with its solution by quadrature."""

import dataclasses
from typing import ClassVar

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Key

from ..generators.checks import check_positive
from .point_problem import Field, PointProblem, normal

# Of the integral below, which falls off double-exponentially on one side and like s on the other.
_NODES = 161


@dataclasses.dataclass(frozen=True)
class HamiltonJacobiBellman(PointProblem):
    """u_t + Lap u - |grad u|^2 = 0 for t < T, u(x, T) = log((1 + |x|^2) / 2).

    The linear quadratic control problem: u is the least expected cost. Cole and Hopf's w = exp(-u) solves the
    backward heat equation, so

        w(x, t) = E[2 / (1 + |x + sqrt(2 (T - t)) Z|^2)]
                = 2 int_0^inf exp(-s) (1 + 4 s tau)^(-d/2) exp(-s |x|^2 / (1 + 4 s tau)) ds,    tau = T - t,

    with 1 / (1 + r) = int exp(-s (1 + r)) ds and the Laplace transform of a noncentral chi-squared distribution. A
    point is (x, t), x standard normal and t uniform.

    Args:
        dims: d, the dimensions of x.
        points: points of a sample.
        time: T.

    Raises:
        ValueError: for numbers out of range.

    Accuracy: trapezoidal rule in log s, 1e-10 relative in float64 up to 10,000 dimensions.
    Source: E, Han, Jentzen (Commun. Math. Stat. 2017), where u(0, 0) = 4.5901 for d = 100 and T = 1; points as in Hu et
        al. (arXiv 2307.12306), section 5.3, who take the expectation by Monte Carlo.
    """

    name: ClassVar[str] = "hd_hjb"

    dims: int = 100
    points: int = 25
    time: float = 1.0

    def __post_init__(self) -> None:
        self.check()
        check_positive(self, "time")

    @property
    def coordinates(self) -> int:
        """x and t."""
        return self.dims + 1

    def point(self, key: Key[Array, ""]) -> Float[Array, "d"]:
        """Normal in space, uniform in time."""
        space, time = jax.random.split(key)
        t = self.time * jax.random.uniform(time, (1,), jnp.float32)
        return jnp.concatenate([normal(space, self.dims), t])

    def exact(self, x: Float[Array, "d"]) -> Float[Array, ""]:
        """u(x, t)."""
        squared, spread = jnp.sum(x[:-1] ** 2), 4 * (self.time - x[-1])
        # s in units of the width of the integrand, which no point of the domain leaves far behind.
        width = 1 / (1 + squared + self.dims / 2 * spread)
        log_s = jnp.asarray(np.linspace(-36.0, 8.0, _NODES), x.dtype)
        s = width * jnp.exp(log_s)
        grown = 1 + s * spread
        exponent = log_s - s - self.dims / 2 * jnp.log1p(s * spread) - s * squared / grown
        step = 44.0 / (_NODES - 1)
        return -(jnp.log(2 * step * width) + jax.nn.logsumexp(exponent))

    def piece(self, first: Float[Array, "*v"], second: Float[Array, "*v"]) -> Float[Array, "*v"]:
        """u_ii - u_i^2."""
        return second - first**2

    def rest(self, u: Field, x: Float[Array, "d"]) -> Float[Array, ""]:
        """u_t."""
        along_time = jnp.zeros_like(x).at[-1].set(1)
        return jax.jvp(u, (x,), (along_time,))[1]

    def parameters(self) -> dict[str, float | str]:
        return super().parameters() | {"time": self.time}
