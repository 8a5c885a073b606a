"""The block's order of operations, by hand, and the norms inside it."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from operator_testing import apply, build, sample

from operators import FNO, TFNO
from operators.layers.fno_block import FNOBlock
from operators.layers.norms import BatchNorm

EMBEDDING = np.linspace(-1, 1, 3, dtype=np.float32)


def block(**options) -> FNOBlock:
    return build(lambda: FNOBlock(4, (4,), **{"activate": True, "non_linearity": jnp.sin} | options, rngs=nnx.Rngs(0)))


@pytest.mark.parametrize("compat", [None, "neuralop2"])
@pytest.mark.parametrize("use_channel_mlp", [True, False])
@pytest.mark.parametrize("activate", [True, False])
def test_preactivation(activate, use_channel_mlp, compat):
    options = {"activate": activate, "use_channel_mlp": use_channel_mlp, "compat": compat}
    layer = block(preactivation=True, stabilizer="tanh", norm="group_norm", **options)

    @jax.jit
    def by_hand(layer, x):
        x = layer.norm(jnp.sin(x))
        u = layer.conv(jnp.tanh(x)) + layer.fno_skip(x)
        if use_channel_mlp or compat:
            u = layer.channel_mlp_norm(jnp.sin(u) if activate else u)
        return layer.channel_mlp(u) + layer.channel_mlp_skip(x) if use_channel_mlp else u

    x = sample(2, 9, 4)
    np.testing.assert_allclose(apply(layer, x), by_hand(layer, x), atol=1e-6)


def test_stabilizer_is_before_the_convolution_alone():
    layer, x = block(stabilizer="tanh", use_channel_mlp=False), 3 * sample(2, 9, 4)
    by_hand = jax.jit(lambda layer, x: jnp.sin(layer.conv(jnp.tanh(x)) + layer.fno_skip(x)))
    np.testing.assert_allclose(apply(layer, x), by_hand(layer, x), atol=1e-6)
    plain = block(use_channel_mlp=False)
    assert np.abs(apply(plain, x) - apply(layer, x)).max() > 0.1


@pytest.mark.parametrize("preactivation", [False, True])
def test_adaptive_norm_follows_its_embedding(preactivation):
    options = {"norm": "ada_in", "ada_in_features": 3, "n_layers": 2, "preactivation": preactivation}
    network = build(lambda: TFNO((4,), 1, 1, 4, rank=0.5, **options, rngs=nnx.Rngs(0)), scale=0.2)
    call = jax.jit(lambda network, u, embedding: network(u, embedding=embedding))
    u = sample(2, 9, 1)
    one = call(network, u, jnp.asarray(EMBEDDING))
    each = call(network, u, jnp.stack([jnp.asarray(EMBEDDING), jnp.zeros(3)]))
    np.testing.assert_allclose(each[0], one[0], atol=1e-6)
    assert np.abs(each[1] - one[1]).max() > 1e-3
    np.testing.assert_allclose(call(network, u[1], jnp.zeros(3)), each[1], atol=1e-6)
    with pytest.raises(ValueError, match=r"embedding: got None, wanted \(3,\) or \(2, 3\)"):
        jax.eval_shape(network, u)
    with pytest.raises(ValueError, match="embedding: got one, wanted none"):
        build(lambda: FNO((4,), 1, 1, 4, rngs=nnx.Rngs(0)))(u, embedding=jnp.zeros(3))


@pytest.mark.parametrize("remat", [False, True])
def test_batch_norm_keeps_running_averages(remat):
    options = {"norm": "batch_norm", "n_layers": 1, "remat": remat}
    network = build(lambda: FNO((4,), 1, 1, 4, **options, rngs=nnx.Rngs(0)))
    for _, leaf in nnx.iter_graph(network):
        if isinstance(leaf, nnx.BatchStat):
            leaf.set_value(jnp.full(leaf.shape, 2.0))
    norm, u = network.blocks[0].norm, sample(3, 9, 1)
    call = nnx.jit(lambda network, u: network(u))  # brings home what a call changes
    before_norm = jax.jit(lambda network, u: network.blocks[0].conv(network.lifting(network.embedding(u))))
    x = np.asarray(before_norm(network, u))
    training = call(network, u)
    mean, variance = x.mean((0, 1)), x.var((0, 1), ddof=1)
    np.testing.assert_allclose(norm.mean[...], 1.8 + 0.1 * mean, atol=1e-5)
    np.testing.assert_allclose(norm.variance[...], 1.8 + 0.1 * variance, atol=1e-5)

    network.eval()
    before = np.asarray(norm.mean[...])
    evaluated = np.asarray(call(network, u))
    assert np.abs(evaluated - training).max() > 1e-3
    # A sample does not see the others any more, and nothing is remembered.
    np.testing.assert_allclose(evaluated[:1], call(network, u[:1]), atol=1e-6)
    np.testing.assert_array_equal(norm.mean[...], before)


def test_batch_norm_standardises_the_batch():
    norm, x = BatchNorm(3), 3 + 2 * sample(4, 5, 6, 3)
    y = np.asarray(norm(x))
    np.testing.assert_allclose(y.mean((0, 1, 2)), 0, atol=1e-6)
    np.testing.assert_allclose(y.var((0, 1, 2)), 1, atol=1e-4)  # eps = 1e-5 beside a variance of 4


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"norm": "batch"}, "norm: got 'batch'"),
        ({"norm": "ada_in"}, "ada_in_features: got None"),
        ({"norm": "group_norm", "ada_in_features": 3}, "ada_in_features: got 3"),
        ({"norm": "batch_norm", "norm_groups": 2}, "norm_groups: got 2"),
        ({"stabilizer": "clip"}, "stabilizer: got 'clip'"),
    ],
    ids=str,
)
def test_bad_options_are_named(options, match):
    with pytest.raises(ValueError, match=match):
        block(**options)
