"""The paper's solver: values, kernels and noise levels that maximise one joint density, by Adam's method."""

import dataclasses
import functools
from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax.scipy.linalg import cho_solve
from jaxtyping import Array, Float

from .axis import check_smoothness
from .collocation import Collocation
from .kernels import SpectralMixture
from .kronecker import apply_all
from .toeplitz import product, solve_and_logdet, toeplitz


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class JointState:
    """What is optimised.

    Args:
        values: u at the points.
        mixtures: kernels of the axes.
        log_tau: log precision of the data at the sides.
        log_v: log precision of the equation.
    """

    values: Float[Array, "*space"]
    mixtures: tuple[SpectralMixture, ...]
    log_tau: Float[Array, ""]
    log_v: Float[Array, ""]


@dataclasses.dataclass(frozen=True)
class JointModel:
    """The joint density of values, data at the sides and equation.

    Args:
        problem: the data.
        boundary_weight: lambda, of the whole log-likelihood of the data at the sides.
        nugget: added to the covariance of every axis.

    Source:
        Fang et al. 2024 (arXiv 2311.04465), section 4, with the numbers of its published code.
    """

    problem: Collocation
    boundary_weight: float = 200.0
    nugget: float = 1e-6

    def start(self, highest: float, components: int = 30, envelope: str = "matern52") -> JointState:
        """Zero values, equal weights, unit scales, and frequencies spread evenly from 0 to the highest.

        Args:
            highest: cycles per length.
            components: of every kernel.
            envelope: of every component.

        Raises:
            ValueError: for an envelope that is too rough for the equation.
        """
        check_smoothness(envelope, self.problem.equation.order)
        weights, frequencies = np.full(components, 1 / components), np.linspace(0, highest, components)
        mixture = SpectralMixture.of(weights.tolist(), 1.0, frequencies.tolist(), envelope)
        zero = jnp.asarray(0.0)
        return JointState(jnp.zeros(self.problem.shape), (mixture,) * len(self.problem.axes), zero, zero)

    @property
    def observations(self) -> "Observations":
        """The arrays that the density depends on."""
        problem = self.problem
        coefficients = tuple(term.values(problem.coordinates) for term in problem.equation.terms)
        lags = tuple(jnp.asarray(axis.lags) for axis in problem.axes)
        return Observations(lags, coefficients, problem.source, problem.data)

    def objective(self, state: JointState, observations: "Observations") -> Float[Array, ""]:
        """The negative log of the joint density, without additive constants.

            1/2 sum_j M / M_j log |C_j| + 1/2 u^T C^-1 u
              - lambda (N_b / 2 log tau - tau / 2 |u_b - g|^2) - M / 2 log v + v / 2 |L u + n(u) - f|^2

        with the equation at all M points, and points where two sides meet counted twice in N_b.
        """
        parts = self.parts(state, observations)
        sides = 0.5 * parts.rows * state.log_tau - 0.5 * jnp.exp(state.log_tau) * parts.sides
        equation = 0.5 * state.values.size * state.log_v - 0.5 * jnp.exp(state.log_v) * parts.residual
        return 0.5 * parts.logdet + 0.5 * parts.quad - self.boundary_weight * sides - equation

    def parts(self, state: JointState, observations: "Observations") -> "Parts":
        """The terms of the objective."""
        equation, u = self.problem.equation, state.values
        order = max(equation.order, *(c.order for rows in self.problem.conditions for c in rows), 0)
        running, logdet, solved, kernels = u, jnp.asarray(0.0), [], []
        for axis, (mixture, lag) in enumerate(zip(state.mixtures, observations.lags, strict=True)):
            rows = mixture.derivatives(lag, order)
            both = _to_columns(jnp.stack([u, running]) if axis else u[None], axis)
            solution, own = solve_and_logdet(rows[0].at[0].add(self.nugget), both)
            alone, running = _from_columns(solution, u.shape, axis)
            logdet = logdet + u.size // u.shape[axis] * own
            solved.append(alone)
            kernels.append(rows)

        def derivative(axis: int, order: int) -> jax.Array:
            columns: Any = product(kernels[axis][order], _to_columns(solved[axis][None], axis), (-1) ** order)
            return _from_columns(columns, u.shape, axis)[0]

        residual = -observations.source
        for term, coefficient in zip(equation.terms, observations.coefficients, strict=True):
            turned = np.flatnonzero(term.orders)
            if len(turned) > 1:
                raise ValueError(f"term: got a mixed derivative {term.orders}, wanted derivatives along one axis each")
            part = derivative(int(turned[0]), term.orders[turned[0]]) if len(turned) else u
            residual = residual + coefficient * part
        if equation.reaction is not None:
            residual = residual + equation.reaction(u)
        sides, count = jnp.asarray(0.0), 0
        for axis, (conditions, data) in enumerate(zip(self.problem.conditions, observations.data, strict=True)):
            for condition, given in zip(conditions, data, strict=True):
                field = jnp.moveaxis(derivative(axis, 1) if condition.order else u, axis, 0)
                found = {"lower": field[0], "upper": field[-1], "wrap": field[-1] - field[0]}[condition.side]
                sides, count = sides + jnp.sum((found - given) ** 2), count + given.size
        return Parts(logdet, jnp.vdot(u, running), sides, count, jnp.sum(residual**2))

    def predict(self, state: JointState, points: Sequence[Float[np.ndarray, "_"]]) -> Float[Array, "*points"]:
        """The mean of the process at a tensor grid, one array of coordinates per axis."""
        matrices = []
        for axis, mixture, x in zip(self.problem.axes, state.mixtures, points, strict=True):
            lags = mixture.derivatives(jnp.asarray(axis.lags))[0].at[0].add(self.nugget)
            factor = jnp.linalg.cholesky(toeplitz(lags))
            cross = mixture.derivatives(jnp.asarray(x[:, None] - axis.points[None, :]))[0]
            matrices.append(cho_solve((factor, True), cross.T).T)
        return apply_all(matrices, state.values)


