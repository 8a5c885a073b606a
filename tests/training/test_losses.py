"""Losses against closed forms."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from training.losses import PerPatch, RelativeBochner, RelativeH1, RelativeL2, RelativeSobolev

TWO_PI = 2 * np.pi


def waves(n: int) -> tuple[jax.Array, jax.Array]:
    """Prediction and target on [0, 1): y = sin(2 pi x), prediction = y + 0.1 cos(6 pi x); shapes [1, n, 1]."""
    x = np.arange(n) / n
    y = np.sin(TWO_PI * x)
    return tuple(jnp.asarray(v, jnp.float32).reshape(1, n, 1) for v in (y + 0.1 * np.cos(3 * TWO_PI * x), y))


def test_relative_l2_of_a_tenth():
    # float32 sums of 32 numbers: a few 1e-7.
    np.testing.assert_allclose(RelativeL2((1.0,))(*waves(32)), [0.1], rtol=1e-6)


def test_relative_h1_of_the_central_differences():
    """sqrt((0.01 + 0.01 s3^2) / (1 + s1^2)) with s_m = sin(2 pi m h)/h, h = 1/32."""
    np.testing.assert_allclose(RelativeH1((1.0,))(*waves(32)), [0.281636], rtol=1e-5)


def test_the_domain_length_weighs_the_gradient():
    """(h1^2 - l2^2 parts) differ by (2 pi)^2 between [0, 1) and [0, 2 pi)."""
    prediction, y = waves(64)
    h, s = 1 / 64, [np.sin(TWO_PI * m / 64) * 64 for m in (1, 3)]
    del h
    for length in (1.0, TWO_PI):
        gradients = [(v / length) ** 2 for v in s]
        wanted = np.sqrt((0.01 + 0.01 * gradients[1]) / (1 + gradients[0]))
        np.testing.assert_allclose(RelativeH1((length,))(prediction, y), [wanted], rtol=1e-5)


@pytest.mark.parametrize("order", [-1.0, 0.0, 1.0, 2.0])
def test_sobolev_weighs_a_wave_by_its_wavenumber(order):
    """One wave each: ratio 0.1 ((1 + (6 pi)^2) / (1 + (2 pi)^2))^(s/2)."""
    wanted = 0.1 * ((1 + (3 * TWO_PI) ** 2) / (1 + TWO_PI**2)) ** (order / 2)
    # The transform leaves 1e-7 of the unit amplitude at high k; the weights (1 + k^2)^s lift it at order 2.
    np.testing.assert_allclose(RelativeSobolev((1.0,), order)(*waves(32)), [wanted], rtol=1e-3)


@pytest.mark.parametrize("order", [0.0, 1.0, -1.0])
def test_bochner_error_of_two_times(order):
    """Snapshots y and 3 y with errors e and -2 e: sqrt((1 + 4) / (1 + 9)) of the error at the first."""
    prediction, y = (np.asarray(v) for v in waves(32))
    e = prediction - y
    v, u = np.concatenate([y, 3 * y], -1), np.concatenate([y + e, 3 * y - 2 * e], -1)
    first = RelativeSobolev((1.0,), order)(jnp.asarray(prediction), jnp.asarray(y))
    got = RelativeBochner((1.0,), order)(jnp.asarray(u), jnp.asarray(v))
    # Round-off of float32.
    np.testing.assert_allclose(got, np.sqrt(0.5) * first, rtol=1e-5)


@pytest.mark.parametrize("loss", [RelativeL2((1.0, 2.0)), RelativeH1((1.0, 2.0)), RelativeSobolev((1.0, 2.0))])
def test_one_number_a_sample_the_mean_over_channels(loss):
    prediction, y = np.random.default_rng(0).normal(size=(2, 3, 8, 6, 2)).astype(np.float32)
    whole = jax.jit(loss)(prediction, y)
    assert whole.shape == (3,)
    one = jax.jit(loss)
    by_channel = [np.asarray(one(prediction[..., c : c + 1], y[..., c : c + 1])) for c in range(2)]
    np.testing.assert_allclose(whole, (by_channel[0] + by_channel[1]) / 2, rtol=1e-5)


@pytest.mark.parametrize("loss", [RelativeL2, RelativeH1, RelativeSobolev, RelativeBochner])
@pytest.mark.parametrize("value", [jnp.nan, jnp.inf])
def test_a_prediction_that_is_not_finite_has_no_finite_loss(loss, value):
    y = np.ones((2, 8, 1), np.float32)
    bad = y.copy()
    bad[0, 3] = value
    scores = np.isfinite(jax.jit(loss((1.0,)))(bad, y))
    assert not scores[0] and scores[1]


@pytest.mark.parametrize("loss", [RelativeL2, RelativeH1, RelativeSobolev, RelativeBochner])
def test_finite_at_perfection_and_for_a_vanishing_target(loss):
    call = jax.jit(jax.value_and_grad(lambda p, y: loss((1.0,))(p, y).sum()))
    for constant in (0.0, 1.0):
        y = np.full((1, 8, 1), constant, np.float32)
        value, gradient = call(y, y)
        assert np.isfinite(value) and np.isfinite(gradient).all()


def test_h1_at_a_boundary_is_one_sided():
    """v = x (error) and v = x^2 (target) at cell centres: differences of order 2 are exact for both, at every point.

    |e|_H1^2 = sum x^2 + n, |v|_H1^2 = sum x^4 + 4 x^2; across the boundary x would jump by the whole length."""
    x = (np.arange(16) + 0.5) / 16
    target = jnp.asarray(x**2, jnp.float32).reshape(1, 16, 1)
    prediction = target + jnp.asarray(x, jnp.float32).reshape(1, 16, 1)
    wanted = np.sqrt((np.sum(x**2) + 16) / np.sum(x**4 + 4 * x**2))
    np.testing.assert_allclose(RelativeH1((1.0,), periodic=False)(prediction, target), [wanted], rtol=1e-5)
    # 6% more across the boundary.
    assert RelativeH1((1.0,))(prediction, target) > 1.05 * wanted


def test_h1_with_boundaries_takes_the_gradient_along_every_axis():
    """e = x + 3 y on a 2 x 1 box: |grad e|^2 = 10 everywhere."""
    x, y = np.meshgrid((np.arange(8) + 0.5) / 4, (np.arange(6) + 0.5) / 6, indexing="ij")
    error, target = x + 3 * y, np.ones_like(x)
    pair = (jnp.asarray(v, jnp.float32)[None, ..., None] for v in (target + error, target))
    found = RelativeH1((2.0, 1.0), periodic=False)(*pair)
    np.testing.assert_allclose(found, [np.sqrt(np.mean(error**2) + 10)], rtol=1e-5)


def test_per_patch_weighs_calm_and_lively_patches_alike():
    """A tenth of error in one patch of four, whatever the field is there; the whole field's loss sees the lively."""
    rng = np.random.default_rng(0)
    target = rng.normal(size=(2, 8, 12, 1))
    target[:, 4:, 6:] *= 100
    error = np.zeros_like(target)
    error[0, 4:, 6:], error[1, :4, :6] = 0.1 * target[0, 4:, 6:], 0.1 * target[1, :4, :6]
    pair = [jnp.asarray(v, jnp.float32) for v in (target + error, target)]
    loss = PerPatch((1.0, 2.0), RelativeL2, levels=1)
    np.testing.assert_allclose(jax.jit(loss)(*pair), [0.025, 0.025], rtol=1e-5)
    whole = jax.jit(RelativeL2((1.0, 2.0)))(*pair)
    assert whole[0] > 0.099 and whole[1] < 1e-3
    # Differences end at the seams, and are those of the patch's own size.
    quarter, pair = jax.jit(RelativeH1((0.5, 1.0), periodic=False)), [np.asarray(v) for v in pair]
    parts = [quarter(*(v[:, i : i + 4, j : j + 6] for v in pair)) for i in (0, 4) for j in (0, 6)]
    np.testing.assert_allclose(jax.jit(PerPatch((1.0, 2.0), RelativeH1, 1))(*pair), np.mean(parts, axis=0), rtol=1e-5)


def test_what_needs_a_periodic_domain_says_so():
    with pytest.raises(ValueError, match="wanted a periodic domain; use l2 or h1"):
        RelativeSobolev((1.0,), periodic=False)
    with pytest.raises(ValueError, match="wanted a periodic domain"):
        PerPatch((1.0,), RelativeSobolev, 1)
    with pytest.raises(ValueError, match="levels: got -1"):
        PerPatch((1.0,), RelativeL2, -1)
    with pytest.raises(ValueError, match="at least 3"):
        RelativeH1((1.0,), periodic=False)(jnp.ones((1, 2, 1)), jnp.ones((1, 2, 1)))
