"""Fourth-order exponential time differencing."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import jax
import numpy as np

from spectral.derivatives import symbol

from ..equations.base import Equation


class Coefficients(NamedTuple):
    """Arrays of the shape of the linear symbol; all but the first two are times."""

    decay: np.ndarray
    half_decay: np.ndarray
    stage: np.ndarray
    first: np.ndarray
    middle: np.ndarray
    last: np.ndarray


def etdrk4_coefficients(linear: np.ndarray, dt: float, points: int = 32) -> Coefficients:
    """Exponentials of z = lambda dt, and its phi functions as means over a circle around z.

        decay = e^z - 1,  half_decay = e^(z/2) - 1,  stage = dt (e^(z/2) - 1)/z
        first = dt (-4 - z + e^z (4 - 3z + z^2))/z^3
        middle = dt (2 + z + e^z (z - 2))/z^3
        last = dt (-4 - 3z - z^2 + e^z (4 - z))/z^3

    Args:
        linear: lambda, 1 / time, real or complex.
        dt: time step.
        points: points on the circle of radius 1, none of them on the real axis.

    Returns:
        Float64 coefficients, complex where `linear` is.

    Accuracy:
        1e-13: the mean of an analytic function over a circle is its value at the centre, and nothing cancels
        on the circle. The formulas themselves lose every digit near z = 0 (-888 instead of 1/6 at z = -1e-6).

    Source:
        Kassam and Trefethen 2005 (SIAM J. Sci. Comput. 26).
    """
    z = np.asarray(linear) * dt
    sums = np.zeros((4, *z.shape), complex)
    for root in np.exp(2j * np.pi * (np.arange(points) + 0.5) / points):
        c = z + root
        e, c3 = np.exp(c), c**3
        sums[0] += (np.exp(c / 2) - 1) / c
        sums[1] += (-4 - c + e * (4 - 3 * c + c**2)) / c3
        sums[2] += (2 + c + e * (c - 2)) / c3
        sums[3] += (-4 - 3 * c - c**2 + e * (4 - c)) / c3
    means = dt * sums / points
    return Coefficients(np.expm1(z), np.expm1(z / 2), *(means if np.iscomplexobj(z) else means.real))


def etdrk4(equation: Equation, dt: float) -> Callable[[jax.Array], jax.Array]:
    """Runge-Kutta of order 4 in which the linear term is integrated exactly.

        a = E2 w + Q N(w),  b = E2 w + Q N(a),  c = E2 a + Q (2 N(b) - N(w))
        w+ = E w + f1 N(w) + 2 f2 (N(a) + N(b)) + f3 N(c)

    with E - 1, E2 - 1, Q, f1, f2, f3 the fields of `etdrk4_coefficients`, in that order. Every line is evaluated as
    an increment, w + ((E - 1) w + ...): in float32 a decay rounded next to 1 would be wrong by the same amount in
    every step, and that adds up.

    Args:
        equation: what to step.
        dt: time step.

    Returns:
        step(w_hat) -> w_hat, four evaluations of N.

    Accuracy:
        Order 4 at any viscosity; exact where N vanishes; in float32 about 1e-6 after a turn-over time. Stable while
        the advection is: a CFL number (`diagnostics.cfl`) up to about 1.

    Source:
        Cox and Matthews 2002 (J. Comput. Phys. 176), equations 26-29.
    """
    coefficients = etdrk4_coefficients(equation.linear, dt)
    return lambda w: etdrk4_step(equation, [symbol(c, w) for c in coefficients], w)


def etdrk4_step(equation: Equation, coefficients: Sequence[jax.Array], w: jax.Array) -> jax.Array:
    """One step of `etdrk4`, for who wants another time step without another program.

    Args:
        equation: what to step.
        coefficients: those of `etdrk4_coefficients`, as `spectral.derivatives.symbol` makes them.
        w: a state.
    """
    decay, half_decay, stage, first, middle, last = coefficients
    n0, half = equation.nonlinear(w), half_decay * w
    a = w + (half + stage * n0)
    na = equation.nonlinear(a)
    nb = equation.nonlinear(w + (half + stage * na))
    nc = equation.nonlinear(a + (half_decay * a + stage * (2 * nb - n0)))
    return w + (decay * w + first * n0 + 2 * middle * (na + nb) + last * nc)
