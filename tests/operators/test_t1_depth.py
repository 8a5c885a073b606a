"""Initialisations of Transform Once: the energy that comes through a cut, and through many blocks."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from operators.layers.mixer_block import GELU_GAIN, MixerBlock
from operators.layers.selection import LowPass
from operators.t1 import T1, block_init
from spectral.truncation import Truncation


def test_energy_of_white_noise_comes_through_a_dense_cut():
    """x -> C^T A C x with A [m, m]: m^2 s^2 / N of the energy is left; s^2 = N / m^2 keeps it, 1 / m loses most."""
    points, modes, rng = 1000, 100, np.random.default_rng(0)
    x = rng.normal(size=(points, 20)) * math.sqrt(0.9)
    z = np.asarray(Truncation((modes,)).forward(jnp.asarray(x, jnp.float32).T[..., None]))[:, :, 0, 0].T

    def ratio(variance):
        # 20 inputs, each with its own matrix: the spread of the mean is 0.017.
        out = [np.sum((rng.normal(size=(modes, modes)) * math.sqrt(variance) @ z[:, j]) ** 2) for j in range(20)]
        return np.mean(out) / np.mean(np.sum(x**2, 0))

    assert 0.9 < ratio(points / modes**2) < 1.1
    assert 0.09 < ratio(1 / modes) < 0.11


def energies(init, depth=8, residual=1.0, branch_only=False):
    """Variance of the kept modes of white noise on 64x64 after every block, by width 48 and 24x24 modes."""
    points, m, width, batch = (64, 64), 24, 48, 1
    selection = LowPass((m, m))
    rngs = nnx.Rngs(0)
    z = jnp.asarray(np.random.default_rng(0).normal(size=(m * m, batch, 1, width)), jnp.float32)
    result = []

    run = jax.jit(lambda block, z: block(z, selection))
    for layer in range(depth):
        options = block_init(init, layer, width, m * m, 2, points if init.startswith("variance") else None)
        block = MixerBlock(width, selection, parts=1, residual_scale=residual, rngs=rngs, **options)
        z = run(block, z) - (z if branch_only else 0)
        result.append(float(jnp.var(z)))
    return result


@pytest.fixture(scope="module")
def measured():
    return {
        "every": energies("variance_preserving"),
        "first": energies("variance_preserving_first"),
        "fan_in": energies("fan_in", branch_only=True),
        "scaled": energies("fan_in", residual=1 / math.sqrt(8)),
        "naive": energies("naive", depth=1),
    }


def test_variance_preserved_in_every_block_explodes(measured):
    assert measured["every"][-1] > 1e4  # 1.8e5: every block counts the noise that only the first one loses


def test_variance_preserved_in_the_first_block_only_grows_slowly(measured):
    assert 3 < measured["first"][0] < 6 and measured["first"][-1] < 300


def test_the_gain_of_the_activation_keeps_deep_operators_level(measured):
    assert all(0.85 < v < 1.2 for v in measured["fan_in"])
    assert measured["scaled"][-1] < 3.2


def test_naive_blocks_do_nothing(measured):
    assert all(0.9 < v < 1.1 for v in measured["naive"])


def test_the_gain_is_that_of_the_exact_gelu():
    x = np.linspace(-12, 12, 100_001)
    normal = np.exp(-(x**2) / 2) / math.sqrt(2 * math.pi)
    phi = np.asarray(jax.scipy.stats.norm.cdf(x))
    left = np.trapezoid((x * phi) ** 2 * normal, x)
    assert left * GELU_GAIN**2 == pytest.approx(1, rel=1e-3)


@pytest.mark.parametrize("basis", ["cosine", "fourier"])
def test_data_aware_init_gives_back_what_the_cut_loses(basis):
    """White noise: the rule of variance_preserving_first (times the gain); data below the cut: fan_in."""
    shape, rng = (24, 24), np.random.default_rng(0)
    operator = T1((8, 8), 1, 1, 4, n_layers=1, basis=basis, init="data_aware", rngs=nnx.Rngs(0))
    before = operator.blocks[0].modes.weight[...]
    white = jnp.asarray(rng.normal(size=(16, *shape, 1)), jnp.float32)
    operator.adapt(jax.jit(operator.measure)(white, white))
    ratio = np.asarray(operator.blocks[0].modes.weight[...] / before)
    assert ratio.std() < 1e-5 * ratio.mean()
    assert ratio.mean() == pytest.approx(math.sqrt(24 * 24 / operator.truncation.alive.sum()), rel=0.05)
    smooth = operator.project(white)
    before = operator.blocks[0].modes.weight[...]
    operator.adapt(operator.measure(smooth, smooth))
    np.testing.assert_allclose(operator.blocks[0].modes.weight[...], before, rtol=1e-4)


def test_data_aware_init_counts_the_modes_in_use():
    white = jnp.asarray(np.random.default_rng(0).normal(size=(64, 8, 8, 1)), jnp.float32)
    options = {"selection": "top_energy", "kept_modes": 16, "init": "data_aware"}
    operator = T1((8, 8), 1, 1, 4, n_layers=1, **options, rngs=nnx.Rngs(0))
    before = operator.blocks[0].modes.weight[...]
    operator.adapt(operator.measure(white, white))
    # White noise: a quarter of the modes has a quarter of the energy, a little more as the largest were chosen.
    assert 3 < float(jnp.mean(operator.blocks[0].modes.weight[...] / before)) ** 2 < 4


def test_weights_of_complex_coefficients_have_the_variance_of_the_rule():
    operator = T1((12, 12), 1, 1, 16, n_layers=1, basis="fourier", rngs=nnx.Rngs(0))
    weight = operator.blocks[0].modes.weight[...]
    assert float(jnp.mean(jnp.sum(weight**2, axis=1))) == pytest.approx(1 / 16, rel=0.02)
    assert float(jnp.var(weight[:, 0])) == pytest.approx(float(jnp.var(weight[:, 1])), rel=0.05)
