"""Envelopes of spectral-mixture kernels and their derivatives: the Gaussian, and Matern functions of half order."""

import math
from collections.abc import Sequence

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

# Twice the order of a Matern function: the degrees of freedom of the Student-t density it is the transform of.
DEGREES = {"matern12": 1, "matern32": 3, "matern52": 5, "matern72": 7}
ENVELOPES = ("gaussian", *DEGREES)
HIGHEST = 4
# gamma^(p) = alpha^p P_p(s) exp(-s) with s = alpha |z|, times the sign of z at odd p: coefficients of P_p, s^0 first.
_POLYNOMIALS = {
    "matern12": ((1,),),
    "matern32": ((1, 1), (0, -1), (-1, 1)),
    "matern52": ((1, 1, 1 / 3), (0, -1 / 3, -1 / 3), (-1 / 3, -1 / 3, 1 / 3), (0, 1, -1 / 3), (1, -5 / 3, 1 / 3)),
    "matern72": (
        (1, 1, 2 / 5, 1 / 15),
        (0, -1 / 5, -1 / 5, -1 / 15),
        (-1 / 5, -1 / 5, 0, 1 / 15),
        (0, 1 / 5, 1 / 5, -1 / 15),
        (1 / 5, 1 / 5, -2 / 5, 1 / 15),
    ),
}


def highest_order(envelope: str) -> int:
    """The highest derivative of an envelope that exists at lag 0 and is known here: 2 ceil(nu) - 2, at most 4.

    Raises:
        ValueError: for an unknown envelope.
    """
    if envelope not in ENVELOPES:
        raise ValueError(f"envelope: got {envelope!r}, wanted one of {', '.join(ENVELOPES)}")
    return HIGHEST if envelope == "gaussian" else min(HIGHEST, DEGREES[envelope] - 1)


def envelope_derivatives(
    envelope: str, scale: Float[Array, "q"], lag: Float[Array, "*n"], orders: int
) -> list[Float[Array, "*n q"]]:
    """Derivatives 0 .. orders of an envelope in the signed lag z.

        gaussian: exp(-a z^2),    matern: P(alpha |z|) exp(-alpha |z|),  alpha = sqrt(2 nu) / l

    Args:
        envelope: one of `ENVELOPES`.
        scale: a, 1 / length^2, of Gaussians; 1 / l of Matern functions.
        lag: z.
        orders: highest derivative.

    Raises:
        ValueError: for a derivative that the envelope does not have at lag 0, see `highest_order`.
    """
    if orders > highest_order(envelope):
        raise ValueError(
            f"orders: got {orders} of the envelope {envelope}, whose derivatives at lag 0 end at order "
            f"{highest_order(envelope)}; take a smoother one, such as matern72"
        )
    z = lag[..., None]
    scale = scale.reshape((1,) * lag.ndim + scale.shape)
    if envelope == "gaussian":
        return _gaussian(scale, z, orders)
    alpha = math.sqrt(DEGREES[envelope]) * scale
    s = alpha * jnp.abs(z)
    decay = jnp.exp(-s)
    return [
        (alpha * jnp.sign(z) if order % 2 else alpha) * alpha ** (order - 1) * _horner(coefficients, s) * decay
        if order
        else _horner(coefficients, s) * decay
        for order, coefficients in enumerate(_POLYNOMIALS[envelope][: orders + 1])
    ]


def _gaussian(a: jax.Array, z: jax.Array, orders: int) -> list[jax.Array]:
    """By the recursion of Hermite's polynomials: g^(p+1) = -2 a (z g^(p) + p g^(p-1))."""
    found = [jnp.exp(-a * z**2)]
    for order in range(orders):
        before = found[order - 1] if order else 0.0
        found.append(-2 * a * (z * found[order] + order * before))
    return found


def _horner(coefficients: Sequence[float | int], s: jax.Array) -> jax.Array:
    value = jnp.full_like(s, coefficients[-1])
    for coefficient in reversed(coefficients[:-1]):
        value = value * s + coefficient
    return value
