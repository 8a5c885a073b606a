"""An exact or manufactured solution for every equation, and the grids and steps at which its errors show."""

import dataclasses
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np

from pdes import equations as of
from pdes import travelling
from pdes.equations import Equation
from pdes.manufactured import Manufactured
from spectral.grid import Grid

BOX = 2 * np.pi
Point = Callable[[jax.Array], jax.Array]


@dataclasses.dataclass(frozen=True)
class Case:
    """One equation against one solution.

    Args:
        name: of the equation and what is special.
        solution: in a few words.
        equation: points per axis to the equation.
        exact: grid and time to the fields there.
        points: per axis: too few, and enough for round-off or near it.
        time: end.
        steps: time steps at which the order shows, halved once more for the second error; 0 where the stepper is exact.
    """

    name: str
    solution: str
    equation: Callable[[int], Equation]
    exact: Callable[[Grid, float], np.ndarray]
    points: tuple[int, int]
    time: float
    steps: int


def lap(u: Point) -> Point:
    """Laplacian of a function of a point, by automatic differentiation: independent of every spectrum."""
    return lambda x: jnp.trace(jax.hessian(u)(x))


def manufactured(
    equation: Equation, profile: Callable[[jax.Array], jax.Array], rhs: Callable[[list[Point]], list[Point]]
) -> Equation:
    """`equation` with the source for U(x - c t), U = profile; `rhs` is the equation as it is written, of its fields."""
    grid, velocity = equation.grid, drift(equation.grid)
    count = len(equation.fields)
    fields: list[Point] = [lambda x, i=i: profile(x)[i] for i in range(count)]
    rates = rhs(fields)

    def at(x: jax.Array) -> jax.Array:
        carried = [jnp.dot(jax.grad(u)(x), jnp.array(velocity)) for u in fields]
        return jnp.stack([-c - rate(x) for c, rate in zip(carried, rates, strict=True)])

    points = jnp.stack([jnp.asarray(x.ravel()) for x in grid.mesh], axis=1)
    source = np.asarray(jax.jit(jax.vmap(at))(points)).T.reshape(count, *grid.shape)
    return Manufactured(equation, velocity, source if count > 1 else source[0])


def drift(grid: Grid) -> tuple[float, ...]:
    return (0.7, -0.4, 0.3)[: grid.ndim]


def profile(x: jax.Array) -> jax.Array:
    """Two smooth fields that are no trigonometric polynomials, on [0, 2 pi)^d; the first is free of a mean."""
    first = jnp.sin(x[0] + 0.8 * jnp.sin(x[-1])) + (0.0 if len(x) == 1 else 0.5 * jnp.sin(x[1] + 0.5 * jnp.cos(x[1])))
    return jnp.stack([first, 1 / (2 + jnp.cos(x[0] - 1) * jnp.sin(x[-1]))])


def moved(grid: Grid, time: float, fields: int = 1) -> np.ndarray:
    """`profile` on the grid after it has travelled."""
    x = np.stack([(x - c * time).ravel() for x, c in zip(grid.mesh, drift(grid), strict=True)], axis=1)
    values = np.asarray(jax.vmap(profile)(jnp.asarray(x))).T.reshape(2, *grid.shape)
    return values[0] if fields == 1 else values


def line(n: int, length: float = BOX) -> Grid:
    return Grid((n,), (length,))


def square(n: int, length: float = BOX) -> Grid:
    return Grid((n, n), (length,))


def kuramoto_sivashinsky(n: int) -> Equation:
    def rhs(fields: list[Point]) -> list[Point]:
        (u,) = fields
        return [lambda x: -u(x) * jax.grad(u)(x)[0] - lap(u)(x) - lap(lap(u))(x)]

    return manufactured(of.KuramotoSivashinsky(line(n)), profile, rhs)


def kuramoto_sivashinsky_2d(n: int) -> Equation:
    def rhs(fields: list[Point]) -> list[Point]:
        (h,) = fields
        return [lambda x: -0.5 * jnp.sum(jax.grad(h)(x) ** 2) - lap(h)(x) - lap(lap(h))(x)]

    return manufactured(of.KuramotoSivashinsky(square(n)), profile, rhs)


def cahn_hilliard(n: int) -> Equation:
    def rhs(fields: list[Point]) -> list[Point]:
        (u,) = fields
        return [lap(lambda x: u(x) ** 3 - u(x) - 0.3**2 * lap(u)(x))]

    return manufactured(of.CahnHilliard(line(n), 0.3), profile, rhs)


def gray_scott(n: int) -> Equation:
    feed, kill, of_u, of_v = 0.4, 0.6, 0.2, 0.1

    def rhs(fields: list[Point]) -> list[Point]:
        u, v = fields
        return [
            lambda x: of_u * lap(u)(x) - u(x) * v(x) ** 2 + feed * (1 - u(x)),
            lambda x: of_v * lap(v)(x) + u(x) * v(x) ** 2 - (feed + kill) * v(x),
        ]

    return manufactured(of.GrayScott(square(n), feed, kill, (of_u, of_v)), profile, rhs)


