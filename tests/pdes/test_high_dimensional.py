"""Problems in many dimensions: solutions against their equations, points, boundary values."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from pdes.high_dimensional import (
    BallAllenCahn,
    BallPoisson,
    BallSineGordon,
    HamiltonJacobiBellman,
    Terminal,
    UnitBall,
)

PROBLEMS = (BallPoisson, BallAllenCahn, BallSineGordon, HamiltonJacobiBellman)


def points(problem, count=4):
    keys = jax.random.split(jax.random.key(3), count)
    return jax.vmap(problem.point)(keys).astype(jnp.result_type(float))


def operator(problem, u, x):
    """sum_i L_i(u), from the whole Hessian and gradient: another way than any that is trained with."""
    d = problem.dims
    return jnp.sum(problem.piece(jax.grad(u)(x)[:d], jnp.diag(jax.hessian(u)(x))[:d]))


@pytest.mark.parametrize("kind", PROBLEMS)
def test_the_exact_solution_solves_the_equation(kind, x64):
    problem = kind(dims=5)

    def residual(x):
        terms = operator(problem, problem.exact, x), problem.rest(problem.exact, x)
        return sum(terms), jnp.abs(terms[0])

    error, size = jax.jit(jax.vmap(residual))(points(problem))
    # Round-off of float64 in sums of a few dozen terms.
    assert float(jnp.max(jnp.abs(error))) < 1e-12 * float(jnp.max(size))


def test_another_solution_does_not(x64):
    problem = BallSineGordon(dims=5)

    def wrong(x):
        return 1.001 * problem.exact(x)

    residual = jax.jit(lambda x: operator(problem, wrong, x) + problem.rest(wrong, x))
    assert abs(float(residual(points(problem)[0]))) > 1e-4


def test_the_control_problem_of_the_literature(x64):
    """E, Han, Jentzen: u(0, 0) = 4.5901 in 100 dimensions. They state a Monte Carlo estimate, to about 1e-4."""
    assert abs(float(HamiltonJacobiBellman(dims=100).exact(jnp.zeros(101))) - 4.5901) < 2e-4


@pytest.mark.parametrize("dims", [1, 10_000])
def test_the_final_values_of_the_control_problem(dims, x64):
    """At t = T the integral is 1 / (1 + |x|^2), by the same quadrature."""
    problem = HamiltonJacobiBellman(dims=dims, time=2.0)
    x = points(problem).at[:, -1].set(2.0)
    wanted = Terminal(2.0)(x, jnp.full((len(x), 1), 7.0))[:, 0]
    np.testing.assert_allclose(jax.vmap(problem.exact)(x), wanted, rtol=1e-10)


def test_points_of_the_ball_have_every_radius():
    """Uniform, with its mean and second moment; uniform in the volume all would be near 1. Four standard errors."""
    radius = jnp.linalg.norm(points(BallPoisson(dims=50), 1000), axis=-1)
    assert float(jnp.max(radius)) < 1
    assert abs(float(jnp.mean(radius)) - 1 / 2) < 4 * 0.29 / 1000**0.5
    assert abs(float(jnp.mean(radius**2)) - 1 / 3) < 4 * 0.30 / 1000**0.5


def test_boundary_values_hold_whatever_the_network_says():
    x = jnp.eye(3)
    np.testing.assert_array_equal(UnitBall()(x, jnp.full((3, 1), 5.0)), 0)


def test_a_sample_is_the_same_cloud_in_both_precisions():
    problem = BallPoisson(dims=4, points=6)
    single = jax.jit(problem.__call__)(jax.random.key(1))
    with jax.enable_x64(True):
        double = jax.jit(problem.__call__)(jax.random.key(1))
    assert single["point"].shape == (4, 6) and single["solution"].shape == (1, 6)
    np.testing.assert_array_equal(single["point"], np.asarray(double["point"], np.float32))
    np.testing.assert_allclose(single["solution"], double["solution"], rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(problem.restrict(single["point"], (2,)), single["point"][:, :2])


@pytest.mark.parametrize(
    ("kind", "numbers", "message"),
    [
        (BallPoisson, {"dims": 1}, "dims: got 1, wanted at least 2"),
        (BallPoisson, {"points": 0}, "points: got 0"),
        (BallSineGordon, {"seed": -1}, "seed: got -1"),
        (HamiltonJacobiBellman, {"time": 0.0}, r"time: got 0\.0"),
    ],
)
def test_bad_numbers_are_refused(kind, numbers, message):
    with pytest.raises(ValueError, match=message):
        kind(**numbers)
