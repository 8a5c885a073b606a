"""From a stored state to the next, by an equation and nothing else: what a trajectory is checked with."""

import functools
import math
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from spectral.filters import resize
from spectral.grid import Grid

from .equations import Equation
from .steppers.etdrk4 import Coefficients, etdrk4_coefficients, etdrk4_step


def replay(
    flow: Callable[[Grid], Equation],
    u: Float[Array | np.ndarray, "b field *space"],
    extent: tuple[float, ...],
    duration: float,
    *,
    steps: int = 8,
    tolerance: float = 1e-4,
    doublings: int = 8,
) -> Float[np.ndarray, "b field *space"]:
    """The states a duration later, solved for on a grid where no product is aliased into a stored mode.

    ETDRK4 with twice as many steps until the end moves by less than the tolerance, relative to what the states change:
    the number of steps need not be known. Equations of degree 1 take one step, in which the scheme is exact. One
    program for a flow and a grid serves every duration and every number of steps.

    Args:
        flow: grid -> the equation on it; the same object for calls that are to share their program.
        u: states on their stored grid, all fields of the equation in its order.
        extent: side lengths of the box.
        duration: time between the states and those that are returned.
        steps: the number to begin with.
        tolerance: of the change under doubling.
        doublings: at most so many.

    Returns:
        float64 states on the same grid.

    Raises:
        FloatingPointError: where the doublings do not suffice; the time step of the data cannot be much larger.
    """
    with jax.enable_x64(True):
        equation, advance = _program(flow, u.shape[2:], tuple(extent))
        start = np.asarray(u, np.float64)
        exact, before = equation.degree == 1, None
        for count in [1] if exact else [steps * 2**i for i in range(doublings + 1)]:
            coefficients = etdrk4_coefficients(equation.linear, duration / count)
            after = np.asarray(advance(coefficients, count, start))
            if exact:
                return after
            if before is not None and np.isfinite(after).all():
                # Of every state by itself; beside one at rest, round-off is no change.
                rest = 1e-12 * _norms(start)
                if np.all(_norms(after - before) <= tolerance * _norms(after - start) + rest):
                    return after
            before = after
    raise FloatingPointError(
        f"duration: got {duration:g} in {count} steps, which are too few, wanted states that settle as steps are "
        f"doubled; begin with more than {steps} of them, or take states that are closer"
    )


def _norms(u: np.ndarray) -> np.ndarray:
    return np.sqrt((u**2).sum(axis=tuple(range(1, u.ndim))))


@functools.lru_cache(maxsize=8)
def _program(
    flow: Callable[[Grid], Equation], shape: tuple[int, ...], extent: tuple[float, ...]
) -> tuple[Equation, Callable[[Coefficients, int, np.ndarray], Array]]:
    """The equation on the grid that it is solved on, and coefficients, number of steps and states -> later states."""
    degree = max(2, flow(Grid(shape, extent)).degree)
    equation = flow(Grid(tuple(math.ceil((degree + 1) / 2 * n) for n in shape), extent))
    return equation, jax.jit(functools.partial(_advance, equation))


def _advance(equation: Equation, coefficients: Coefficients, steps: Array, u: Float[Array, "b field *space"]) -> Array:
    shape, fine = u.shape[2:], equation.grid.shape
    several = len(equation.fields) > 1

    def one(state: Float[Array, "field *space"]) -> Float[Array, "field *space"]:
        axes = tuple(range(1, state.ndim))
        start = resize(state, fine, axes)
        start = equation.to_spectral(start if several else start[0])
        widened = [jnp.reshape(c, (1,) * (start.ndim - c.ndim) + c.shape) for c in coefficients]
        end = jax.lax.fori_loop(0, steps, lambda _, w: etdrk4_step(equation, widened, w), start)
        found = equation.to_physical(end)
        return resize(found if several else found[None], shape, axes)

    return jax.vmap(one)(u)
