"""Profiles of the NACA 4-digit family: outline, area and signed distance."""

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

Number = Float[Array, ""] | float


def half_thickness(x: Float[Array, "*n"], thickness: Number) -> Float[Array, "*n"]:
    """Half the thickness at x in [0, 1], for a largest thickness that is a share of the chord.

    y = 5 t (0.2969 sqrt x - 0.1260 x - 0.3516 x^2 + 0.2843 x^3 - 0.1015 x^4)

    The trailing edge is blunt: 0.021 t thick. The profile's area, without camber, is 0.685083 t.

    Source:
        Jacobs, Ward and Pinkerton 1933, NACA report 460, page 4.
    """
    smooth = x * (-0.1260 + x * (-0.3516 + x * (0.2843 - 0.1015 * x)))
    return 5 * thickness * (0.2969 * jnp.sqrt(x) + smooth)


def camber_line(
    x: Float[Array, "*n"], camber: Number, position: Number
) -> tuple[Float[Array, "*n"], Float[Array, "*n"]]:
    """Height and slope of the mean line: two parabolas that meet at `position`, `camber` high.

    Source:
        Jacobs, Ward and Pinkerton 1933, NACA report 460, page 4.
    """
    side = jnp.where(x < position, position**2, (1 - position) ** 2)
    start = jnp.where(x < position, 0.0, 1 - 2 * position)
    return camber / side * (start + 2 * position * x - x**2), 2 * camber / side * (position - x)


def naca_outline(camber: Number, position: Number, thickness: Number, points: int = 60) -> Float[Array, "k 2"]:
    """Corners of a closed polygon on the profile, from the trailing edge over the upper side and back below.

    The thickness is laid off at right angles to the mean line, on both sides of it.

    Args:
        camber: largest height of the mean line, as a share of the chord (first digit / 100).
        position: where it is, as a share of the chord, within (0, 1) (second digit / 10).
        thickness: largest thickness, as a share of the chord (last digits / 100).
        points: on either side, closer together at the ends.

    Returns:
        2 points - 1 corners (x, y); the chord goes from (0, 0) to (1, 0).

    Accuracy:
        Areas are too small by a share of 4 / points^2.
    """
    x = jnp.asarray((1 - np.cos(np.linspace(0, np.pi, points))) / 2)
    half = half_thickness(x, thickness)
    height, slope = camber_line(x, camber, position)
    length = jnp.sqrt(1 + slope**2)
    aside, up = half * slope / length, half / length
    upper = jnp.stack([x - aside, height + up], axis=-1)
    lower = jnp.stack([x + aside, height - up], axis=-1)
    return jnp.concatenate([upper[::-1], lower[1:]])


def polygon_distance(corners: Float[Array, "k 2"], x: Float[Array, "*s"], y: Float[Array, "*s"]) -> Float[Array, "*s"]:
    """Signed distance of points to a closed polygon, negative inside. One side after the other: memory is that of x."""

    def side(carry: tuple[jax.Array, jax.Array], ends: tuple[jax.Array, jax.Array]) -> tuple:
        nearest, inside = carry
        (ax, ay), (bx, by) = ends
        dx, dy = bx - ax, by - ay
        share = jnp.clip(((x - ax) * dx + (y - ay) * dy) / (dx**2 + dy**2), 0, 1)
        square = (x - ax - share * dx) ** 2 + (y - ay - share * dy) ** 2
        # A ray to the right crosses the sides of a polygon an odd number of times from inside.
        crosses = ((ay > y) != (by > y)) & (((x - ax) * dy < (y - ay) * dx) == (dy > 0))
        return (jnp.minimum(nearest, square), inside ^ crosses), None

    start = (jnp.full(x.shape, jnp.inf, x.dtype), jnp.zeros(x.shape, bool))
    (square, inside), _ = jax.lax.scan(side, start, (corners, jnp.roll(corners, -1, axis=0)))
    return jnp.where(inside, -1.0, 1.0) * jnp.sqrt(square)
