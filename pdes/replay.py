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
from .steppers import etdrk4, rollout


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
    the number of steps need not be known.

    Args:
        flow: grid -> the equation on it; what is compiled for a function is kept.
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
    shape = u.shape[2:]
    degree = max(2, flow(Grid(shape, extent)).degree)
    fine = Grid(tuple(math.ceil((degree + 1) / 2 * n) for n in shape), extent)
    with jax.enable_x64(True):
        start = jnp.asarray(u, jnp.float64)
        before = None
        for count in (steps * 2**i for i in range(doublings + 1)):
            after = np.asarray(_program(flow, fine, duration, count)(start))
            if before is not None and np.isfinite(after).all():
                # Of every state by itself; beside one at rest, round-off is no change.
                rest = 1e-12 * _norms(np.asarray(start))
                if np.all(_norms(after - before) <= tolerance * _norms(after - np.asarray(start)) + rest):
                    return after
            before = after
    raise FloatingPointError(
        f"duration: got {duration:g} in {count} steps, which are too few, wanted states that settle as steps are "
        f"doubled; begin with more than {steps} of them, or take states that are closer"
    )


@functools.lru_cache(maxsize=32)
def _program(flow: Callable[[Grid], Equation], grid: Grid, duration: float, steps: int) -> Callable[[Array], Array]:
    """Compiled once for all states that an equation is asked about."""
    return jax.jit(functools.partial(_advance, flow(grid), duration, steps))


def _norms(u: np.ndarray) -> np.ndarray:
    return np.sqrt((u**2).sum(axis=tuple(range(1, u.ndim))))


def _advance(equation: Equation, duration: float, steps: int, u: Float[Array, "b field *space"]) -> Array:
    step = etdrk4(equation, duration / steps)
    shape, fine = u.shape[2:], equation.grid.shape
    several = len(equation.fields) > 1

    def one(state: Float[Array, "field *space"]) -> Float[Array, "field *space"]:
        axes = tuple(range(1, state.ndim))
        start = resize(state, fine, axes)
        end = rollout(step, equation.to_spectral(start if several else start[0]), 1, steps, remat=False)[0]
        found = equation.to_physical(end)
        return resize(found if several else found[None], shape, axes)

    return jax.vmap(one)(u)
