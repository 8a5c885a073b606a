"""Advection and diffusion of one velocity component on a staggered grid."""

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from .axis import Axis

Scalar = Float[Array, ""] | float


def tendency(
    framed: Float[Array, "_ _"], other: Float[Array, "_ _"], axes: tuple[Axis, Axis], along: int, viscosity: Scalar
) -> Float[Array, "_ _"]:
    """-div(q (u, v)) + viscosity Lap q of the velocity component q along one axis, at its inner faces.

    In conservation form. Transported values are upwind-biased parabolas (QUICK), everything else is central: second
    order on equal cells.

    Args:
        framed: q on the faces of its own axis and the cells of the other one, with one value more at both ends of its
            own axis and two at those of the other.
        other: the other component on its faces, without a frame.
        axes: of the grid.
        along: the axis of q, 0 or 1.
        viscosity: kinematic.

    Returns:
        d q/dt on the faces of its own axis but the first and the last, and all cells of the other.

    Source:
        Harlow and Welch 1965 (Phys. Fluids 8), staggered cells; Leonard 1979 (Comput. Methods Appl. Mech. Eng. 19),
        QUICK.
    """
    across = 1 - along
    own, cross = axes[along], axes[across]
    gap, width = _line(own.gaps, along), _line(own.widths, along)
    line, middle = _cut(framed, across, 2, 2), _cut(framed, along, 2, 2)
    q = _cut(line, along, 1, 1)
    flux = viscosity * jnp.diff(q, axis=along) / width
    flux = flux - _transported(line, (_cut(q, along, 1, 0) + _cut(q, along, 0, 1)) / 2, along)
    # Means of the other component that conserve mass in the cells of q, so that a uniform stream stays uniform.
    carried = width * other
    speed = (_cut(carried, along, 1, 0) + _cut(carried, along, 0, 1)) / (2 * gap)
    gaps = _line(np.concatenate([cross.widths[:1], cross.gaps, cross.widths[-1:]]), across)
    flux_across = viscosity * jnp.diff(_cut(middle, across, 1, 1), axis=across) / gaps
    flux_across = flux_across - _transported(middle, speed, across)
    return jnp.diff(flux, axis=along) / gap + jnp.diff(flux_across, axis=across) / _line(cross.widths, across)


def _transported(q: jax.Array, speed: jax.Array, axis: int) -> jax.Array:
    """speed q between the middle ones of every four values along an axis, from the side that it comes from."""
    a, b, c, d = (_cut(q, axis, i, 3 - i) for i in range(4))
    return (speed * (9 * (b + c) - a - d) + jnp.abs(speed) * (3 * (b - c) + d - a)) / 16


def _cut(q: jax.Array | np.ndarray, axis: int, first: int, last: int) -> jax.Array:
    """Without so many values at both ends of an axis."""
    return jax.lax.slice_in_dim(jnp.asarray(q), first, q.shape[axis] - last, axis=axis)


def _line(values: np.ndarray, axis: int) -> np.ndarray:
    """Values along an axis of a plane."""
    return values[:, None] if axis == 0 else values[None]
