"""A body on the grid: how strongly the velocity is held at rest at every point, and how much of a cell is solid."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

# Signed distance to the surface of a body, negative inside, of points x [*s], y [*s].
Body = Callable[[jax.Array, jax.Array], jax.Array]
_SAMPLES = 4  # per cell and axis, where the surface is looked for


def wall_damping(body: Body, x: np.ndarray, y: np.ndarray, h: float) -> tuple[Float[Array, "x y"], Float[Array, "x y"]]:
    """Where a body is and how close its surface is, for the points of a fine, square grid.

    At a fluid point whose neighbour at distance h lies behind the surface, which is met after theta h, the second
    difference takes (0 - u)/(theta h^2) for its flux towards the wall: linear interpolation to zero velocity on the
    surface. Beside the plain difference with a neighbour at rest that is a damping of nu (1 - theta)/(theta h^2) u,
    which is what is returned for nu = 1, summed over the four neighbours. Parts of a body that are thinner than a cell
    are seen too: the surface is looked for four times per cell.

    Args:
        body: signed distance.
        x, y: coordinates of the points along both axes, `h` apart.
        h: distance of neighbours.

    Returns:
        Damping over viscosity in the fluid, and 1 at solid points, 0 elsewhere.

    Source:
        Gibou, Fedkiw, Cheng and Kang 2002 (J. Comput. Phys. 176): the symmetric second-order treatment of Dirichlet
        conditions on irregular domains; Angot, Bruneau and Fabrie 1999 (Numer. Math. 81): solids as strong damping.
    """
    around = np.arange(-_SAMPLES, _SAMPLES + 1) * (h / _SAMPLES)
    x, y = x[:, None, None], y[None, :, None]
    damping = jnp.zeros((x.size, y.size))
    for line in ((x + around, y), (x, y + around)):
        distance = body(*_points(*line))
        for side in (distance[..., _SAMPLES:], distance[..., _SAMPLES::-1]):
            theta = _first_crossing(side)
            damping = damping + (1 - theta) / (theta * h**2)
    solid = distance[..., _SAMPLES] < 0
    return jnp.where(solid, 0.0, damping), jnp.where(solid, 1.0, 0.0)


def _first_crossing(distance: jax.Array) -> jax.Array:
    """Where along the last axis, as a share of it, the sign first turns negative; 1 where it does not."""
    here, there = distance[..., :-1], distance[..., 1:]
    crosses = (here >= 0) & (there < 0)
    share = jnp.where(crosses, here / jnp.where(crosses, here - there, 1.0), 1.0)
    at = (jnp.arange(_SAMPLES, dtype=share.dtype).reshape((1,) * (share.ndim - 1) + (-1,)) + share) / _SAMPLES
    # Closer than that the damping is as good as that of a solid point.
    return jnp.clip(jnp.where(crosses, at, 1.0).min(axis=-1), 1e-3, 1.0)


def solid_fraction(body: Body, x: np.ndarray, y: np.ndarray, h: float) -> Float[Array, "x y"]:
    """The share of every square cell that is inside the body, from the signed distance at 4 x 4 points of it."""
    offsets = ((np.arange(_SAMPLES) + 0.5) / _SAMPLES - 0.5) * h
    inside = 0.5 - body(*_points((x[:, None] + offsets).ravel()[:, None], (y[:, None] + offsets).ravel()[None])) * (
        _SAMPLES / h
    )
    blocks = jnp.clip(inside, 0, 1).reshape(len(x), _SAMPLES, len(y), _SAMPLES)
    return blocks.mean(axis=(1, 3))


def _points(x: np.ndarray, y: np.ndarray) -> tuple[jax.Array, jax.Array]:
    """Coordinates on their common shape, broadcast on the device: in the program they are lines."""
    shape = np.broadcast_shapes(x.shape, y.shape)
    return jnp.broadcast_to(jnp.asarray(x), shape), jnp.broadcast_to(jnp.asarray(y), shape)
