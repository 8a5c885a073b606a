"""The paper's joint solver against numbers of its published code."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from pdes.gp import equations
from pdes.gp.axis import Axis
from pdes.gp.collocation import DIRICHLET, Collocation
from pdes.gp.joint import JointModel, JointState, fit
from pdes.gp.kernels import SpectralMixture
from pdes.gp.problems import PROBLEMS
from pdes.gp.toeplitz import toeplitz

pytestmark = pytest.mark.usefixtures("x64")


def mixture(envelope, highest):
    q = jnp.arange(4.0)
    return SpectralMixture(jnp.log(0.25) + 0.1 * q, 0.2 * q, jnp.linspace(0, highest, 4), envelope)


def on_line(equation):
    return Collocation.of(equation, [Axis(0.0, 1.0, 32)], [DIRICHLET], lambda x: jnp.sin(10 * x))


def on_square(equation):

    def solution(x, y):
        return jnp.sin(5 * x) * jnp.cos(3 * y)

    return Collocation.of(equation, [Axis(0.0, 1.0, 12)] * 2, [DIRICHLET] * 2, solution), solution


def state(problem, solution, *mixtures):
    return JointState(0.9 * solution(*problem.coordinates), mixtures, jnp.asarray(0.5), jnp.asarray(-0.5))


@pytest.mark.parametrize(
    ("envelope", "highest", "poisson", "allen_cahn"),
    [
        ("matern52", 3, 293.2738891, 284.1878732),
        ("gaussian", 3, 226.5031779, 217.4693231),
        ("matern52", 0, 550.5875953, 541.7185487),
        ("gaussian", 0, 49762.23816, 49751.49531),
    ],
)
def test_objective_on_a_line(envelope, highest, poisson, allen_cahn):
    for equation, expected in ((equations.poisson(1), poisson), (equations.allen_cahn(1), allen_cahn)):
        model = JointModel(on_line(equation))
        at = state(model.problem, lambda x: jnp.sin(10 * x), mixture(envelope, highest))
        # Gaussians without frequencies: the covariance has a condition of 1e8, and the published number rounding.
        np.testing.assert_allclose(
            model.objective(at, model.observations), expected, rtol=1e-5 if expected > 1e4 else 1e-9
        )


def test_parts_and_gradients_on_a_line():
    model = JointModel(on_line(equations.poisson(1)))
    for envelope, logdet, quad, residual in (
        ("matern52", -221.0470411, 4.38394113, 1626.026574),
        ("gaussian", -271.3230465, 4.988850962, 1487.747782),
    ):
        at = state(model.problem, lambda x: jnp.sin(10 * x), mixture(envelope, 3))
        parts = model.parts(at, model.observations)
        np.testing.assert_allclose([parts.logdet, parts.quad, parts.residual], [logdet, quad, residual], rtol=1e-8)
        slope = jax.jit(jax.grad(model.objective))(at, model.observations)
        np.testing.assert_allclose(slope.log_tau, -199.51205, rtol=1e-7)
        if envelope == "matern52":
            np.testing.assert_allclose(slope.log_v, 477.11749, rtol=1e-7)
            np.testing.assert_allclose(jnp.linalg.norm(slope.values), 64836.887, rtol=1e-7)
            np.testing.assert_allclose(
                slope.mixtures[0].frequency, [0, -97.076077, 178.319743, 67.898599], rtol=1e-7, atol=1e-7
            )


@pytest.mark.parametrize(
    ("equation", "weight", "student", "gauss"),
    [
        (equations.poisson(2), 200.0, 3283.212603, -1536.805231),
        (equations.allen_cahn(2), 200.0, 3303.484685, -1534.700949),
        (equations.advection(7.0), 500.0, -5783.00658, -6027.693856),
    ],
    ids=lambda value: getattr(value, "name", None),
)
def test_objective_on_a_square(equation, weight, student, gauss):
    problem, solution = on_square(equation)
    model = JointModel(problem, weight)
    for envelope, expected in (("matern52", student), ("gaussian", gauss)):
        at = state(problem, solution, mixture(envelope, 3), mixture(envelope, 2))
        np.testing.assert_allclose(model.objective(at, model.observations), expected, rtol=1e-9)


@pytest.mark.parametrize("shape", [(5, 4), (3, 4, 5)])
def test_the_parts_of_a_product_kernel_are_those_of_the_dense_one(shape):
    """Solve, log-determinant and quadratic form of covariances that are never formed."""
    axes, ndim = [Axis(0.0, 1.0, max(n, 4)) for n in shape], len(shape)
    told = Collocation.of(equations.poisson(ndim), axes, [DIRICHLET] * ndim, lambda *x: jnp.sin(sum(x)))
    mixtures = tuple(mixture("matern52", 3 - i) for i in range(ndim))
    u = jnp.asarray(np.random.default_rng(0).normal(size=told.shape))
    model = JointModel(told)
    parts = model.parts(JointState(u, mixtures, jnp.asarray(0.0), jnp.asarray(0.0)), model.observations)
    dense = np.eye(1)
    for m, axis in zip(mixtures, axes, strict=True):
        dense = np.kron(dense, toeplitz(m.derivatives(jnp.asarray(axis.lags))[0].at[0].add(model.nugget)))
    solved = np.linalg.solve(dense, np.ravel(u))
    np.testing.assert_allclose(parts.logdet, np.linalg.slogdet(dense)[1], rtol=1e-11)
    np.testing.assert_allclose(parts.quad, np.ravel(u) @ solved, rtol=1e-11)


def test_the_first_iterate_is_that_of_the_published_code():
    problem = PROBLEMS["P1"]
    model = JointModel(problem.collocate())
    for envelope, expected in (("matern52", 9974999191.593), ("gaussian", 9974999128.077)):
        start = model.start(20.0, envelope=envelope)
        np.testing.assert_allclose(model.objective(start, model.observations), expected, rtol=1e-12)
    found = fit(model, model.start(20.0), 1)
    assert problem.error(model.predict(found.last, problem.test_points)) == pytest.approx(0.98719619, abs=1e-6)


@pytest.mark.slow
def test_iterates_are_those_of_the_published_code():
    """Test errors after steps 1, 51 and 96 of a run that its authors logged, the last one to eight digits."""
    problem = PROBLEMS["P1"]
    model = JointModel(problem.collocate())
    at, optimizer, errors = model.start(20.0), None, []
    for steps in (1, 50, 45):
        found = fit(model, at, steps, optimizer_state=optimizer)
        at, optimizer = found.last, found.optimizer
        errors.append(problem.error(model.predict(at, problem.test_points)))
    np.testing.assert_allclose(errors, [0.98719619, 0.49769030, 0.27562065], atol=1e-6)


@pytest.mark.slow
def test_a_long_run_of_the_published_code():
    problem = PROBLEMS["P1"]
    model = JointModel(problem.collocate())
    found = fit(model, model.start(30.0, envelope="gaussian"), 5001)
    assert problem.error(model.predict(found.last, problem.test_points)) == pytest.approx(0.320, abs=0.005)


def test_fits_continue_and_report_the_best_state():
    model = JointModel(on_line(equations.poisson(1)))
    start = model.start(3.0, components=4)
    whole = fit(model, start, 16)
    first = fit(model, start, 8)
    rest = fit(model, first.last, 8, optimizer_state=first.optimizer)
    np.testing.assert_allclose(rest.last.values, whole.last.values, rtol=1e-9, atol=1e-12)
    lowest = model.objective(whole.best, model.observations)
    np.testing.assert_allclose(lowest, whole.objective.min(), rtol=1e-12)
    assert len(whole.objective) == 16 and whole.objective[-1] < whole.objective[0]
    with pytest.raises(ValueError, match="matern32"):
        model.start(3.0, envelope="matern32")
    broken = dataclasses.replace(start, log_v=jnp.asarray(jnp.nan))
    with pytest.raises(FloatingPointError, match="in steps 0 to 8"):
        fit(model, broken, 8)
