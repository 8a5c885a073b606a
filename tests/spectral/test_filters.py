"""De-aliasing masks, smooth filters and change of resolution."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from spectral.filters import exponential_filter, resize, resize_spectrum, two_thirds_mask
from spectral.grid import Grid
from spectral.transforms import irfftn, rfftn


@pytest.mark.parametrize("n", [32, 33, 48, 64, 128, 256, 512, 1024, 2048])
def test_two_thirds_mask_is_symmetric(n):
    """A frequency is kept with its negative: the mask of a real field's spectrum is one of real fields."""
    mask = two_thirds_mask(Grid((n, n + 2)))
    np.testing.assert_array_equal(mask[1:], mask[1:][::-1])
    kept = np.flatnonzero(mask[:, 0])
    highest = (n - 1) // 3
    assert mask.dtype == bool and len(kept) == 2 * highest + 1
    assert 3 * (mask[0].sum() - 1) < n + 2 <= 3 * mask[0].sum()


def test_mask_removes_all_aliasing_of_products(x64):
    """The masked product of masked fields is the exact one, computed on a grid where nothing aliases."""
    grid, fine = Grid((16, 15)), Grid((32, 30))
    mask = two_thirds_mask(grid)
    rng = np.random.default_rng(0)
    a_hat, b_hat = (rfftn(jnp.asarray(rng.normal(size=grid.shape)), (0, 1)) * mask for _ in range(2))

    def product(grid_, shape):
        fields = [irfftn(resize_spectrum(h, grid.shape, shape), shape, (0, 1)) for h in (a_hat, b_hat)]
        return resize_spectrum(rfftn(fields[0] * fields[1], (0, 1)), shape, grid.shape) * mask

    exact = product(fine, fine.shape)
    np.testing.assert_allclose(product(grid, grid.shape), exact, atol=1e-15)
    assert jnp.abs(exact).max() > 0.01


def test_exponential_filter():
    grid = Grid((32, 24))
    sigma = exponential_filter(grid)
    assert sigma.shape == grid.spectrum_shape and sigma[0, 0] == 1
    np.testing.assert_array_equal(sigma[1:], sigma[1:][::-1])
    assert sigma[16, 0] < 1e-15 and sigma[0, 12] < 1e-15
    assert np.all(sigma[:11, :8] > 0.9999) and np.all(np.diff(sigma[:17, 0]) <= 0)


@functools.partial(jax.jit, static_argnums=1)
def resized(u, shape):
    return resize(u, shape, (1, 2))


def smooth(shape):
    """A field of frequencies up to 2 on both axes, not symmetric in anything."""
    x, y = Grid(shape).mesh
    tau = 2 * np.pi
    return np.stack([1 + np.cos(tau * (2 * x - y)) + 0.5 * np.sin(tau * (x + 2 * y)), np.sin(tau * 2 * x)])[..., None]


@pytest.mark.parametrize(
    "source,target", [((8, 9), (16, 18)), ((16, 12), (7, 6)), ((5, 8), (9, 5)), ((12, 12), (12, 7))]
)
def test_resize_is_exact_for_band_limited_fields(source, target, x64):
    np.testing.assert_allclose(resized(jnp.asarray(smooth(source)), target), smooth(target), atol=1e-14)


@pytest.mark.parametrize("source,target", [((6, 8), (12, 16)), ((6, 8), (7, 9)), ((7, 9), (8, 10)), ((6, 7), (6, 8))])
def test_growing_and_shrinking_back_is_the_identity(source, target, x64):
    """Nyquist content included: it is split between both signs and added up again."""
    u = jnp.asarray(np.random.default_rng(0).normal(size=(2, *source, 1)))
    np.testing.assert_allclose(resized(resized(u, target), source), u, atol=1e-14)


@pytest.mark.parametrize("source,target", [((9, 11), (8, 10)), ((12, 12), (8, 6)), ((8, 10, 12), (6, 5, 8))])
def test_resized_spectra_are_those_of_real_fields(source, target, x64):
    axes = tuple(range(len(source)))
    u = jnp.asarray(np.random.default_rng(0).normal(size=source))
    u_hat = jax.jit(lambda u: resize_spectrum(rfftn(u, axes), source, target))(u)
    again = jax.jit(lambda h: rfftn(irfftn(h, target, axes), axes))(u_hat)
    np.testing.assert_allclose(again, u_hat, atol=1e-15)


def test_resize_spectrum_names_what_is_wrong():
    with pytest.raises(ValueError, match=r"last sizes are \(8, 5\)"):
        resize_spectrum(jnp.zeros((8, 8), jnp.complex64), (8, 8), (4, 4))
