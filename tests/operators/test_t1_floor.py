"""Floors of Transform Once on generated flows, and a fit of a few of them; minutes of solving."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import nnx

from operators import T1
from pdes.generators import NavierStokesLi
from training.losses import RelativeL2

pytestmark = pytest.mark.slow
FITTED = 32


@pytest.fixture(scope="module", params=[(1e-3, 50.0), (1e-4, 15.0)], ids=["smooth", "rough"])
def flow(request):
    """Initial and final vorticity of 48 flows, [n, 64, 64, 1]."""
    viscosity, end = request.param
    generator = NavierStokesLi((96, 96), viscosity, warmup=0.0, interval=end, n_snapshots=2, n_inputs=1)
    with jax.enable_x64(True):
        solve = jax.jit(jax.vmap(lambda key: generator.restrict(generator(key)["vorticity"], (64, 64))))
        fields = np.concatenate([np.asarray(solve(jax.random.split(jax.random.key(i), 8))) for i in range(6)])
    x, y = (jnp.asarray(fields[:, i, ..., None], jnp.float32) for i in (0, 1))
    return viscosity, x, y


def floor(operator, y):
    return float(jnp.mean(RelativeL2((1.0, 1.0))(operator.project(y), y)))


def left_out(operator, y):
    return float(jnp.sum(jnp.square(y - operator.project(y))))


def test_floors(flow):
    viscosity, x, y = flow
    low = T1((24, 24), 1, 1, 4, n_layers=1, rngs=nnx.Rngs(0))
    top = T1((64, 64), 1, 1, 4, n_layers=1, selection="top_energy", kept_modes=576, rngs=nnx.Rngs(0))
    top.adapt(top.measure(x[:FITTED], y[:FITTED]))
    smooth = viscosity == 1e-3
    lowest, highest = (4e-3, 1e-2) if smooth else (1.5e-2, 3e-2)
    assert lowest < floor(low, y) < highest
    # What it was fitted to, always: no other set of modes of that size has more of that energy.
    assert left_out(top, y[:FITTED]) <= left_out(low, y[:FITTED])
    held_out = floor(top, y[FITTED:]) / floor(low, y[FITTED:])
    assert held_out < 0.3 if smooth else held_out < 1.05


def test_a_few_flows_are_learnt_by_heart(flow):
    x, y = flow[1][:8], flow[2][:8]
    operator = T1((24, 24), 1, 1, 16, n_layers=4, rngs=nnx.Rngs(0))
    z, target = operator.truncation.forward(x), operator.truncation.forward(y)
    graph, params, rest = nnx.split(operator, nnx.Param, ...)
    optimizer = optax.adamw(1e-3)

    def loss(params):
        error = nnx.merge(graph, params, rest).coefficients(z, (64, 64)) - target
        return jnp.mean(jnp.linalg.norm(error.reshape(8, -1), axis=1) / jnp.linalg.norm(target.reshape(8, -1), axis=1))

    @jax.jit
    def step(params, state):
        value, grads = jax.value_and_grad(loss)(params)
        updates, state = optimizer.update(grads, state, params)
        return optax.apply_updates(params, updates), state, value

    state = optimizer.init(params)
    for _ in range(120):
        params, state, value = step(params, state)
    assert float(value) < 0.35
    # The modes left out are an error that stays, in every sample.
    trained = nnx.merge(graph, params, rest)
    errors, floors = (RelativeL2((1.0, 1.0))(v, y) for v in (trained(x), trained.project(y)))
    assert bool(jnp.all(errors >= floors - 1e-6)) and float(floors.min()) > 1e-3
