"""Sampled residuals: their expectation over all that chance may choose is the gradient of the whole residual."""

import functools
import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from operators.point_network import PointNetwork
from pdes.high_dimensional import BallSineGordon, HamiltonJacobiBellman, Terminal, UnitBall
from training.dimensions import SampledResidual, along, sampled_residual
from training.directions import Coordinates, Every, Rademacher
from training.problem import problem_of_generator

# Sums of a few hundred gradients in float64.
ROUND_OFF = 1e-10


class Case:
    """A small network for an equation, and points."""

    def __init__(self, equation, constraint):
        self.equation = equation
        net = PointNetwork(equation.coordinates, 1, 4, n_layers=3, constraint=constraint, rngs=nnx.Rngs(0))
        graph, params = nnx.split(net)
        self.params = jax.tree.map(lambda v: v.astype(jnp.float64), params)
        self.model_of = lambda params: nnx.merge(graph, params)
        self.x = equation(jax.random.key(5))["point"].T[None]

    def loss(self, directions, factor):
        return SampledResidual(problem_of_generator(self.equation, None, None), directions, factor)

    def gradients(self, directions, factor, backward, forward):
        """Values and flat gradients for arrays of keys [k, ...], which may stand for what is drawn from them."""
        loss = self.loss(directions, factor)

        def mean(params, backward, forward):
            return jnp.mean(loss.product(self.equation, self.model_of(params), self.x, backward, forward))

        value, gradient = jax.jit(jax.vmap(jax.value_and_grad(mean), (None, 0, 0)))(self.params, backward, forward)
        return value, jnp.concatenate([leaf.reshape(len(leaf), -1) for leaf in jax.tree.leaves(gradient)], axis=1)

    @functools.cached_property
    def exact(self):
        """Mean square of the residual and its gradient, from whole Hessians."""
        d = self.equation.dims

        def mean(params):
            def residual(x):
                def u(x):
                    return self.model_of(params)(x[None])[0, 0]

                pieces = self.equation.piece(jax.grad(u)(x)[:d], jnp.diag(jax.hessian(u)(x))[:d])
                return (jnp.sum(pieces) + self.equation.rest(u, x)) / d

            return jnp.mean(jax.vmap(residual)(self.x[0]) ** 2)

        value, gradient = jax.jit(jax.value_and_grad(mean))(self.params)
        return value, jnp.concatenate([leaf.ravel() for leaf in jax.tree.leaves(gradient)])


@pytest.fixture(scope="module")
def case_in_ball():
    with jax.enable_x64(True):
        return Case(BallSineGordon(dims=6, points=3), UnitBall())


@pytest.fixture
def ball(x64, case_in_ball):
    return case_in_ball


def subsets(monkeypatch):
    """All pairs of 6 dimensions; the keys of `Coordinates` become the pairs themselves."""
    monkeypatch.setattr(jax.random, "choice", lambda key, dims, shape, replace: key)
    return jnp.array(list(itertools.combinations(range(6), 2)))


def close(found, wanted):
    np.testing.assert_allclose(found, wanted, rtol=ROUND_OFF, atol=ROUND_OFF * float(jnp.max(jnp.abs(wanted))))


def test_algorithm_1_has_no_bias(ball, monkeypatch):
    """All 15 subsets of the backward pass, the factor being exact."""
    chosen = subsets(monkeypatch)
    values, gradients = ball.gradients(Coordinates(2), Every(4), chosen, chosen)
    value, gradient = ball.exact
    close(jnp.mean(values), value)
    close(jnp.mean(gradients, axis=0), gradient)
    assert float(jnp.max(jnp.std(gradients, axis=0))) > 1e-3, "no subset alone has the gradient"


def test_algorithm_2_has_no_bias(ball, monkeypatch):
    """All 225 pairs of subsets, one for each pass."""
    chosen = subsets(monkeypatch)
    pairs = np.array(list(itertools.product(range(15), repeat=2)))
    values, gradients = ball.gradients(Coordinates(2), Coordinates(2), chosen[pairs[:, 0]], chosen[pairs[:, 1]])
    value, gradient = ball.exact
    close(jnp.mean(values), value)
    close(jnp.mean(gradients, axis=0), gradient)


