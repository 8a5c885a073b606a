"""Equations that are collocated: sums of derivatives with coefficients, and a reaction without derivatives."""

import dataclasses
import functools
import math
from collections.abc import Callable, Sequence

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

Field = Callable[..., jax.Array]  # of the coordinates, elementwise


@dataclasses.dataclass(frozen=True)
class Term:
    """coefficient d^orders u.

    Args:
        orders: of the derivative along every axis.
        coefficient: a number, or a function of the coordinates.
    """

    orders: tuple[int, ...]
    coefficient: float | Field = 1.0

    def values(self, coordinates: Sequence[Float[Array, "*n"]]) -> Float[Array, "*n"]:
        """The coefficient at points."""
        given = self.coefficient(*coordinates) if callable(self.coefficient) else jnp.asarray(self.coefficient, float)
        return jnp.broadcast_to(given, jnp.shape(coordinates[0]))


@dataclasses.dataclass(frozen=True)
class Equation:
    """sum of terms + n(u) = f.

    Args:
        name: in words.
        terms: linear part.
        reaction: n, elementwise; None without one.
    """

    name: str
    terms: tuple[Term, ...]
    reaction: Callable[[jax.Array], jax.Array] | None = None

    @property
    def ndim(self) -> int:
        return len(self.terms[0].orders)

    @property
    def order(self) -> int:
        """The highest derivative along any axis."""
        return max(max(term.orders) for term in self.terms)

    @property
    def plain(self) -> bool:
        """Whether it is linear with constant coefficients, every derivative along one axis: a separable system."""
        mixed = any(sum(term.orders) != max(term.orders) for term in self.terms)
        return self.reaction is None and not mixed and not any(callable(term.coefficient) for term in self.terms)

    def apply(self, solution: Field, coordinates: Sequence[Float[Array, "*n"]]) -> Float[Array, "*n"]:
        """The left side for a known function, by automatic differentiation: the source that makes it a solution."""
        total = jnp.zeros(jnp.shape(coordinates[0]))
        for term in self.terms:
            total = total + term.values(coordinates) * derivative(solution, term.orders)(*coordinates)
        return total if self.reaction is None else total + self.reaction(solution(*coordinates))

    def symbol(self, axis: int, wavenumber: np.ndarray) -> np.ndarray:
        """Of the terms with a constant coefficient and derivatives along one axis alone, sum c (i k)^p."""
        total = np.zeros(wavenumber.shape, complex)
        for term in self.terms:
            if sum(term.orders) == term.orders[axis] and not callable(term.coefficient):
                total += term.coefficient * (1j * wavenumber) ** term.orders[axis]
        return total


def derivative(function: Field, orders: tuple[int, ...]) -> Field:
    """d^orders of an elementwise function of coordinates."""
    for axis, order in enumerate(orders):
        for _ in range(order):
            function = functools.partial(_along, function, axis)
    return function


def _along(function: Field, axis: int, *coordinates: jax.Array) -> jax.Array:
    def line(x: jax.Array) -> jax.Array:
        return function(*coordinates[:axis], x, *coordinates[axis + 1 :])

    return jax.jvp(line, (coordinates[axis],), (jnp.ones_like(coordinates[axis]),))[1]


def _unit(ndim: int, axis: int, order: int) -> tuple[int, ...]:
    return tuple(order * (i == axis) for i in range(ndim))


def _laplacian(ndim: int, coefficient: float | Field = 1.0) -> tuple[Term, ...]:
    return tuple(Term(_unit(ndim, axis, 2), coefficient) for axis in range(ndim))


def poisson(ndim: int) -> Equation:
    """Lap u = f."""
    return Equation("Poisson", _laplacian(ndim))


def helmholtz(ndim: int, wavenumber: float) -> Equation:
    """Lap u + k^2 u = f."""
    return Equation("Helmholtz", (*_laplacian(ndim), Term((0,) * ndim, wavenumber**2)))


def advection(speed: float) -> Equation:
    """speed u_x + u_t = f, of (x, t)."""
    return Equation("advection", (Term((1, 0), speed), Term((0, 1))))


def allen_cahn(ndim: int) -> Equation:
    """Lap u + u (u^2 - 1) = f."""
    return Equation("Allen-Cahn", _laplacian(ndim), _double_well)


def cubic_elliptic(ndim: int) -> Equation:
    """-Lap u + u^3 = f."""
    return Equation("nonlinear elliptic", _laplacian(ndim, -1.0), _cube)


def sine_gordon() -> Equation:
    """u_tt - u_xx + sin u = f, of (x, t)."""
    return Equation("sine-Gordon", (Term((0, 2)), Term((2, 0), -1.0)), jnp.sin)


def darcy(permeability: Field, ndim: int) -> Equation:
    """-div(a grad u) = f: -a u_xx - a_x u_x along every axis."""
    slopes = tuple(
        Term(_unit(ndim, axis, 1), _Negative(derivative(permeability, _unit(ndim, axis, 1)))) for axis in range(ndim)
    )
    return Equation("Darcy", (*_laplacian(ndim, _Negative(permeability)), *slopes))


@dataclasses.dataclass(frozen=True)
class _Negative:
    function: Field

    def __call__(self, *coordinates: jax.Array) -> jax.Array:
        return -self.function(*coordinates)


def _double_well(u: jax.Array) -> jax.Array:
    return u * (u**2 - 1)


def _cube(u: jax.Array) -> jax.Array:
    return u**3


def mean_coefficient(term: Term, coordinates: Sequence[Float[Array, "*n"]]) -> float:
    """Of a preconditioner: the coefficient, or its mean where it varies."""
    value = float(jnp.mean(term.values(coordinates)))
    if not math.isfinite(value):
        raise ValueError(f"coefficient of d^{term.orders}: got values that are not finite, wanted numbers")
    return value
