"""Scores of pictures against their definitions."""

import jax.numpy as jnp
import numpy as np
import pytest

from training.metrics import PeakRatio, Similarity, standard_metrics


def test_the_ratio_of_peak_and_noise():
    u, v = jnp.zeros((2, 4, 4, 1)), jnp.ones((2, 4, 4, 1)) * jnp.array([0.1, 1.0]).reshape(2, 1, 1, 1)
    np.testing.assert_allclose(PeakRatio(1.0)(u, v), [20.0, 0.0], atol=1e-4)  # float32
    np.testing.assert_allclose(PeakRatio(255.0)(255 * u, 255 * v), [20.0, 0.0], atol=1e-4)
    np.testing.assert_allclose(PeakRatio(1.0)(v, v), 120.0, atol=1e-4)


def by_definition(u: np.ndarray, v: np.ndarray, white: float) -> float:
    """Window by window, with deviations from the window's own mean."""
    line = np.exp(-(np.arange(-5, 6) ** 2) / 4.5)
    w = np.outer(line, line) / line.sum() ** 2
    scores = []
    for i in range(u.shape[0] - 10):
        for j in range(u.shape[1] - 10):
            a, b = u[i : i + 11, j : j + 11], v[i : i + 11, j : j + 11]
            ma, mb = (w * a).sum(), (w * b).sum()
            va, vb, cov = (w * (a - ma) ** 2).sum(), (w * (b - mb) ** 2).sum(), (w * (a - ma) * (b - mb)).sum()
            c1, c2 = (0.01 * white) ** 2, (0.03 * white) ** 2
            scores.append((2 * ma * mb + c1) * (2 * cov + c2) / ((ma**2 + mb**2 + c1) * (va + vb + c2)))
    return float(np.mean(scores))


@pytest.mark.parametrize("white", [1.0, 255.0])
def test_structural_similarity(white):
    rng = np.random.default_rng(0)
    u = white * rng.random((2, 15, 12, 1))
    v = np.clip(u + 0.2 * white * rng.standard_normal(u.shape), 0, white)
    found = Similarity(white)(jnp.asarray(v, jnp.float32), jnp.asarray(u, jnp.float32))
    expected = [by_definition(v[i, ..., 0], u[i, ..., 0], white) for i in range(2)]
    np.testing.assert_allclose(found, expected, rtol=1e-4)  # float32, and variances as differences of squares
    assert max(expected) < 0.95
    np.testing.assert_allclose(Similarity(white)(jnp.asarray(u, jnp.float32), jnp.asarray(u, jnp.float32)), 1.0, 1e-5)


def test_pictures_alone_have_the_scores_of_pictures():
    assert list(standard_metrics((1.0, 1.0))) == ["rel_l2", "rel_h1"]
    assert list(standard_metrics((1.0, 1.0), False, 1.0)) == ["rel_l2", "rel_h1", "psnr", "ssim"]
    small = jnp.ones((1, 4, 7, 1))  # of the debug configs: the window is what fits
    assert float(Similarity(1.0)(small, small)[0]) == pytest.approx(1.0)
