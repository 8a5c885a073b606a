"""Steady problems against solutions that were there before their sources."""

import dataclasses
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np

from pdes.darcy import solve_darcy
from pdes.helmholtz import solve_helmholtz, solve_lossy_helmholtz
from spectral.grid import Grid

from .equation_cases import Field, cube, first, lap, second, slope, square


@dataclasses.dataclass(frozen=True)
class SteadyCase:
    """One problem: points per axis to relative L2 error, on too few points and on enough."""

    name: str
    solution: str
    grid: Callable[[int], Grid]
    error: Callable[[Grid], float]
    points: tuple[int, int]


def sample(u: Field, grid: Grid) -> np.ndarray:
    return np.asarray(jax.jit(u)(*map(jnp.asarray, grid.mesh)))


def relative(found: jax.Array, wanted: np.ndarray) -> float:
    return float(np.linalg.norm(found - wanted) / np.linalg.norm(wanted))


def uniform(u: Field, wavenumber: float) -> Callable[[Grid], float]:
    """-(Lap u + k^2 u) = f, of which Poisson's problem leaves the mean of u free."""

    def error(grid: Grid) -> float:
        f = sample(lambda *x: -lap(u)(*x) - wavenumber**2 * u(*x), grid)
        wanted = sample(u, grid)
        return relative(solve_helmholtz(jnp.asarray(f), grid, wavenumber), wanted - wanted.mean() * (wavenumber == 0))

    return error


def lossy(grid: Grid) -> float:
    """Real and imaginary part of the source by hand: K u for K = k^2 (1 + i d) s, u = p + i q."""
    wavenumber, loss = 3.3, 0.2
    p, q, s = first, second, lambda *x: 1 + 0.4 * jnp.sin(x[0] + 0.5 * jnp.cos(x[-1]))
    k2 = wavenumber**2
    real = sample(lambda *x: -lap(p)(*x) - k2 * s(*x) * (p(*x) - loss * q(*x)), grid)
    imaginary = sample(lambda *x: -lap(q)(*x) - k2 * s(*x) * (q(*x) + loss * p(*x)), grid)
    solve = jax.jit(lambda f, medium: solve_lossy_helmholtz(f, medium, grid, wavenumber, loss, 1e-12))
    found = solve(jnp.asarray(real + 1j * imaginary), jnp.asarray(sample(s, grid)))
    return relative(found, sample(p, grid) + 1j * sample(q, grid))


def darcy(grid: Grid) -> float:
    """-div(a grad u) = f in the unit square, 0 around it, on the centres of cells."""

    def u(x: jax.Array, y: jax.Array) -> jax.Array:
        return jnp.sin(np.pi * x) * jnp.sin(2 * np.pi * y) * jnp.exp(x)

    def a(x: jax.Array, y: jax.Array) -> jax.Array:
        return 2 + jnp.sin(3 * x + 2 * y)

    def flux(axis: int) -> Field:
        return lambda *x: a(*x) * slope(u, axis)(*x)

    centres = [jnp.asarray(x + h / 2) for x, h in zip(grid.mesh, grid.spacing, strict=True)]

    @jax.jit
    def solved() -> tuple[jax.Array, jax.Array]:
        along, across = (slope(flux(axis), axis)(*centres) for axis in range(2))
        f = -along - across
        return solve_darcy(a(*centres), f, grid), u(*centres)

    found, wanted = solved()
    return relative(found, np.asarray(wanted))


# By cells, of second order.
CELLS = [SteadyCase("Darcy", "manufactured, by cells of second order", lambda n: Grid((n, n)), darcy, (16, 128))]
STEADY = [
    SteadyCase("Poisson", "manufactured", square, uniform(second, 0.0), (12, 64)),
    SteadyCase("Poisson, 3-D", "manufactured", cube, uniform(first, 0.0), (8, 32)),
    SteadyCase("Helmholtz", "manufactured", square, uniform(second, 3.3), (12, 64)),
    SteadyCase("Helmholtz, lossy medium", "manufactured", square, lossy, (12, 64)),
]
