"""Collocation by differentiation matrices: one linear solve, or a few Newton steps, for the values at the points."""

import dataclasses
import functools
from collections.abc import Sequence

import jax
import jax.numpy as jnp
import lineax
import numpy as np
import optimistix
from jaxtyping import Array, Float

from .axis import AxisModel, longest_scale
from .collocation import Collocation
from .constraints import AxisConstraints, lift_all
from .equations import Equation, mean_coefficient
from .frequencies import mixture_from_data
from .kernels import SpectralMixture
from .kronecker import apply_all, apply_along
from .sylvester import DenseSolver, SchurSolver, SeparableSolver, separable_solver

_TOLERANCE = 1e-11  # relative, of Newton's steps
_MAX_STEPS = 20


@dataclasses.dataclass(frozen=True)
class DirectSolution:
    """Values at the points, and the process that continues them.

    Args:
        values: u at the points.
        models: of the axes.
        residual: largest |sum of terms + n(u) - f| over the points that no condition takes, over the largest |f| + |u|.
        steps: of Newton's iteration; 0 where the equation is `plain`.
    """

    values: Float[Array, "*space"]
    models: tuple[AxisModel, ...]
    residual: float
    steps: int

    def __call__(self, points: Sequence[Float[np.ndarray, "_"]]) -> Float[Array, "*points"]:
        """The mean of the process at a tensor grid of points, one array of coordinates per axis."""
        # Not weights C^-1 u first, of which in two dimensions five digits cancel.
        given = zip(self.models, points, strict=True)
        return apply_all([model.interpolation(jnp.asarray(x)) for model, x in given], self.values)

    def derivative(self, orders: Sequence[int]) -> Float[Array, "*space"]:
        """A derivative of it at the points of the problem; along an axis of order 0 the values are as they are."""
        u = self.values
        for axis, (model, order) in enumerate(zip(self.models, orders, strict=True)):
            if order:
                u = apply_along(model.interpolation(jnp.asarray(model.axis.points), order), u, axis)
        return u


def mixtures_from_data(
    problem: Collocation, envelope: str = "matern52", scale: float | None = None, num_peaks: int = 6
) -> tuple[SpectralMixture, ...]:
    """One kernel per axis, with the frequencies of the source and of the given values at the sides.

    Args:
        problem: its data are all that is looked at.
        envelope: of every component.
        scale: l over the length of the axis; by default that of `longest_scale`.
        num_peaks: waves per axis, at most.
    """
    single = len(problem.axes) == 1
    found = []
    for j, axis in enumerate(problem.axes):
        lines = problem.lines(j)
        rows = np.concatenate([rows / np.abs(rows).max() for rows, _ in lines]) if lines else np.zeros((1, axis.n))
        symbol = functools.partial(problem.equation.symbol, j) if single and lines else None
        own = longest_scale(axis, envelope) if scale is None else scale * axis.length
        found.append(mixture_from_data(rows, axis.length, own, envelope, symbol, num_peaks))
    return tuple(found)


def solve(problem: Collocation, mixtures: Sequence[SpectralMixture] | None = None) -> DirectSolution:
    """Values at the points at which the derivatives of the process' mean satisfy the equation and all conditions.

    The derivative along axis j is D_j C_j^-1 of the kernel of that axis alone. Points at the ends are given up for the
    conditions; what is left, A u + u B^T + .., is solved by factors of the axes. Where the equation is not `plain` (a
    reaction, coefficients that vary, mixed derivatives) Newton's steps follow, by GMRES behind the solver of its
    constant part.

    Args:
        problem: the data.
        mixtures: kernels of the axes; those of `mixtures_from_data` by default.

    Returns:
        the solution, which is no number where Newton's iteration does not converge.

    Raises:
        ValueError: for kernels that are too rough for the equation or too smooth for its points.

    Accuracy:
        Set by kernel and nugget: 1e-7 to 1e-5 of solutions that are few waves with three points per shortest wave or
        more; see docs/gp.md for others.

    Source:
        The model of Fang et al. 2024 (arXiv 2311.04465), whose values maximise a joint density by Adam's method
        instead, see `pdes.gp.joint`.
    """
    mixtures = mixtures_from_data(problem) if mixtures is None else mixtures
    models = tuple(
        AxisModel.of(axis, mixture, _orders(problem, j))
        for j, (axis, mixture) in enumerate(zip(problem.axes, mixtures, strict=True))
    )
    constraints = tuple(AxisConstraints.of(m, c) for m, c in zip(models, problem.conditions, strict=True))
    solver, shift = _constant_part(problem, models, constraints)
    coefficients = tuple(_inner(term.values(problem.coordinates), constraints) for term in problem.equation.terms)
    given = (models, constraints, solver, shift, coefficients, problem.source, problem.data)
    values, residual, steps = _solve(problem.equation, given)
    return DirectSolution(values, models, float(residual), int(steps))


