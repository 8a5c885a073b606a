"""Functions that hold boundary and terminal values exactly, whatever the network inside them says."""

import dataclasses

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float


@dataclasses.dataclass(frozen=True)
class UnitBall:
    """u(x) = (1 - |x|^2) v(x): zero on the unit sphere."""

    def __call__(self, x: Float[Array, "*b d"], v: Float[Array, "*b 1"]) -> Float[Array, "*b 1"]:
        """Points and values of the network -> values of the solution."""
        return (1 - squared_norm(x)) * v


@dataclasses.dataclass(frozen=True)
class Terminal:
    """u(x, t) = g(x) + (T - t) v(x, t) with g(x) = log((1 + |x|^2) / 2): g at the final time; t is the last coordinate.

    Args:
        time: T.
    """

    time: float = 1.0

    def __call__(self, x: Float[Array, "*b d"], v: Float[Array, "*b 1"]) -> Float[Array, "*b 1"]:
        """Points and values of the network -> values of the solution."""
        return jnp.log((1 + squared_norm(x[..., :-1])) / 2) + (self.time - x[..., -1:]) * v


def squared_norm(x: Float[Array, "*b d"]) -> Float[Array, "*b 1"]:
    """|x|^2 as an inner product: its derivatives along directions that many points share are one matrix product.

    Those of a sum of squares are an array of points times directions times dimensions, which in 10,000 dimensions
    takes longer than the network.
    """
    return jnp.einsum("...d,...d->...", x, x, precision=jax.lax.Precision.HIGHEST)[..., None]
