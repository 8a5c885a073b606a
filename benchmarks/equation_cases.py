"""An exact or manufactured solution for every equation, and the grids and steps at which its errors show."""

import dataclasses
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np

from pdes import equations as of
from pdes import exact, travelling
from pdes.barotropic_vorticity import BarotropicVorticity
from pdes.equations import Equation
from pdes.manufactured import Manufactured
from spectral.grid import Grid

BOX = 2 * np.pi
Field = Callable[..., jax.Array]


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


def slope(u: Field, axis: int) -> Field:
    """Partial derivative by automatic differentiation: independent of every spectrum."""

    def at(*x: jax.Array) -> jax.Array:
        return jax.jvp(u, x, tuple(jnp.full_like(x[0], float(axis == a)) for a in range(len(x))))[1]

    return at


def lap(u: Field) -> Field:
    """Laplacian."""
    return lambda *x: sum((slope(slope(u, a), a)(*x) for a in range(len(x))), start=jnp.zeros_like(x[0]))


def first(*x: jax.Array) -> jax.Array:
    """A mean-free wave on [0, 2 pi)^d that is no trigonometric polynomial."""
    return jnp.sin(x[0] + 0.5 * jnp.sin(x[-1])) + (0.0 if len(x) == 1 else 0.5 * jnp.sin(x[1] + 0.5 * jnp.sin(x[1])))


def second(*x: jax.Array) -> jax.Array:
    """Another, positive."""
    return 1 / (2 + jnp.cos(x[0] - 1) * jnp.sin(x[-1]))


def stretched(u: Field, times: float) -> Field:
    return lambda *x: u(*(xi / times for xi in x))


def drift(grid: Grid) -> tuple[float, ...]:
    return (0.7, -0.4, 0.3)[: grid.ndim]


def moved(*fields: Field) -> Callable[[Grid, float], np.ndarray]:
    """The fields on a grid after they have travelled."""

    def exact(grid: Grid, time: float) -> np.ndarray:
        x = [jnp.asarray(xi - c * time) for xi, c in zip(grid.mesh, drift(grid), strict=True)]
        values = [np.asarray(jax.jit(u)(*x)) for u in fields]
        return np.stack(values) if len(values) > 1 else values[0]

    return exact


def manufactured(equation: Equation, fields: list[Field], rates: list[Field]) -> Equation:
    """The equation with the source for travelling `fields`; `rates` are the equation as it is written, at t = 0."""
    velocity = drift(equation.grid)

    def source(*x: jax.Array) -> list[jax.Array]:
        carried = [sum(c * slope(u, a)(*x) for a, c in enumerate(velocity)) for u in fields]
        return [-c - rate(*x) for c, rate in zip(carried, rates, strict=True)]

    values = jax.jit(source)(*map(jnp.asarray, equation.grid.mesh))
    return Manufactured(equation, velocity, np.stack(values) if len(values) > 1 else np.asarray(values[0]))


def line(n: int, length: float = BOX) -> Grid:
    return Grid((n,), (length,))


def square(n: int, length: float = BOX) -> Grid:
    return Grid((n, n), (length,))


def cube(n: int, length: float = BOX) -> Grid:
    return Grid((n, n, n), (length,))


FLAME = stretched(first, 4)  # a box in which some waves grow


def kuramoto_sivashinsky(n: int) -> Equation:
    u = FLAME
    equation = of.KuramotoSivashinsky(line(n, 4 * BOX))
    return manufactured(equation, [u], [lambda *x: -u(*x) * slope(u, 0)(*x) - lap(u)(*x) - lap(lap(u))(*x)])


def kuramoto_sivashinsky_2d(n: int) -> Equation:
    h = FLAME

    def rate(*x: jax.Array) -> jax.Array:
        return -0.5 * (slope(h, 0)(*x) ** 2 + slope(h, 1)(*x) ** 2) - lap(h)(*x) - lap(lap(h))(*x)

    return manufactured(of.KuramotoSivashinsky(square(n, 4 * BOX)), [h], [rate])


def cahn_hilliard(n: int) -> Equation:
    u = first
    return manufactured(of.CahnHilliard(line(n), 0.3), [u], [lap(lambda *x: u(*x) ** 3 - u(*x) - 0.09 * lap(u)(*x))])