def navier_stokes(n: int) -> Equation:
    """Vorticity -Lap psi of the stream function psi = profile."""

    def psi(x: jax.Array) -> jax.Array:
        return profile(x)[0]

    def rhs(fields: list[Point]) -> list[Point]:
        (w,) = fields

        def rate(x: jax.Array) -> jax.Array:
            (psi_x, psi_y), (w_x, w_y) = jax.grad(psi)(x), jax.grad(w)(x)
            return -(psi_y * w_x - psi_x * w_y) + 0.02 * lap(w)(x) - 0.1 * w(x)

        return [rate]

    return manufactured(of.NavierStokes(square(n), 0.02, 0.1), lambda x: -lap(psi)(x)[None], rhs)


def vorticity(grid: Grid, time: float) -> np.ndarray:
    x = np.stack([(x - c * time).ravel() for x, c in zip(grid.mesh, drift(grid), strict=True)], axis=1)
    return np.asarray(jax.vmap(lambda x: -lap(lambda y: profile(y)[0])(x))(jnp.asarray(x))).reshape(grid.shape)


WIND = (1.0, -0.5)
CASES = [
    Case("advection", "waves", lambda n: of.AdvectionDiffusion(square(n), WIND),
         lambda g, t: travelling.harmonics(g, t, WIND, 0.0), (4, 16), 1.0, 0),
    Case("advection-diffusion", "waves", lambda n: of.AdvectionDiffusion(square(n), WIND, 0.05),
         lambda g, t: travelling.harmonics(g, t, WIND, 0.05), (4, 16), 1.0, 0),
    Case("heat, 3-D", "waves", lambda n: of.AdvectionDiffusion(Grid((n,) * 3, (BOX,)), (0.0,) * 3, 0.1),
         lambda g, t: travelling.harmonics(g, t, (0.0,) * 3, 0.1), (4, 12), 1.0, 0),
    Case("wave", "standing waves on a moving mean", lambda n: of.Wave(square(n), 1.5),
         lambda g, t: travelling.standing_waves(g, t, 1.5), (4, 16), 1.0, 0),
    Case("Burgers", "Cole-Hopf", lambda n: of.Burgers(line(n), 0.2),
         lambda g, t: travelling.potential_burgers(g, t, 0.2, 0.8)[0], (24, 96), 1.0, 8),
    Case("Burgers, 2-D", "Cole-Hopf of a gradient", lambda n: of.VectorBurgers(square(n), 0.2),
         lambda g, t: travelling.potential_burgers(g, t, 0.2), (16, 48), 1.0, 8),
    Case("Korteweg-de Vries", "soliton", lambda n: of.KortewegDeVries(line(n, 20.0)),
         lambda g, t: travelling.kdv_soliton(g, t, 9.0), (96, 256), 0.5, 128),
    Case("Kuramoto-Sivashinsky", "manufactured", kuramoto_sivashinsky, moved, (16, 64), 0.5, 16),
    Case("Kuramoto-Sivashinsky, 2-D", "manufactured", kuramoto_sivashinsky_2d, moved, (16, 48), 0.5, 16),
    Case("Allen-Cahn", "fronts into 0", lambda n: of.AllenCahn(line(n, 10.0), 0.05),
         lambda g, t: travelling.allen_cahn_front(g, t, 0.05), (192, 768), 2.0, 8),
    Case("Cahn-Hilliard", "manufactured", cahn_hilliard, moved, (24, 96), 0.5, 16),
    Case("Gray-Scott, 2-D", "manufactured", gray_scott, lambda g, t: moved(g, t, 2), (24, 64), 2.0, 8),
    Case("Fisher-KPP", "fronts of speed 5/sqrt 6", lambda n: of.FisherKPP(line(n, 240.0), 1.0),
         lambda g, t: travelling.fisher_front(g, t, 1.0), (128, 512), 4.0, 8),
    Case("Schroedinger", "bright soliton", lambda n: of.Schroedinger(line(n, 8 * np.pi), 2.0),
         lambda g, t: travelling.bright_soliton(g, t, 2.0, 0.5, 2.0), (64, 256), 1.0, 64),
    Case("Schroedinger, 2-D", "plane wave", lambda n: of.Schroedinger(square(n), -1.0),
         lambda g, t: travelling.plane_wave(g, t, (1, -2), 1.2, -1.0), (6, 16), 1.0, 8),
    Case("Navier-Stokes", "manufactured", navier_stokes, vorticity, (24, 72), 0.5, 8),
]  # fmt: skip
