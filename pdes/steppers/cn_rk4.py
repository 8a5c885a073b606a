"""Low-storage implicit-explicit Runge-Kutta step of Carpenter and Kennedy."""

from collections.abc import Callable

import jax
import numpy as np

from spectral.derivatives import symbol

from ..equations.base import Equation

# Times of the stages, weight of the previous increment, weight of the new one.
ALPHA = np.array([0, 0.1496590219993, 0.3704009573644, 0.6222557631345, 0.9582821306748, 1])
BETA = np.array([0, -0.4178904745, -1.192151694643, -1.697784692471, -1.514183444257])
GAMMA = np.array([0.1496590219993, 0.3792103129999, 0.8229550293869, 0.6994504559488, 0.1530572479681])


def cn_rk4(equation: Equation, dt: float) -> Callable[[jax.Array], jax.Array]:
    """Fourth-order five-stage 2N-storage Runge-Kutta for N, Crank-Nicolson inside every stage for the linear term.

        h <- N(w) + beta_k h,    w <- w + [2 mu_k lambda w + gamma_k dt h] / (1 - mu_k lambda),
        mu_k = dt (alpha_{k+1} - alpha_k) / 2,    k = 0 .. 4

    Args:
        equation: what to step.
        dt: time step.

    Returns:
        step(w_hat) -> w_hat, five evaluations of N.

    Accuracy:
        Order 4 in N and 2 in the linear term: the scheme of weakly viscous flows. The linear error is
        0.068 lambda^3 dt^2 / 12 per unit time, so at larger viscosity take `etdrk4` or `ifrk4`.

    Source:
        Carpenter and Kennedy 1994 (NASA TM 109112); with Crank-Nicolson: Canuto et al. 2007, appendix D.3.
    """
    halves = [0.5 * dt * fraction * equation.linear for fraction in np.diff(ALPHA)]
    decay = [2 * half / (1 - half) for half in halves]
    gain = [gamma * dt / (1 - half) for gamma, half in zip(GAMMA, halves, strict=True)]

    def step(w: jax.Array) -> jax.Array:
        h = equation.nonlinear(w)
        for k in range(len(GAMMA)):
            h = equation.nonlinear(w) + float(BETA[k]) * h if k else h
            w = w + (symbol(decay[k], w) * w + symbol(gain[k], w) * h)
        return w

    return step
