"""Fourth-order Runge-Kutta behind an integrating factor."""

from collections.abc import Callable

import jax
import numpy as np

from spectral.derivatives import symbol

from ..equations.base import Equation

# The classical tableau: nodes (each stage starts from the one before) and weights.
NODES = np.array([0, 1 / 2, 1 / 2, 1])
WEIGHTS = np.array([1 / 6, 1 / 3, 1 / 3, 1 / 6])


def ifrk4(equation: Equation, dt: float) -> Callable[[jax.Array], jax.Array]:
    """Classical Runge-Kutta of order 4 for v = e^(-lambda t) w.

        k_i = N(w_i),    w_i = e^(c_i dt lambda) w + c_i dt e^((c_i - c_{i-1}) dt lambda) k_{i-1},
        w+ = e^(dt lambda) w + dt sum_i b_i e^((1 - c_i) dt lambda) k_i

    Args:
        equation: what to step.
        dt: time step.

    Returns:
        step(w_hat) -> w_hat, four evaluations of N.

    Accuracy:
        Order 4; exact where N vanishes. As accurate as `etdrk4` for advection; steady states of stiff problems
        depend on dt, which those of `etdrk4` do not.

    Source:
        Canuto et al. 2007, appendix D.
    """

    def decay(fraction: float) -> np.ndarray:
        return np.exp(fraction * dt * equation.linear)

    lags = np.diff(NODES, prepend=0)
    # Applied as increments, w + (e^z - 1) w: see `etdrk4`.
    own = [np.expm1(node * dt * equation.linear) for node in (*NODES, 1)]
    previous = [node * dt * decay(lag) for node, lag in zip(NODES, lags, strict=True)]
    final = [weight * dt * decay(1 - node) for node, weight in zip(NODES, WEIGHTS, strict=True)]

    def step(w: jax.Array) -> jax.Array:
        k = equation.nonlinear(w)
        total = symbol(own[-1], w) * w + symbol(final[0], w) * k
        for i in range(1, len(NODES)):
            k = equation.nonlinear(w + (symbol(own[i], w) * w + symbol(previous[i], w) * k))
            total = total + symbol(final[i], w) * k
        return w + total

    return step
