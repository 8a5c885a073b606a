"""Advection and diffusion of one velocity component on a staggered grid."""

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from .axis import Axis

Scalar = Float[Array, ""] | float


def along_and_across(
    u: Float[Array, "f n"], v: Float[Array, "m g"], across: Float[Array, "f _"], x: Axis, y: Axis, viscosity: Scalar
) -> Float[Array, "_ n"]:
    """-div(u (u, v)) + viscosity Lap u of the component u along the first axis, at its inner faces.

    In conservation form. Transported values are upwind-biased parabolas (QUICK), everything else is central: second
    order on equal cells.

    Args:
        u: component along x on the faces of x and the cells of y.
        v: component along y on the cells of x and the faces of y.
        across: u with two values more at both ends of y.
        x, y: axes of the grid.
        viscosity: kinematic.

    Returns:
        The tendency on the faces of x but the first and the last.
    """
    gap, width_y = x.gaps[:, None], y.widths[None]
    speed = (u[1:] + u[:-1]) / 2
    flux_x = _transported(jnp.pad(u, ((1, 1), (0, 0)), mode="edge"), speed)
    # Means of v that conserve mass in the cells of u, so that a uniform stream stays uniform.
    speed = (x.widths[:-1, None] * v[:-1] + x.widths[1:, None] * v[1:]) / (2 * gap)
    flux_y = _transported(across[1:-1].T, speed.T).T
    slope_x = jnp.diff(u, axis=0) / x.widths[:, None]
    gaps_y = np.concatenate([y.widths[:1], y.gaps, y.widths[-1:]])[None]
    slope_y = jnp.diff(across[1:-1, 1:-1], axis=1) / gaps_y
    return jnp.diff(viscosity * slope_x - flux_x, axis=0) / gap + jnp.diff(viscosity * slope_y - flux_y, axis=1) / width_y


def _transported(u: jax.Array, speed: jax.Array) -> jax.Array:
    """speed u between the middle ones of every four values along the first axis, from the side that it comes from."""
    a, b, c, d = u[:-3], u[1:-2], u[2:-1], u[3:]
    return (speed * (9 * (b + c) - a - d) + jnp.abs(speed) * (3 * (b - c) + d - a)) / 16
