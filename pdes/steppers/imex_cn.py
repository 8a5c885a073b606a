"""First-order implicit-explicit step."""

from collections.abc import Callable

import jax

from spectral.derivatives import symbol

from ..equations.base import Equation


def imex_cn(equation: Equation, dt: float) -> Callable[[jax.Array], jax.Array]:
    """Crank-Nicolson for the linear term, forward Euler for the rest.

        w+ = [(1 + dt lambda/2) w + dt N(w)] / (1 - dt lambda/2) = w + dt [lambda w + N(w)] / (1 - dt lambda/2)

    Args:
        equation: what to step.
        dt: time step.

    Returns:
        step(w_hat) -> w_hat, one evaluation of N.

    Accuracy:
        Order 1, and explicit in the advection: it needs a far smaller step than its implicit half suggests.

    Source:
        The data generator of Li et al. 2021 (arXiv 2010.08895). For parity with it; prefer the other schemes.
    """
    gain = dt / (1 - 0.5 * dt * equation.linear)

    def step(w: jax.Array) -> jax.Array:
        return w + symbol(gain, w) * (symbol(equation.linear, w) * w + equation.nonlinear(w))

    return step