def test_algorithm_3_is_biased_by_the_variance(ball, monkeypatch):
    """One subset for both passes: E[R^2] = (E R)^2 + var R."""
    chosen = subsets(monkeypatch)
    values, gradients = ball.gradients(Coordinates(2), None, chosen, chosen)
    value, gradient = ball.exact
    model = ball.model_of(ball.params)
    residuals = jax.vmap(lambda i: sampled_residual(ball.equation, model, ball.x[0], Coordinates(2), i))(chosen)
    variance = jnp.mean(jnp.var(residuals, axis=0))
    assert float(variance) > 1e-3 * float(value)
    close(jnp.mean(values) - value, variance)
    bias = jnp.linalg.norm(jnp.mean(gradients, axis=0) - gradient)
    assert float(bias) > 1e-3 * float(jnp.linalg.norm(gradient))


def test_hutchinson_has_no_bias(x64, monkeypatch):
    """All pairs of the 8 sign vectors, for an equation with squares of first derivatives and with time."""
    case = Case(HamiltonJacobiBellman(dims=3, points=3), Terminal())
    monkeypatch.setattr(jax.random, "rademacher", lambda key, shape, dtype: key)
    vectors = jnp.array(list(itertools.product((-1.0, 1.0), repeat=3)))[:, None]
    pairs = np.array(list(itertools.product(range(8), repeat=2)))
    values, gradients = case.gradients(Rademacher(1), Rademacher(1), vectors[pairs[:, 0]], vectors[pairs[:, 1]])
    value, gradient = case.exact
    close(jnp.mean(values), value)
    close(jnp.mean(gradients, axis=0), gradient)
    assert float(jnp.max(jnp.std(values))) > 1e-6 * float(value)


def test_derivatives_along_a_direction(ball):
    net = ball.model_of(ball.params)
    x, v = ball.x[0, 0], jnp.arange(6.0)

    def u(x):
        return net(x[None])[0, 0]

    first, second = jax.jit(lambda x: along(u, x, v))(x)
    np.testing.assert_allclose(first, jax.jit(jax.grad(u))(x) @ v, rtol=1e-12)
    np.testing.assert_allclose(second, v @ jax.jit(jax.hessian(u))(x) @ v, rtol=1e-10)


def test_coordinates_are_different_and_drawn_anew():
    def drawn(key):
        return Coordinates(3)(key, 6, lambda vectors: jnp.sum(vectors, axis=0)) / 2  # 6 / 3, the share

    sets = np.array(jax.vmap(drawn)(jax.random.split(jax.random.key(0), 50)))
    assert set(np.unique(sets)) == {0.0, 1.0} and (sets.sum(axis=1) == 3).all()
    assert len(np.unique(sets, axis=0)) > 10


def test_a_step_has_its_directions_and_an_equal_step_the_same():
    equation = BallSineGordon(dims=6, points=3)
    net = PointNetwork(6, 1, 4, n_layers=2, constraint=UnitBall(), rngs=nnx.Rngs(0))
    loss = SampledResidual(problem_of_generator(equation, None, None), Coordinates(2), Rademacher(2), seed=1)
    terms = jax.jit(
        lambda x, step: loss.objective(lambda y: y, lambda y: y).terms(net, x, x[..., :1], step)["residual"]
    )
    x = jnp.stack([equation(jax.random.key(i))["point"].T for i in range(2)])
    first, again, other = (terms(x, jnp.int32(step)) for step in (0, 0, 1))
    assert first.shape == (2,)
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


def test_what_is_refused(ball):
    problem = problem_of_generator(ball.equation, None, None)
    with pytest.raises(ValueError, match="count: got 7 of 6 dimensions"):
        Coordinates(7)(jax.random.key(0), 6, jnp.sum)
    with pytest.raises(ValueError, match="count: got 0"):
        Rademacher(0)
    with pytest.raises(ValueError, match="seed: got -1"):
        SampledResidual(problem, Coordinates(2), seed=-1)
    with pytest.raises(ValueError, match=r"problem: got 'burgers', wanted one of pdes\.high_dimensional"):
        SampledResidual(problem._replace(equation="burgers", generator=None), Coordinates(2))
