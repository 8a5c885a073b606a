"""Which modes an operator works on: the lowest, those with most energy, or those it learns to take."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import nnx
from operator_testing import apply, sample

from operators import T1
from operators.layers.selection import Learnt, LowPass, TopEnergy


def make(selection, kept, **options):
    options = {"hidden_channels": 4, "n_layers": 1, "projection_channels": 8} | options
    return T1((8, 8), 1, 1, selection=selection, kept_modes=kept, rngs=nnx.Rngs(0), **options)


def waves(modes, shape=(12, 12), samples=4):
    """Fields made of a few cosine modes, with random amplitudes."""
    rng = np.random.default_rng(0)
    z = np.zeros((samples, 8, 8, 1, 1), np.float32)
    for kx, ky in modes:
        z[:, kx, ky, 0, 0] = 1 + rng.uniform(size=samples)
    return make("low_pass", None).truncation.inverse(jnp.asarray(z), shape)


def residual(operator, y):
    return float(jnp.linalg.norm(y - operator.project(y)) / jnp.linalg.norm(y))


@pytest.mark.parametrize("basis", ["cosine", "fourier"])
def test_of_all_sets_of_a_size_the_one_with_the_least_residual(basis):
    y = sample(6, 12, 11, 1) * jnp.linspace(0.1, 2, 12)[None, :, None, None]
    operator = make("top_energy", 9, basis=basis)
    before = residual(operator, y)
    energies = operator.measure(y, y)
    operator.adapt(energies)
    kept = np.sort(np.asarray(energies.targets).reshape(-1))[::-1][:9].sum()
    # Energies are shares of the whole: what is not kept is the residual.
    assert residual(operator, y) == pytest.approx(np.sqrt(1 - kept), rel=1e-4)
    assert residual(operator, y) < before


@pytest.mark.parametrize("selection", [LowPass((4, 3)), TopEnergy((4, 3), 5, (0, 0)), Learnt((4, 3), 5, (2, 0))])
def test_to_the_list_and_back(selection):
    z = sample(4, 3, 2, 1, 2)
    back = selection.scatter(selection.gather(z))
    kept = selection.kept
    assert selection.gather(z).shape == (kept, 2, 1, 2)
    np.testing.assert_array_equal(selection.gather(back), selection.gather(z))
    mask = np.asarray(selection.mask())
    assert mask.shape == (4, 3) and set(np.unique(mask)) <= {0, 1}
    assert mask.sum() == (5 if isinstance(selection, TopEnergy | Learnt) else 12)
    gated = selection.scatter(selection.gate(selection.gather(z)))
    np.testing.assert_allclose(gated, z * mask[..., None, None, None], atol=1e-6)


def test_nothing_comes_out_of_other_modes_and_they_have_no_weights():
    y = waves([(0, 0), (5, 1), (2, 7)])
    operator = make("top_energy", 3)
    operator.adapt(operator.measure(y, y))
    assert residual(operator, y) < 1e-6
    assert operator.blocks[0].modes.weight.shape == (3, 1, 4, 4)
    z = operator.truncation.forward(apply(operator, y))[..., 0, 0]
    outside = np.asarray(operator.selection.mask()) == 0
    assert outside.sum() == 61 and np.abs(np.asarray(z)[:, outside]).max() < 1e-5 * float(jnp.abs(z).max())


def test_chosen_modes_are_state_that_is_kept():
    operator = make("top_energy", 3)
    assert set(nnx.to_flat_state(nnx.state(operator, nnx.BatchStat)).paths) == {("selection", "indices")}


def test_modes_that_reduce_the_loss_come_in():
    """Three modes may take part and the lowest do at first; the targets have their energy elsewhere."""
    modes = [(0, 0), (6, 0), (3, 5)]
    y = waves(modes)
    operator = make("learnt", 3, hidden_channels=6)
    wanted = np.zeros((8, 8))
    wanted[tuple(zip(*modes, strict=True))] = 1
    assert not np.array_equal(operator.selection.mask(), wanted)
    target = operator.truncation.forward(y)
    graph, params, rest = nnx.split(operator, nnx.Param, ...)
    optimizer = optax.adam(2e-2)

    def loss(params):
        z = nnx.merge(graph, params, rest).coefficients(target, (12, 12))
        return jnp.sum((z - target) ** 2)

    @jax.jit
    def train(params, state):
        def body(_, carry):
            params, state = carry
            updates, state = optimizer.update(jax.grad(loss)(params), state)
            return optax.apply_updates(params, updates), state

        return jax.lax.fori_loop(0, 150, body, (params, state))

    params, _ = train(params, optimizer.init(params))
    nnx.update(operator, params)
    assert np.array_equal(operator.selection.mask(), wanted)