class Observations(NamedTuple):
    """Arrays of a problem: lags of the axes, coefficients of the terms, source, data at the sides."""

    lags: tuple[Float[Array, "_"], ...]
    coefficients: tuple[Float[Array, "*space"], ...]
    source: Float[Array, "*space"]
    data: tuple[Float[Array, "..."], ...]


class Parts(NamedTuple):
    """log |C|, u^T C^-1 u, |u_b - g|^2 and its number of values, |residual|^2."""

    logdet: Float[Array, ""]
    quad: Float[Array, ""]
    sides: Float[Array, ""]
    rows: int
    residual: Float[Array, ""]


class JointFit(NamedTuple):
    """Results of `fit`: the last state, the one of the smallest objective, and the objective before every step."""

    last: JointState
    best: JointState
    objective: Float[np.ndarray, "steps"]
    optimizer: optax.OptState


def fit(
    model: JointModel,
    state: JointState,
    steps: int,
    learning_rate: float | optax.Schedule = 1e-2,
    optimizer_state: optax.OptState | None = None,
    chunk: int = 500,
) -> JointFit:
    """Minimises the objective with Adam's method, in chunks of steps that are one program each.

    Args:
        model: the density.
        state: where to start.
        steps: how many.
        learning_rate: constant in the paper; a number or a function of the step.
        optimizer_state: of a fit to continue.
        chunk: steps between two looks from the host.

    Returns:
        last and best state; which of them to report does not depend on the truth.

    Raises:
        FloatingPointError: when the objective is no number; names the steps.
    """
    optimizer = optax.adam(learning_rate)
    observations = model.observations
    params: Any = state  # a pytree, which optax's names for one leave out
    carry = (state, optimizer.init(params) if optimizer_state is None else optimizer_state, state, jnp.asarray(jnp.inf))
    history = [np.zeros(0)]
    # The model holds arrays, which a jitted function may not compare: it is closed over, the numbers are arguments.
    run = jax.jit(functools.partial(_steps, model.objective, optimizer), static_argnums=(2,))
    for first in range(0, steps, chunk):
        carry, objective = run(carry, observations, min(chunk, steps - first))
        history.append(np.asarray(objective))
        if not np.isfinite(history[-1]).all():
            raise FloatingPointError(
                f"objective: got no number in steps {first} to {first + len(history[-1])}, wanted numbers; take a "
                "smaller learning rate or a larger nugget"
            )
    last, optimizer_state, best, _ = carry
    return JointFit(last, best, np.concatenate(history), optimizer_state)


def _steps(objective, optimizer, carry, observations: Observations, count: int):
    def step(carry, _):
        state, moments, best, lowest = carry
        value, slope = jax.value_and_grad(objective)(state, observations)
        better = value < lowest
        best = jax.tree.map(lambda new, old: jnp.where(better, new, old), state, best)
        updates, moments = optimizer.update(slope, moments, state)
        return (optax.apply_updates(state, updates), moments, best, jnp.minimum(value, lowest)), value

    return jax.lax.scan(step, carry, None, count)


def _to_columns(fields: jax.Array, axis: int) -> jax.Array:
    """Fields [f, *space] as columns along an axis, [n, f * others]."""
    return jnp.moveaxis(fields, axis + 1, 0).reshape(fields.shape[axis + 1], -1)


def _from_columns(columns: jax.Array, shape: tuple[int, ...], axis: int) -> tuple[jax.Array, jax.Array]:
    """The first and the last of the fields whose columns these are."""
    others = (*shape[:axis], *shape[axis + 1 :])
    fields = jnp.moveaxis(columns.reshape(shape[axis], -1, *others), 0, axis + 1)
    return fields[0], fields[-1]
