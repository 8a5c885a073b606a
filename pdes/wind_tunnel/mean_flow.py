"""The flow past a body in the mean over a time, and the force on the body."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from .momentum import Scalar
from .tunnel import Flow, Pair, Tunnel


class MeanFlow(NamedTuple):
    """Means over time at the centres of the fine cells.

    `fluctuation` is the mean of |velocity - mean|^2 / 2, `force` the mean force on the body over density and depth. The
    pressure (over density) is zero, in the mean, on the side that the stream enters through on the left.
    """

    u: Float[Array, "x y"]
    v: Float[Array, "x y"]
    p: Float[Array, "x y"]
    fluctuation: Float[Array, "x y"]
    force: Float[Array, "2"]


def mean_flow(tunnel: Tunnel, damping: Pair, stream: Pair, viscosity: Scalar, transient: int, steps: int) -> MeanFlow:
    """Means over `steps` time steps, after `transient` ones from an impulsive start. Sums are kept, no history."""

    def advance(flow: Flow) -> tuple[Flow, jax.Array]:
        return tunnel.step(flow, damping, stream, viscosity)

    def add(_, carry: tuple[Flow, jax.Array, jax.Array]) -> tuple[Flow, jax.Array, jax.Array]:
        flow, sums, force = carry
        flow, on_body = advance(flow)
        u, v, p = window(tunnel, flow)
        return flow, sums + jnp.stack([u, v, p, u**2 + v**2]), force + on_body

    flow = tunnel.start(stream, damping)
    flow = jax.lax.fori_loop(0, transient, lambda _, flow: advance(flow)[0], flow)
    fine = (tunnel.x.fine.stop - tunnel.x.fine.start, tunnel.y.fine.stop - tunnel.y.fine.start)
    _, sums, force = jax.lax.fori_loop(0, steps, add, (flow, jnp.zeros((4, *fine)), jnp.zeros(2)))
    u, v, p, squares = sums / steps
    return MeanFlow(u, v, p, (squares - u**2 - v**2) / 2, force / steps)


def window(tunnel: Tunnel, flow: Flow) -> tuple[Float[Array, "x y"], Float[Array, "x y"], Float[Array, "x y"]]:
    """Velocity and pressure at the centres of the fine cells."""
    x, y = tunnel.x.fine, tunnel.y.fine
    u = (flow.u[1:] + flow.u[:-1])[x, y] / 2
    v = (flow.v[:, 1:] + flow.v[:, :-1])[x, y] / 2
    far = (flow.p[0] * tunnel.y.widths).sum() / tunnel.y.widths.sum()
    return u, v, flow.p[x, y] - far