def gray_scott(n: int) -> Equation:
    u, v, feed, kill, of_u, of_v = first, second, 0.4, 0.6, 0.2, 0.1

    def substrate(*x: jax.Array) -> jax.Array:
        return of_u * lap(u)(*x) - u(*x) * v(*x) ** 2 + feed * (1 - u(*x))

    def catalyst(*x: jax.Array) -> jax.Array:
        return of_v * lap(v)(*x) + u(*x) * v(*x) ** 2 - (feed + kill) * v(*x)

    return manufactured(of.GrayScott(square(n), feed, kill, (of_u, of_v)), [u, v], [substrate, catalyst])


def vorticity(*x: jax.Array) -> jax.Array:
    """Of the stream function `first`."""
    return -lap(first)(*x)


def navier_stokes(n: int) -> Equation:
    psi, w = first, vorticity

    def rate(*x: jax.Array) -> jax.Array:
        transport = slope(psi, 1)(*x) * slope(w, 0)(*x) - slope(psi, 0)(*x) * slope(w, 1)(*x)
        return -transport + 0.02 * lap(w)(*x) - 0.1 * w(*x)

    return manufactured(of.NavierStokes(square(n), 0.02, 0.1), [w], [rate])


SWIRL: list[Field] = [lambda x, y, z: first(y, z), lambda x, y, z: first(z + 1, x), lambda x, y, z: first(x, y)]


def navier_stokes_3d(n: int) -> Equation:
    u = SWIRL  # no component changes along its own axis: no divergence

    def along(w: Field) -> Field:
        # The pressure is a gradient, which the projection takes off the source.
        return lambda *x: 0.05 * lap(w)(*x) - sum(v(*x) * slope(w, a)(*x) for a, v in enumerate(u))

    return manufactured(of.NavierStokesVelocity(cube(n), 0.05), u, [along(w) for w in u])


PLANE: list[Field] = [slope(first, 1), lambda *x: -slope(first, 0)(*x)]  # of the stream function `first`


def cloud(*x: jax.Array) -> jax.Array:
    """Mean-free."""
    return first(*(xi + 1 for xi in x[::-1]))


def smoke(n: int) -> Equation:
    (u, v), s, b, nu, kappa = PLANE, cloud, 0.8, 0.05, 0.03

    def carried(w: Field) -> Field:
        return lambda *x: -u(*x) * slope(w, 0)(*x) - v(*x) * slope(w, 1)(*x)

    def diluted(*x: jax.Array) -> jax.Array:
        return carried(s)(*x) + kappa * lap(s)(*x)

    def along_x(*x: jax.Array) -> jax.Array:
        return carried(u)(*x) + nu * lap(u)(*x)

    def along_y(*x: jax.Array) -> jax.Array:
        return carried(v)(*x) + nu * lap(v)(*x) + b * s(*x)

    return manufactured(of.Boussinesq(square(n), nu, kappa, b), [s, u, v], [diluted, along_x, along_y])


def depth(*x: jax.Array) -> jax.Array:
    """Of shallow water: far from dry."""
    return 1.5 + 0.3 * first(*x[::-1])


def shallow_water(n: int) -> Equation:
    h, u, v, g, f, nu = depth, first, second, 1.3, 0.7, 0.05

    def filling(*x: jax.Array) -> jax.Array:
        return -slope(lambda *y: h(*y) * u(*y), 0)(*x) - slope(lambda *y: h(*y) * v(*y), 1)(*x)

    def along(w: Field, axis: int, turn: Callable[..., jax.Array]) -> Field:
        def rate(*x: jax.Array) -> jax.Array:
            carried = u(*x) * slope(w, 0)(*x) + v(*x) * slope(w, 1)(*x)
            return -carried + turn(*x) - g * slope(h, axis)(*x) + nu * lap(w)(*x)

        return rate

    rates = [filling, along(u, 0, lambda *x: f * v(*x)), along(v, 1, lambda *x: -f * u(*x))]
    return manufactured(of.ShallowWater(square(n), g, f, nu), [h, u, v], rates)


