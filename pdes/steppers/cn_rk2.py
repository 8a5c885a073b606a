"""Second-order implicit-explicit step."""

from collections.abc import Callable

import jax

from spectral.derivatives import symbol

from ..equations.base import Equation


def cn_rk2(equation: Equation, dt: float) -> Callable[[jax.Array], jax.Array]:
    """Crank-Nicolson for the linear term, Heun for the rest.

        w1 = w + dt [lambda w + N(w)] / (1 - dt lambda/2)
        w+ = w + dt [lambda w + (N(w) + N(w1)) / 2] / (1 - dt lambda/2)

    Args:
        equation: what to step.
        dt: time step.

    Returns:
        step(w_hat) -> w_hat, two evaluations of N.

    Accuracy:
        Order 2 in both terms.

    Source:
        Chandler and Kerswell 2013 (J. Fluid Mech. 722).
    """
    gain = dt / (1 - 0.5 * dt * equation.linear)

    def step(w: jax.Array) -> jax.Array:
        scale, linear = symbol(gain, w), symbol(equation.linear, w) * w
        first = equation.nonlinear(w)
        second = equation.nonlinear(w + scale * (linear + first))
        return w + scale * (linear + 0.5 * (first + second))

    return step
