"""Flow past a fixed body in a free stream: incompressible Navier-Stokes equations in the plane."""

import dataclasses
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from .axis import Axis
from .momentum import Scalar, tendency
from .walls import Body, wall_damping

Pair = tuple[jax.Array, jax.Array]  # of both components

# Third-order Runge-Kutta of Wray, low storage: weights of this and of the last tendency.
_NOW, _LAST = (8 / 15, 5 / 12, 3 / 4), (0.0, -17 / 60, -5 / 12)
_SOLID = 100.0  # damping of solid points, per time step


class Flow(NamedTuple):
    """Velocity on faces and pressure (over density) in cells."""

    u: Float[Array, "f n"]
    v: Float[Array, "m g"]
    p: Float[Array, "m n"]


@dataclasses.dataclass(frozen=True, eq=False)
class Tunnel:
    """A rectangle in which a stream flows past a body.

        u_t + div(u u) = -grad p + nu Lap u - k u,    div u = 0

    with the damping k of the body. The stream enters with its own velocity on the left, the lower and the upper side;
    on the right, velocity is carried out. Staggered cells, QUICK and central differences, third-order Runge-Kutta with
    a pressure correction and implicit damping in every stage; the Poisson equation is solved exactly, in products of
    eigenvectors of both axes.

    Args:
        x, y: axes of the grid.
        dt: time step. Stable for (|u| + |v|) dt / h < 1.7 and nu dt / h^2 < 0.25 or so, both together.

    Accuracy:
        Second order on a vortex that decays in a stream, with the step in proportion to the cells. A steady flow does
        not depend on the time step, but for velocities of about 0.01 dt |grad p| inside the body. Drag and shedding of
        a cylinder are beside published ones in docs/pdes.md.

    Source:
        Harlow and Welch 1965 (staggered cells); Leonard 1979 (QUICK); Le and Moin 1991 and Verzicco and Orlandi 1996
        (the Runge-Kutta scheme with pressure corrections); Lynch, Rice and Thomas 1964 (the Poisson solver).
    """

    x: Axis
    y: Axis
    dt: float

    def hold(self, body: Body, viscosity: Scalar) -> Pair:
        """Rates at which a body takes velocity away, for both components on their inner faces.

        Args:
            body: signed distance to its surface; it lies within the fine cells of both axes, two cells from their ends.
            viscosity: kinematic.
        """
        most = _SOLID / self.dt
        points = (self.x.faces[1:-1], self.y.centres), (self.x.centres, self.y.faces[1:-1])
        fine = self.x.fine, self.y.fine
        rates = []
        for x, y in points:
            rate, solid = wall_damping(body, x[fine[0]], y[fine[1]], self.x.spacing)
            rate = jnp.where(solid > 0, most, jnp.minimum(viscosity * rate, most))
            rates.append(jnp.zeros((len(x), len(y)), rate.dtype).at[fine].set(rate))
        return rates[0], rates[1]

    def start(self, stream: Pair, damping: Pair) -> Flow:
        """The stream everywhere but in the body; the first step makes it free of sources."""
        fluid = [jnp.where(k * self.dt < 1, 1.0, 0.0) for k in damping]
        u = jnp.pad(fluid[0], ((1, 1), (0, 0)), constant_values=1.0)
        v = jnp.pad(fluid[1], ((0, 0), (1, 1)), constant_values=1.0)
        return Flow(stream[0] * u, stream[1] * v, jnp.zeros((self.x.cells, self.y.cells)))

    def step(self, flow: Flow, damping: Pair, stream: Pair, viscosity: Scalar) -> tuple[Flow, Float[Array, "2"]]:
        """One time step.

        Args:
            flow: velocity and pressure.
            damping: of both components by the body, as `hold` makes it.
            stream: velocity far away.
            viscosity: kinematic.

        Returns:
            The flow after it, and the mean force on the body over it (over density and depth): what the damping takes
            from the momentum.
        """
        dt, force = self.dt, jnp.zeros(2, flow.p.dtype)
        last = (jnp.zeros_like(flow.u[1:-1]), jnp.zeros_like(flow.v[:, 1:-1]))
        for a, b in zip(_NOW, _LAST, strict=True):
            share = (a + b) * dt
            now = self._tendency(flow, stream, viscosity)
            u, v = (
                (q + dt * (a * n + b * m) - share * g) / (1 + share * k)
                for q, n, m, g, k in zip(
                    (flow.u[1:-1], flow.v[:, 1:-1]), now, last, self._slope(flow.p), damping, strict=True
                )
            )
            last = now
            force = force + (a + b) * self._taken(damping, (u, v))
            u = jnp.concatenate([flow.u[:1], u, self._let_out(flow.u, stream, share)])
            v = jnp.concatenate([flow.v[:, :1], v, flow.v[:, -1:]], axis=1)
            more = self._poisson(self.divergence(u, v) / share)
            slope_u, slope_v = self._slope(more)
            u, v = u - share * jnp.pad(slope_u, ((1, 1), (0, 0))), v - share * jnp.pad(slope_v, ((0, 0), (1, 1)))
            flow = Flow(u, v, flow.p + more)
        return flow, force

    def divergence(self, u: Float[Array, "f n"], v: Float[Array, "m g"]) -> Float[Array, "m n"]:
        """Net flow out of every cell over its area."""
        return jnp.diff(u, axis=0) / self.x.widths[:, None] + jnp.diff(v, axis=1) / self.y.widths[None]

    def _tendency(self, flow: Flow, stream: Pair, viscosity: Scalar) -> Pair:
        """Advection and diffusion on the inner faces."""
        u = jnp.pad(jnp.pad(flow.u, ((1, 1), (0, 0)), mode="edge"), ((0, 0), (2, 2)), constant_values=stream[0])
        v = jnp.pad(jnp.pad(flow.v, ((0, 2), (1, 1)), mode="edge"), ((2, 0), (0, 0)), constant_values=stream[1])
        axes = self.x, self.y
        return tendency(u, flow.v, axes, 0, viscosity), tendency(v, flow.u, axes, 1, viscosity)

    def _slope(self, p: jax.Array) -> Pair:
        """Gradient on the inner faces."""
        return jnp.diff(p, axis=0) / self.x.gaps[:, None], jnp.diff(p, axis=1) / self.y.gaps[None]

    def _taken(self, damping: Pair, velocity: Pair) -> jax.Array:
        """Momentum that the damping takes in a unit of time; the body is among the fine cells."""
        x, y = self.x.fine, self.y.fine
        return self.x.spacing**2 * jnp.stack(
            [(k[x, y] * q[x, y]).sum() for k, q in zip(damping, velocity, strict=True)]
        )

    def _let_out(self, u: jax.Array, stream: Pair, dt: float) -> jax.Array:
        """Velocity on the right side, [1, y]: carried out by the stream, with as much volume as enters."""
        out = u[-1:] - dt * stream[0] * (u[-1:] - u[-2:-1]) / self.x.widths[-1]
        width = self.y.widths[None]
        return out - ((out - u[:1]) * width).sum() / width.sum()

    def _poisson(self, f: jax.Array) -> jax.Array:
        """Lap phi = f with zero slope on the boundary; the mean of phi is zero."""
        (kx, vx, wx), (ky, vy, wy) = self.x.modes, self.y.modes
        sums = kx[:, None] + ky
        # As much enters as leaves, so the mean of f is zero up to rounding.
        sums.flat[np.abs(sums).argmin()] = np.inf
        vx, wx, vy, wy = (jnp.asarray(m, f.dtype) for m in (vx, wx, vy, wy))
        return vx @ ((wx @ f @ wy.T) / jnp.asarray(sums, f.dtype)) @ vy.T