WIND = (1.0, -0.5)
CASES = [
    Case("advection", "waves", lambda n: of.AdvectionDiffusion(square(n), WIND),
         lambda g, t: travelling.harmonics(g, t, WIND, 0.0), (4, 16), 1.0, 0),
    Case("advection-diffusion", "waves", lambda n: of.AdvectionDiffusion(square(n), WIND, 0.05),
         lambda g, t: travelling.harmonics(g, t, WIND, 0.05), (4, 16), 1.0, 0),
    Case("heat, 3-D", "waves", lambda n: of.AdvectionDiffusion(cube(n), (0.0,) * 3, 0.1),
         lambda g, t: travelling.harmonics(g, t, (0.0,) * 3, 0.1), (4, 12), 1.0, 0),
    Case("wave", "standing waves on a moving mean", lambda n: of.Wave(square(n), 1.5),
         lambda g, t: travelling.standing_waves(g, t, 1.5), (4, 16), 1.0, 0),
    Case("Burgers", "Cole-Hopf", lambda n: of.Burgers(line(n), 0.2),
         lambda g, t: travelling.potential_burgers(g, t, 0.2, 0.8)[0], (24, 96), 1.0, 8),
    Case("Burgers, 2-D", "Cole-Hopf of a gradient", lambda n: of.VectorBurgers(square(n), 0.2),
         lambda g, t: travelling.potential_burgers(g, t, 0.2), (16, 72), 1.0, 8),
    Case("Korteweg-de Vries", "soliton", lambda n: of.KortewegDeVries(line(n, 20.0)),
         lambda g, t: travelling.kdv_soliton(g, t, 9.0), (64, 256), 0.5, 256),
    Case("Kuramoto-Sivashinsky", "manufactured", kuramoto_sivashinsky, moved(FLAME), (12, 64), 2.0, 8),
    Case("Kuramoto-Sivashinsky, 2-D", "manufactured", kuramoto_sivashinsky_2d, moved(FLAME), (12, 48), 2.0, 8),
    Case("Allen-Cahn", "fronts into 0", lambda n: of.AllenCahn(line(n, 10.0), 0.05),
         lambda g, t: travelling.allen_cahn_front(g, t, 0.05), (128, 768), 2.0, 8),
    Case("Cahn-Hilliard", "manufactured", cahn_hilliard, moved(first), (16, 64), 0.5, 32),
    Case("Gray-Scott, 2-D", "manufactured", gray_scott, moved(first, second), (16, 64), 2.0, 8),
    Case("Fisher-KPP", "fronts of speed 5/sqrt 6", lambda n: of.FisherKPP(line(n, 240.0), 1.0),
         lambda g, t: travelling.fisher_front(g, t, 1.0), (64, 512), 4.0, 16),
    Case("Schroedinger", "bright soliton", lambda n: of.Schroedinger(line(n, 8 * np.pi), 2.0),
         lambda g, t: travelling.bright_soliton(g, t, 2.0, 0.5, 2.0), (64, 512), 1.0, 32),
    Case("Schroedinger, 2-D", "plane wave", lambda n: of.Schroedinger(square(n), -1.0),
         lambda g, t: travelling.plane_wave(g, t, (1, -2), 1.2, -1.0), (6, 16), 1.0, 16),
    Case("Navier-Stokes", "manufactured", navier_stokes, moved(vorticity), (16, 64), 0.5, 8),
    Case("Navier-Stokes, 3-D", "ABC flow", lambda n: of.NavierStokesVelocity(cube(n), 0.05),
         lambda g, t: exact.abc_flow(g, 2, t, 0.05), (4, 12), 1.0, 0),
    Case("Navier-Stokes, 3-D", "ABC flow in a wind", lambda n: of.NavierStokesVelocity(cube(n), 0.05),
         lambda g, t: exact.abc_flow(g, 2, t, 0.05, wind=(1.0, -0.5, 0.3)), (4, 12), 1.0, 16),
    Case("Navier-Stokes, 3-D, inviscid", "ABC flow in a wind", lambda n: of.NavierStokesVelocity(cube(n), 0.0),
         lambda g, t: exact.abc_flow(g, 2, t, 0.0, wind=(1.0, -0.5, 0.3)), (4, 12), 1.0, 16),
    Case("Navier-Stokes, 3-D", "manufactured", navier_stokes_3d, moved(*SWIRL), (12, 30), 0.5, 3),
    Case("smoke", "manufactured", smoke, moved(cloud, *PLANE), (12, 64), 0.5, 8),
    Case("smoke, 3-D", "columns that rise in a wind", lambda n: of.Boussinesq(cube(n), 0.2, 0.1, 0.8),
         lambda g, t: travelling.rising_columns(g, t, 0.2, 0.1, 0.8, 1.2), (4, 12), 1.0, 8),
    Case("barotropic vorticity, sphere", "Rossby-Haurwitz wave", lambda n: BarotropicVorticity(n),
         lambda g, t: travelling.rossby_haurwitz(g, t), (3, 12), 1.0, 0),
    Case("shallow water", "manufactured", shallow_water, moved(depth, first, second), (16, 64), 0.5, 8),
    Case("shallow water, inviscid", "jets in balance, steady", lambda n: of.ShallowWater(square(n), 1.3, 2.0),
         lambda g, t: travelling.zonal_jets(g, 0.4, 1.3, 2.0), (4, 16), 1.0, 0),
]  # fmt: skip
