"""The problems of the paper and more: chosen solutions, of which solvers are given sources and data at the sides."""

import dataclasses
import math

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from . import equations
from .axis import Axis
from .collocation import CAUCHY, DIRICHLET, INITIAL, NEUMANN, PERIODIC, Collocation, Conditions, mesh
from .equations import Equation, Field

TEST_POINTS = 300  # per axis, ends included; 60 in three dimensions


@dataclasses.dataclass(frozen=True)
class Published:
    """Figures of the authors' runs: smallest relative L2 error of 20 checkpoints against the truth, and seconds.

    Args:
        error: of the better of their two kernels.
        seconds: of that run, on one GPU of theirs.
        note: what differed.
    """

    error: float
    seconds: int
    note: str = ""


@dataclasses.dataclass(frozen=True)
class Problem:
    """A solution, the equation it solves, and where.

    Args:
        name: short, as in tables.
        title: equation and solution in words.
        solution: elementwise function of the coordinates.
        equation: without its source, which follows.
        box: lower and upper end of every axis.
        shape: points per axis.
        conditions: per axis.
        highest: frequency of the joint solver's start, cycles per length.
        boundary_weight: of its term of the sides.
        published: None where there are none.
    """

    name: str
    title: str
    solution: Field
    equation: Equation
    box: tuple[tuple[float, float], ...]
    shape: tuple[int, ...]
    conditions: tuple[Conditions, ...]
    highest: float = 20.0
    boundary_weight: float = 200.0
    published: Published | None = None

    @property
    def axes(self) -> tuple[Axis, ...]:
        return tuple(Axis(lower, upper, n) for (lower, upper), n in zip(self.box, self.shape, strict=True))

    def collocate(self, shape: tuple[int, ...] | None = None) -> Collocation:
        """What solvers are told; on other numbers of points where a shape is given."""
        axes = dataclasses.replace(self, shape=shape).axes if shape else self.axes
        return Collocation.of(self.equation, axes, self.conditions, self.solution)

    @property
    def test_points(self) -> tuple[Float[np.ndarray, "_"], ...]:
        n = TEST_POINTS if len(self.box) < 3 else 60
        return tuple(np.linspace(lower, upper, n) for lower, upper in self.box)

    def error(self, values: Float[Array, "*points"]) -> float:
        """Relative L2 error of values at the test points: for reports, not for solvers."""
        truth = self.solution(*mesh(self.test_points))
        return float(jnp.linalg.norm((values - truth).ravel()) / jnp.linalg.norm(truth.ravel()))


_UNIT, _CIRCLE = (0.0, 1.0), (0.0, 2 * math.pi)


def _mixed(x):
    return jnp.sin(x) + 0.1 * jnp.sin(20 * x) + jnp.cos(100 * x)


def _permeability(x, y):
    return 2 + jnp.sin(6 * x) * jnp.cos(4 * y)


def _line(name, title, solution, equation, side, n, highest, published=None):
    return Problem(name, title, solution, equation, (side,), (n,), (DIRICHLET,), float(highest), published=published)


def _square(name, title, solution, equation, side, n, highest=20, published=None, sides=(DIRICHLET, DIRICHLET)):
    return Problem(name, title, solution, equation, (side, side), (n, n), sides, float(highest), published=published)


