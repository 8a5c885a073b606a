"""Scores of forecasts: numbers by hand."""

import jax.numpy as jnp
import numpy as np
import pytest

from training.skill import anomaly_correlation, latitude_weights, rmse


def test_latitude_weights():
    degrees = np.array([-60.0, 0.0, 60.0])
    np.testing.assert_allclose(latitude_weights(np.radians(degrees)), [0.75, 1.5, 0.75])
    # From a pole.
    np.testing.assert_allclose(latitude_weights(np.radians(90 - degrees)), [0.75, 1.5, 0.75])
    # Cells of a whole globe: the weighted mean of sin^2 is 1/3, of equal weights 1/2.
    colatitude = (np.arange(90) + 0.5) * np.pi / 90
    assert np.mean(latitude_weights(colatitude) * np.cos(colatitude) ** 2) == pytest.approx(1 / 3, rel=1e-3)
    with pytest.raises(ValueError, match=r"latitudes: got -90 .* wanted radians"):
        latitude_weights(np.array([-90.0, 0.0, 90.0]))


def test_weights_of_a_region():
    north = np.radians([5.0, 45.0, 85.0])
    rising = np.cos(north) / np.cos(north).mean()
    np.testing.assert_allclose(latitude_weights(north, from_pole=False), rising)
    np.testing.assert_allclose(latitude_weights(north, from_pole=True), rising[::-1])
    with pytest.raises(ValueError, match=r"latitudes: got 0.087.* from_pole=false"):
        latitude_weights(north)  # may be either
    # South of the equator, and over it: the numbers tell.
    np.testing.assert_allclose(latitude_weights(-north), rising)
    np.testing.assert_allclose(
        latitude_weights(np.radians([60.0, 90.0, 120.0])), latitude_weights(np.radians([-30.0, 0, 30]))
    )
    for angles, from_pole in ((north + np.pi / 4, False), (north - np.pi / 4, True)):
        with pytest.raises(ValueError, match="from_pole as they count"):
            latitude_weights(angles, from_pole)


def test_scores_by_hand():
    weights = jnp.array([[0.5, 0.5], [1.5, 1.5]])
    truth, climate = jnp.array([[1.0, 2.0], [3.0, 4.0]]), jnp.ones((2, 2))
    assert float(rmse(truth + jnp.array([[2.0, 2.0], [0.0, 0.0]]), truth, weights)) == pytest.approx(1.0)
    assert float(anomaly_correlation(truth, truth, climate, weights)) == pytest.approx(1.0)
    # The size of anomalies does not matter, their sign does.
    assert float(anomaly_correlation(1 + 7 * (truth - 1), truth, climate, weights)) == pytest.approx(1.0)
    assert float(anomaly_correlation(2 - truth, truth, climate, weights)) == pytest.approx(-1.0)
    # b = (0, 1; 2, 3), and with a = (0, 0; 1, 0) it is 1.5 * 2 / sqrt(1.5 (0.5 + 1.5 * 13)).
    other = jnp.array([[1.0, 1.0], [2.0, 1.0]])
    assert float(anomaly_correlation(other, truth, climate, weights)) == pytest.approx(3 / np.sqrt(30), rel=1e-6)


def test_scores_of_many_samples_and_fields():
    weights = jnp.ones((3, 4))
    u, v = (jnp.asarray(np.random.default_rng(seed).normal(size=(5, 2, 3, 4)), jnp.float32) for seed in (0, 1))
    got = rmse(u, v, weights)
    assert got.shape == (5, 2)
    np.testing.assert_allclose(got, np.sqrt(np.mean((np.asarray(u) - np.asarray(v)) ** 2, axis=(2, 3))), rtol=1e-5)
    assert anomaly_correlation(u, v, jnp.zeros((3, 4)), weights).shape == (5, 2)