def _orders(problem: Collocation, axis: int) -> set[int]:
    """The derivatives along an axis that equation and conditions take."""
    return {term.orders[axis] for term in problem.equation.terms} | {c.order for c in problem.conditions[axis]}


def _constant_part(
    problem: Collocation, models: tuple[AxisModel, ...], constraints: tuple[AxisConstraints, ...]
) -> tuple[DenseSolver | SeparableSolver | SchurSolver, float]:
    """The solver of the terms along single axes with (mean) constant coefficients, and the coefficient of u itself."""
    sizes = [c.extension.shape[1] for c in constraints]
    matrices, shift = [np.zeros((n, n)) for n in sizes], 0.0
    for term in problem.equation.terms:
        coefficient, turned = mean_coefficient(term, problem.coordinates), np.flatnonzero(term.orders)
        if len(turned) == 0:
            shift += coefficient
        elif len(turned) == 1:
            axis = int(turned[0])
            first, last = constraints[axis].kept
            rows = np.asarray(models[axis].derivatives[term.orders[axis]])[first:last]
            matrices[axis] += coefficient * _extended(rows, constraints[axis])
    return separable_solver(matrices, shift), shift


def _extended(rows: np.ndarray, constraints: AxisConstraints) -> np.ndarray:
    """rows @ extension, which is the identity but for a point or two."""
    first, last = constraints.kept
    ends = [*range(first), *range(last, rows.shape[1])]
    return rows[:, first:last] + rows[:, ends] @ np.asarray(constraints.extension)[ends]


@functools.partial(jax.jit, static_argnums=(0,))
def _solve(equation: Equation, given: tuple) -> tuple[jax.Array, jax.Array, jax.Array]:
    models, constraints, solver, shift, coefficients, source, data = given
    lifted = lift_all(constraints, data)
    inner_source = _inner(source, constraints)
    extensions = [c.extension for c in constraints]

    def whole(kept: jax.Array) -> jax.Array:
        return lifted + apply_all(extensions, kept)

    def residual(kept: jax.Array) -> jax.Array:
        return _left_side(equation, whole(kept), models, constraints, coefficients) - inner_source

    start = solver.solve(-residual(jnp.zeros_like(inner_source)), shift)
    if equation.plain:
        # Solved but for rounding, most of which this takes away.
        kept, steps = start - solver.solve(residual(start), shift), jnp.asarray(0)
    else:
        kept, steps = _newton(lambda u: solver.solve(residual(u), shift), start)
    size = jnp.max(jnp.abs(inner_source)) + jnp.max(jnp.abs(kept))
    return whole(kept), jnp.max(jnp.abs(residual(kept))) / size, steps


def _newton(function, start: jax.Array) -> tuple[jax.Array, jax.Array]:
    linear = lineax.GMRES(rtol=1e-10, atol=1e-14, restart=12, stagnation_iters=12, max_steps=400)
    newton = optimistix.Newton(rtol=_TOLERANCE, atol=_TOLERANCE, linear_solver=linear)
    found = optimistix.root_find(lambda u, _: function(u), newton, start, max_steps=_MAX_STEPS, throw=False)
    good = found.result == optimistix.RESULTS.successful
    return jnp.where(good, found.value, jnp.nan), found.stats["num_steps"]


def _left_side(
    equation: Equation,
    u: jax.Array,
    models: tuple[AxisModel, ...],
    constraints: tuple[AxisConstraints, ...],
    coefficients: tuple[jax.Array, ...],
) -> jax.Array:
    """Terms and reaction at the points that no condition takes."""
    total = jnp.zeros(tuple(c.extension.shape[1] for c in constraints))
    for term, coefficient in zip(equation.terms, coefficients, strict=True):
        total = total + coefficient * _derivative(u, models, term.orders, constraints)
    return total if equation.reaction is None else total + equation.reaction(_inner(u, constraints))


def _derivative(
    u: jax.Array, models: tuple[AxisModel, ...], orders: tuple[int, ...], constraints: tuple[AxisConstraints, ...]
) -> jax.Array:
    """d^orders u at the points that no condition takes."""
    for axis, (model, order, constraint) in enumerate(zip(models, orders, constraints, strict=True)):
        first, last = constraint.kept
        if order:
            u = apply_along(model.derivatives[order][first:last], u, axis)
        else:
            u = jax.lax.slice_in_dim(u, first, last, axis=axis)
    return u


def _inner(u: jax.Array, constraints: tuple[AxisConstraints, ...]) -> jax.Array:
    return u[tuple(slice(*c.kept) for c in constraints)]
