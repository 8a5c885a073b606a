import jax
import jax.numpy as jnp
import numpy as np
import pytest

from data.moments import Moments
from data.normalizer import EPS, Normalizer
from data.source import load


@pytest.fixture
def u():
    rng = np.random.default_rng(0)
    return (rng.standard_normal((700, 6, 5, 2)) * [3.0, 0.01] + [100.0, -2.0]).astype(np.float32)


@pytest.mark.parametrize("pixelwise", [False, True])
def test_numbers(u, pixelwise):
    axes = 0 if pixelwise else (0, 1, 2)
    mean, std = u.mean(axes, dtype=np.float64), u.std(axes, dtype=np.float64, ddof=1)
    normalizer = Normalizer.fit(u, pixelwise)
    assert normalizer.mean.shape == ((6, 5, 2) if pixelwise else (2,))
    # Stored as float32: one rounding.
    np.testing.assert_allclose(normalizer.mean, mean, rtol=1e-7)
    np.testing.assert_allclose(normalizer.std, std, rtol=1e-7)
    z = normalizer.encode(u)
    # A field of 100 +- 3 in float32 is known to 100 * 6e-8 / 3 of its deviation, one of -2 +- 0.01 to 1e-5.
    np.testing.assert_allclose(z, (u - mean) / (std + EPS), atol=5e-5)
    np.testing.assert_allclose(normalizer.decode(z), u, rtol=1e-6)


def test_blocks_are_merged_without_cancellation():
    """A mean 1e6 times the deviation: a float64 sum of squares would keep four digits."""
    rng = np.random.default_rng(1)
    values = 1e6 + rng.standard_normal((1000, 4))
    moments = Moments(axes=(0, 1))
    for start, stop in ((0, 1), (1, 400), (400, 1000)):
        moments.update(values[start:stop])
    assert moments.count == 4000
    np.testing.assert_allclose(moments.std, (values - 1e6).std(ddof=1), rtol=1e-9)
    np.testing.assert_allclose(moments.mean, values.mean(), rtol=1e-15)
    assert (moments.min, moments.max) == (values.min(), values.max())


def test_constant_channel_stays_finite():
    normalizer = Normalizer.fit(np.full((3, 4, 1), 2.0, np.float32))
    z = normalizer.encode(jnp.full((3, 4, 1), 2.0))
    assert np.array_equal(z, np.zeros((3, 4, 1)))
    assert np.array_equal(normalizer.decode(z), np.full((3, 4, 1), 2.0))


def test_moments_from_the_header(files):
    samples = load(files[12, 10], inputs={"temperature": [1, 0]})
    fitted, stated = Normalizer.fit(samples.x), Normalizer.from_metadata(samples.metadata, samples.inputs)
    # The header's float64 numbers, rounded once.
    np.testing.assert_allclose(stated.mean, fitted.mean, rtol=2e-7)
    np.testing.assert_allclose(stated.std, fitted.std, rtol=2e-7)


def test_identity_changes_no_bit(u):
    identity = Normalizer.identity(2)
    assert np.array_equal(identity.encode(u), u) and np.array_equal(identity.decode(u), u)


def test_is_a_pytree(u):
    normalizer = Normalizer.fit(u)
    z = jax.jit(lambda n, v: n.encode(v))(normalizer, u)
    np.testing.assert_allclose(z, normalizer.encode(u), rtol=1e-5, atol=1e-6)  # jit may fuse the division
    assert jax.tree.map(jnp.shape, normalizer) == Normalizer((2,), (2,))
    assert len(jax.tree.leaves(normalizer)) == 2


def test_another_resolution(u):
    Normalizer.fit(u).encode(u[:, ::2])
    with pytest.raises(ValueError, match=r"got a field \(700, 3, 5, 2\), wanted \(\.\.\., 6, 5, 2\).*channel-wise"):
        Normalizer.fit(u, pixelwise=True).encode(u[:, ::2])


@pytest.mark.parametrize("dtype", [np.int32, np.uint8, bool])
def test_whole_numbers_are_fields_too(dtype):
    """A mask, or a permeability of two phases: statistics must not be cut to whole numbers."""
    values = np.array([[[0], [1], [1]]]).astype(dtype)
    normalizer = Normalizer(np.array([0.4], np.float32), np.array([0.45], np.float32))
    floats = values.astype(np.float32)
    for change in (normalizer.encode, normalizer.decode):
        np.testing.assert_array_equal(change(values), change(floats))


def test_one_unit_for_all_states_of_a_field(files):
    samples = load(files[12, 10], {"temperature": [0, 1]}, {"temperature": [1]})
    metadata = samples.metadata
    one, two = (Normalizer.of_fields(metadata, {"temperature": times}) for times in ([1], [0, 1]))
    # Over samples, points and both stored times; unbiased and biased deviations differ by 1 / (2 n).
    np.testing.assert_allclose(one.mean, samples.x.mean(dtype=np.float64), rtol=1e-5)
    np.testing.assert_allclose(one.std, samples.x.std(dtype=np.float64), rtol=1e-3)
    np.testing.assert_array_equal(two.mean, np.repeat(one.mean, 2))
    np.testing.assert_array_equal(two.std, np.repeat(one.std, 2))
