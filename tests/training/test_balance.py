"""Balanced sums of losses: the formulas against NumPy, weights that are not differentiated, state that is kept."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from training.balance import ReLoBRaLo, SoftAdapt
from training.losses import RelativeH1, RelativeL2
from training.objective import Sum
from training.problem import Problem
from training.sharding import make_mesh
from training.step import init_state, make_update

PROBLEM = Problem("any", {}, (1.0,), True, ("u",), ("u",))
HISTORY = np.random.default_rng(0).uniform(0.1, 2.0, (40, 3)).astype(np.float32)


def softmax(z):
    e = np.exp(z - z.max())
    return e / e.sum()


def weights_of(balance, history=HISTORY):
    call, state, found = jax.jit(balance.__call__), balance.init(history.shape[1]), []
    for step, terms in enumerate(history):
        weights, state = call(state, jnp.asarray(terms), jnp.int32(step))
        found.append(weights)
    return np.stack(found)


def test_softadapt():
    found = weights_of(SoftAdapt())
    np.testing.assert_array_equal(found[0], 1)
    wanted = [3 * softmax(now / (before + 1e-8)) for before, now in itertools.pairwise(HISTORY)]
    np.testing.assert_allclose(found[1:], wanted, rtol=1e-5)


def test_relobralo():
    """Draws of rho are those of (seed, step); with beta = 0.5 about half of the steps look back to the start."""
    alpha, beta, tau = 0.9, 0.5, 2.0
    found = weights_of(ReLoBRaLo(alpha, beta, tau, seed=3))
    key, weights, lookbacks = jax.random.key(3), np.ones(3), 0
    np.testing.assert_array_equal(found[0], weights)
    for step in range(1, len(HISTORY)):
        now, before, first = HISTORY[step], HISTORY[step - 1], HISTORY[0]
        rho = bool(jax.random.bernoulli(jax.random.fold_in(key, step), beta))
        lookbacks += not rho
        past = weights if rho else 3 * softmax(now / (tau * first + 1e-8))
        weights = alpha * past + (1 - alpha) * 3 * softmax(now / (tau * before + 1e-8))
        # float32 ratios of numbers of order 1, over forty steps of a contraction.
        np.testing.assert_allclose(found[step], weights, rtol=1e-5)
    assert 10 < lookbacks < 30


@pytest.mark.parametrize(
    ("balance", "name", "bad"),
    [(ReLoBRaLo, "alpha", 1.5), (ReLoBRaLo, "tau", 0.0), (ReLoBRaLo, "eps", -1.0), (ReLoBRaLo, "seed", -1),
     (SoftAdapt, "eps", -1.0)],
)  # fmt: skip
def test_settings_out_of_range(balance, name, bad):
    with pytest.raises(ValueError, match=rf"{name}: got {bad}, wanted"):
        balance(**{name: bad})


def update_of(balance, weights=None, devices=None):
    """Gradient descent on a gain: prediction = params x, target = 2 x."""
    losses = {"l2": RelativeL2, "h1": RelativeH1}
    objective = Sum(PROBLEM, losses, weights=weights or {}, balance=balance).objective(lambda y: y, lambda y: y)
    optimizer = optax.sgd(0.1)
    update = make_update(lambda params: lambda x: params * x, objective, optimizer, make_mesh(devices or 1))
    return jax.jit(update), init_state(jnp.ones(()), optimizer, False, balance=objective.init())


def batch(noise=0.1):
    x = jax.random.normal(jax.random.key(0), (8, 16, 1))
    return x, 2 * x + noise * jax.random.normal(jax.random.key(1), x.shape)


def test_the_loss_is_the_weighted_sum_of_its_terms():
    update, state = update_of(None, {"h1": 0.25})
    _, metrics = update(state, batch())
    np.testing.assert_allclose(metrics["loss"], metrics["loss_l2"] + 0.25 * metrics["loss_h1"], rtol=1e-6)
    assert (metrics["weight_l2"], metrics["weight_h1"]) == (1, 0.25)


@pytest.mark.parametrize("balance", [ReLoBRaLo(alpha=0.5, beta=0.5), SoftAdapt()])
def test_weights_are_constants_of_the_gradient(balance):
    """d(sum w_i L_i) = sum w_i dL_i, with the reported weights; through the softmax there would be more."""
    update, state = update_of(balance, {"h1": 0.5})
    for noise in (0.1, 2.0):
        before = state
        state, metrics = update(state, batch(noise))
    weights = jnp.stack([metrics["weight_l2"], metrics["weight_h1"]])
    assert np.abs(weights - jnp.array([1, 0.5])).max() > 1e-4, "the weights did not move"
    x, y = batch(2.0)
    slopes = [jax.grad(lambda p, of=of: of((1.0,))(p * x, y).mean())(before.params) for of in (RelativeL2, RelativeH1)]
    np.testing.assert_allclose(state.params, before.params - 0.1 * jnp.sum(weights * jnp.stack(slopes)), rtol=1e-5)


@pytest.mark.timeout(120)
def test_eight_devices_weigh_like_one():
    states, reports = [], []
    for devices in (1, 8):
        update, state = update_of(ReLoBRaLo(alpha=0.5, beta=0.5), devices=devices)
        for _ in range(3):
            state, metrics = update(state, batch())
        states.append(state)
        reports.append(metrics)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5), *(jax.device_get(s) for s in states))
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5), *(jax.device_get(r) for r in reports))


@pytest.mark.parametrize(
    "terms", [{"losses": {"a": RelativeL2}}, {"losses": {"a": RelativeL2, "b": RelativeH1}, "weights": {"c": 1.0}}]
)
def test_sums_that_make_no_sense(terms):
    with pytest.raises(ValueError, match="wanted two terms or more of different names"):
        Sum(PROBLEM, **terms)
