"""Flow past a fixed body in a free stream: incompressible Navier-Stokes equations in the plane."""

import dataclasses
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from .axis import Axis
from .momentum import Scalar, along_and_across
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
        Second order in space where cells are equal. Away from the body second order in time, too; a steady state
        does not depend on the time step, but for velocities of about 0.01 dt |grad p| inside the body.

    Source:
        Harlow and Welch 1965 (staggered cells); Leonard 1979 (QUICK); Le and Moin 1991 and Verzicco and Orlandi 1996
        (the Runge-Kutta scheme with pressure corrections); Lynch, Rice and Thomas 1964 (the Poisson solver).
    """

    x: Axis
    y: Axis
    dt: float

    def hold(self, body: Body, viscosity: Scalar) -> Pair:
        """Rates at which a body takes velocity away, for both components on their faces.

        Args:
            body: signed distance to its surface; it lies within the fine cells of both axes, two cells from their ends.
            viscosity: kinematic.
        """
        return (
            self._hold(body, viscosity, self.x.faces[1:-1], self.y.centres, (1, 0)),
            self._hold(body, viscosity, self.x.centres, self.y.faces[1:-1], (0, 1)),
        )

    def _hold(self, body: Body, viscosity: Scalar, x: np.ndarray, y: np.ndarray, outer: tuple[int, int]) -> jax.Array:
        """On points (x, y), and zero on the outer faces of one of the axes."""
        # The inner face i lies behind cell i: the fine cells but the last.
        fine = [slice(a.fine.start, a.fine.stop - n) for a, n in zip((self.x, self.y), outer, strict=True)]
        rate, solid = wall_damping(body, x[fine[0]], y[fine[1]], self.x.spacing)
        most = _SOLID / self.dt
        rate = jnp.where(solid > 0, most, jnp.minimum(viscosity * rate, most))
        everywhere = jnp.zeros((len(x), len(y))).at[fine[0], fine[1]].set(rate)
        return jnp.pad(everywhere, [(n, n) for n in outer])

    def start(self, stream: Pair, damping: Pair) -> Flow:
        """The stream everywhere but in the body; the first step makes it free of sources."""
        fluid = [jnp.where(k * self.dt < 1, 1.0, 0.0) for k in damping]
        return Flow(stream[0] * fluid[0], stream[1] * fluid[1], jnp.zeros((self.x.cells, self.y.cells)))

    def step(
        self, flow: Flow, damping: Pair, stream: Pair, viscosity: Scalar
    ) -> tuple[Flow, Float[Array, "2"]]:
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
        dt, force = self.dt, jnp.zeros(2)
        last = (jnp.zeros_like(flow.u), jnp.zeros_like(flow.v))
        for a, b in zip(_NOW, _LAST, strict=True):
            share = (a + b) * dt
            tendency = self._tendency(flow, stream, viscosity)
            slope = self._pressure_slope(flow.p)
            moved = [q + dt * (a * n + b * m) - share * g for q, n, m, g in zip(flow[:2], tendency, last, slope, strict=True)]
            last = tendency
            u, v = (q / (1 + share * k) for q, k in zip(moved, damping, strict=True))
            force = force + (a + b) * jnp.stack(
                [(k * q * w).sum() for k, q, w in zip(damping, (u, v), self._measures, strict=True)]
            )
            u = self._let_out(flow.u, u, stream, share)
            correction = self._poisson(self.divergence(u, v) / share)
            slope = self._pressure_slope(correction)
            flow = Flow(u - share * slope[0], v - share * slope[1], flow.p + correction)
        return flow, force

    def divergence(self, u: Float[Array, "f n"], v: Float[Array, "m g"]) -> Float[Array, "m n"]:
        """Net flow out of every cell over its area."""
        return jnp.diff(u, axis=0) / self.x.widths[:, None] + jnp.diff(v, axis=1) / self.y.widths[None]

    @property
    def _measures(self) -> tuple[np.ndarray, np.ndarray]:
        """Area that a value of either component stands for."""
        ends = [np.concatenate([[0.0], axis.gaps, [0.0]]) for axis in (self.x, self.y)]
        return np.outer(ends[0], self.y.widths), np.outer(self.x.widths, ends[1])

    def _tendency(self, flow: Flow, stream: Pair, viscosity: Scalar) -> Pair:
        """Advection and diffusion on all faces, zero on the outer ones."""
        below, beside = jnp.full((flow.u.shape[0], 2), stream[0]), jnp.full((2, flow.v.shape[1]), stream[1])
        across_u = jnp.concatenate([below, flow.u, below], axis=1)
        out = flow.v[-1:]
        across_v = jnp.concatenate([beside, flow.v, out, out], axis=0).T
        u = along_and_across(flow.u, flow.v, across_u, self.x, self.y, viscosity)
        v = along_and_across(flow.v.T, flow.u.T, across_v, self.y, self.x, viscosity).T
        return jnp.pad(u, ((1, 1), (0, 0))), jnp.pad(v, ((0, 0), (1, 1)))

    def _pressure_slope(self, p: jax.Array) -> Pair:
        """Gradient on all faces, zero on the outer ones."""
        u, v = jnp.diff(p, axis=0) / self.x.gaps[:, None], jnp.diff(p, axis=1) / self.y.gaps[None]
        return jnp.pad(u, ((1, 1), (0, 0))), jnp.pad(v, ((0, 0), (1, 1)))

    def _let_out(self, before: jax.Array, u: jax.Array, stream: Pair, dt: float) -> jax.Array:
        """Velocity on the right side: carried out by the stream, with as much volume as enters."""
        out = before[-1] - dt * stream[0] * (before[-1] - before[-2]) / self.x.widths[-1]
        width = self.y.widths
        excess = ((out - u[0]) * width).sum() / width.sum()
        return u.at[-1].set(out - excess)

    def _poisson(self, f: jax.Array) -> jax.Array:
        """Lap phi = f with zero slope on the boundary; the mean of phi is zero."""
        (kx, vx, wx), (ky, vy, wy) = self.x.modes, self.y.modes
        sums = kx[:, None] + ky
        # As much enters as leaves, so the mean of f is zero up to rounding.
        sums.flat[np.abs(sums).argmin()] = np.inf
        vx, wx, vy, wy = (jnp.asarray(m, f.dtype) for m in (vx, wx, vy, wy))
        return vx @ ((wx @ f @ wy.T) / jnp.asarray(sums, f.dtype)) @ vy.T
