"""The pointwise layers, norms, coordinates and padding."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from operator_testing import apply, build, sample
from scipy.special import erf

from operators.layers.activations import gelu
from operators.layers.channel_mlp import ChannelMLP
from operators.layers.embeddings import GridEmbedding
from operators.layers.grid_plan import plan_grids
from operators.layers.linear import Linear
from operators.layers.norms import GroupNorm, InstanceNorm, make_norm
from operators.layers.padding import DomainPadding
from operators.layers.skips import Identity, SoftGating, make_skip


def test_gelu_is_exact(x64):
    x = np.linspace(-8, 8, 1001)
    want = x * (1 + erf(x / np.sqrt(2))) / 2
    np.testing.assert_allclose(gelu(jnp.asarray(x)), want, atol=1e-15)
    # float32: half an ulp of 1 + erf, times |x|; the tanh approximation is 5e-4 away
    np.testing.assert_allclose(gelu(jnp.asarray(x, jnp.float32)), want, atol=1e-6)
    slope = (1 + erf(x / np.sqrt(2))) / 2 + x * np.exp(-(x**2) / 2) / np.sqrt(2 * np.pi)
    np.testing.assert_allclose(jax.vmap(jax.grad(gelu))(jnp.asarray(x)), slope, atol=1e-14)


def test_linear_starts_uniform():
    layer = Linear(25, 400, rngs=nnx.Rngs(0))
    for values in (layer.weight[...], layer.bias[...]):
        assert np.abs(values).max() <= 0.2
        # Standard deviation of the uniform law on +-0.2, from 400 and 10,000 numbers.
        assert abs(np.std(values) - 0.2 / np.sqrt(3)) < 0.01
    x = sample(3, 4, 25)
    want = np.asarray(x) @ np.asarray(layer.weight[...]) + np.asarray(layer.bias[...])
    np.testing.assert_allclose(apply(layer, x), want, atol=1e-6)


def test_channel_mlp_is_pointwise():
    mlp = build(lambda: ChannelMLP(3, 2, 8, rngs=nnx.Rngs(0)))
    x = sample(2, 5, 6, 3)
    y = apply(mlp, x)
    assert y.shape == (2, 5, 6, 2)
    np.testing.assert_allclose(apply(mlp, x[:, 2:3, 4:5]), y[:, 2:3, 4:5], atol=1e-6)
    with pytest.raises(ValueError, match="hidden_channels"):
        ChannelMLP(3, 2, 0, rngs=nnx.Rngs(0))


def test_skips():
    x = sample(2, 5, 4)
    rngs = nnx.Rngs(0)
    assert make_skip(None, 4, 4, rngs=rngs) is None
    assert make_skip("linear", 4, 3, rngs=rngs)(x).shape == (2, 5, 3)
    np.testing.assert_array_equal(Identity()(x), x)
    gate = SoftGating(4)
    np.testing.assert_array_equal(gate(x), x)
    gate.weight[...] = jnp.arange(4.0)
    np.testing.assert_array_equal(gate(x), x * jnp.arange(4.0)[None, None])
    for kind, match in (("soft-gating", 'use "linear"'), ("dense", "got 'dense'")):
        with pytest.raises(ValueError, match=match):
            make_skip(kind, 4, 3, rngs=rngs)


def test_norms():
    x = 3 + 2 * sample(2, 6, 5, 8)
    instance = np.asarray(apply(InstanceNorm(), x))
    np.testing.assert_allclose(instance.mean((1, 2)), 0, atol=1e-6)
    np.testing.assert_allclose(instance.var((1, 2)), 1, atol=1e-4)  # eps = 1e-5 beside a variance of 4
    group = np.asarray(apply(GroupNorm(8, 2), x)).reshape(2, 6, 5, 2, 4)
    np.testing.assert_allclose(group.mean((1, 2, 4)), 0, atol=1e-6)
    np.testing.assert_allclose(group.var((1, 2, 4)), 1, atol=1e-4)
    np.testing.assert_allclose(apply(GroupNorm(8, 8), x), instance, atol=1e-6)

    layer = GroupNorm(8)
    layer.scale[...], layer.bias[...] = jnp.arange(8.0), jnp.ones(8)
    plain = np.asarray(apply(GroupNorm(8), x))
    np.testing.assert_allclose(apply(layer, x), plain * np.arange(8) + 1, atol=1e-6)
    with pytest.raises(ValueError, match="divisor"):
        GroupNorm(8, 3)
    assert make_norm(None, 8, rngs=nnx.Rngs(0)) is None


def test_grid_embedding():
    u = sample(2, 4, 6, 1)
    x = GridEmbedding(2)(u)
    np.testing.assert_array_equal(x[..., :1], u)
    np.testing.assert_allclose(x[1, :, 3, 1], [0, 0.25, 0.5, 0.75])
    np.testing.assert_allclose(x[0, 2, :, 2], np.arange(6) / 6, atol=1e-7)


@pytest.mark.parametrize(("mode", "padded"), [("symmetric", (24, 22)), ("one-sided", (22, 16))])
def test_padding_and_cropping(mode, padded):
    # 0.125 * 20 = 2.5 rounds to even, 2
    padding = DomainPadding((0.125, 0.6), 2, mode=mode)
    u = sample(1, 20, 10, 2)
    x = padding.pad(u)
    assert x.shape[1:-1] == padding.padded_shape((20, 10)) == padded
    np.testing.assert_array_equal(plan_grids((20, 10), ((1.0, 1.0),), padding).crop(x), u)
    assert float(jnp.abs(x).sum()) == pytest.approx(float(jnp.abs(u).sum()), rel=1e-6)


def test_bad_padding():
    for fraction, mode in (((0.1, 0.1, 0.1), "symmetric"), (-0.1, "symmetric"), (0.1, "left")):
        with pytest.raises(ValueError, match="domain_padding"):
            DomainPadding(fraction, 2, mode=mode)