_POISSON, _ALLEN_CAHN = equations.poisson(1), equations.allen_cahn(1)
_LIST = (
    _line("P1", "Poisson, sin 100x", lambda x: jnp.sin(100 * x), _POISSON, _CIRCLE, 400, 20, Published(4.0e-7, 1329)),
    _line(
        "P2", "Poisson, x sin 200x", lambda x: x * jnp.sin(200 * x), _POISSON,
        _CIRCLE, 900, 50, Published(9.0e-7, 7451),
    ),
    _line(
        "P3", "Poisson, sin 500x - 2 (x - 1/2)^2", lambda x: jnp.sin(500 * x) - 2 * (x - 0.5) ** 2, _POISSON,
        _UNIT, 200, 100, Published(4.2e-4, 5700, "two stages"),
    ),
    _line(
        "P4", "Poisson, sin 6x cos 100x", lambda x: jnp.sin(6 * x) * jnp.cos(100 * x), _POISSON,
        _CIRCLE, 400, 20, Published(1.5e-6, 1329),
    ),
    _line(
        "P5", "Poisson, sin x + 0.1 sin 20x + 0.05 sin 100x",
        lambda x: jnp.sin(x) + 0.1 * jnp.sin(20 * x) + 0.05 * jnp.sin(100 * x), _POISSON,
        _UNIT, 200, 30, Published(3.5e-4, 4700, "two stages"),
    ),
    _square(
        "P6", "Poisson, sin 100x sin 100y", lambda x, y: jnp.sin(100 * x) * jnp.sin(100 * y), equations.poisson(2),
        _CIRCLE, 400, 20, Published(6.5e-5, 5586),
    ),
    _square(
        "P7", "Poisson, sin 6x cos 20x + sin 6y cos 20y",
        lambda x, y: jnp.sin(6 * x) * jnp.cos(20 * x) + jnp.sin(6 * y) * jnp.cos(20 * y), equations.poisson(2),
        _CIRCLE, 200, 20, Published(1.0e-3, 6627),
    ),
    _line(
        "A1", "Allen-Cahn, sin 100x", lambda x: jnp.sin(100 * x), _ALLEN_CAHN,
        _CIRCLE, 400, 20, Published(7.7e-7, 1998),
    ),
    _line(
        "A2", "Allen-Cahn, sin 6x cos 100x", lambda x: jnp.sin(6 * x) * jnp.cos(100 * x), _ALLEN_CAHN,
        _CIRCLE, 400, 20, Published(4.2e-6, 1996),
    ),
    _square(
        "A3", "Allen-Cahn, g(x) g(y), g = sin x + 0.1 sin 20x + cos 100x", lambda x, y: _mixed(x) * _mixed(y),
        equations.allen_cahn(2), _UNIT, 200, 30, Published(2.6e-3, 15926),
    ),
    Problem(
        "V1", "advection, sin(x - 200t), start and inflow given", lambda x, t: jnp.sin(x - 200 * t),
        equations.advection(200.0), (_UNIT, _UNIT), (200, 200), (INITIAL, INITIAL), 40.0, 500.0,
        Published(1.4e-4, 2234, "also told the end and the outflow"),
    ),
    _square(
        "H1", "Helmholtz, k = 20, sin 30x cos 40y, slopes given at y = 0, 1",
        lambda x, y: jnp.sin(30 * x) * jnp.cos(40 * y), equations.helmholtz(2, 20.0), _UNIT, 96,
        sides=(DIRICHLET, NEUMANN),
    ),
    _square(
        "H2", "Helmholtz, k = 7.5, periodic, sin 24x cos 40y", lambda x, y: jnp.sin(24 * x) * jnp.cos(40 * y),
        equations.helmholtz(2, 7.5), _CIRCLE, 200, sides=(PERIODIC, PERIODIC),
    ),
    _square(
        "D1", "Darcy, a = 2 + sin 6x cos 4y, sin 40x sin 60y", lambda x, y: jnp.sin(40 * x) * jnp.sin(60 * y),
        equations.darcy(_permeability, 2), _UNIT, 128,
    ),
    Problem(
        "S1", "sine-Gordon, sin 30x cos 31t, place and speed at 0", lambda x, t: jnp.sin(30 * x) * jnp.cos(31 * t),
        equations.sine_gordon(), (_UNIT, _UNIT), (96, 96), (DIRICHLET, CAUCHY),
    ),
    _square(
        "N1", "-Lap u + u^3, sin 50x sin 30y + cos 20x",
        lambda x, y: jnp.sin(50 * x) * jnp.sin(30 * y) + jnp.cos(20 * x),
        equations.cubic_elliptic(2), _UNIT, 128,
    ),
    Problem(
        "P8", "Poisson in three dimensions, sin 20x sin 15y cos 25z",
        lambda x, y, z: jnp.sin(20 * x) * jnp.sin(15 * y) * jnp.cos(25 * z), equations.poisson(3),
        (_UNIT,) * 3, (40, 40, 40), (DIRICHLET,) * 3,
    ),
)  # fmt: skip
PROBLEMS = {problem.name: problem for problem in _LIST}
