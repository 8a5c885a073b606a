"""Trajectories: a step repeated under `lax.scan`."""

from collections.abc import Callable

import jax
from jaxtyping import Array, Complex


def rollout(
    step: Callable[[jax.Array], jax.Array],
    u0_hat: Complex[Array, "*k"],
    n_outputs: int,
    inner_steps: int = 1,
    remat: bool = True,
) -> Complex[Array, "t *k"]:
    """Records every `inner_steps`-th state of a trajectory.

    Args:
        step: one time step, from any of the steppers.
        u0_hat: first state, unbatched (batches go through `jax.vmap`); it is not recorded.
        n_outputs: states recorded.
        inner_steps: time steps between two of them.
        remat: keep only the recorded states for the backward pass and repeat the steps between them, so that memory
            grows with n_outputs + inner_steps instead of their product.

    Returns:
        States after inner_steps, 2 inner_steps, ... steps.

    Raises:
        ValueError: for counts below one.
    """
    if n_outputs < 1 or inner_steps < 1:
        raise ValueError(f"n_outputs, inner_steps: got {n_outputs}, {inner_steps}, wanted at least 1 each")

    def advance(u: jax.Array, _: None) -> tuple[jax.Array, jax.Array]:
        u, _ = jax.lax.scan(lambda v, _: (step(v), None), u, length=inner_steps)
        return u, u

    # A scan already keeps XLA from merging the two passes, so checkpoint need not guard against that.
    body = jax.checkpoint(advance, prevent_cse=False) if remat else advance
    return jax.lax.scan(body, u0_hat, length=n_outputs)[1]
