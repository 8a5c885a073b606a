"""Norms of single modes in closed form, dual pairings and shell spectra."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from spectral.grid import Grid
from spectral.norms import inner_product, l2_norm, shell_spectrum, sobolev_norm, spectrum_norm
from spectral.transforms import rfftn


@pytest.mark.parametrize("alpha", [0.0, 0.1, 1.0])
@pytest.mark.parametrize("s", [-2, -1, 0, 1])
def test_norm_of_one_mode(s, alpha, x64):
    """sqrt(1/2) (alpha + (10 pi)^2)^(s/2) for cos(2 pi (3x + 4y)), whatever the resolution."""
    for shape in ((16, 16), (11, 24)):
        grid = Grid(shape)
        x, y = grid.mesh
        u = jnp.asarray(np.cos(2 * np.pi * (3 * x + 4 * y)))
        wanted = np.sqrt(0.5) * (alpha + (10 * np.pi) ** 2) ** (s / 2)
        np.testing.assert_allclose(sobolev_norm(u, grid, s, alpha=alpha), wanted, rtol=1e-14)


def test_norms_integrate_over_the_box(x64):
    grid = Grid((9, 10, 12), (1.0, 2.0, 5.0))
    u = jnp.asarray(np.random.default_rng(0).normal(size=(3, *grid.shape)))
    wanted = np.sqrt(10 * np.mean(np.asarray(u) ** 2, axis=(1, 2, 3)))
    np.testing.assert_allclose(l2_norm(u, grid), wanted, rtol=1e-14)
    np.testing.assert_allclose(sobolev_norm(u, grid, 0), wanted, rtol=1e-14)
    np.testing.assert_allclose(sobolev_norm(jnp.moveaxis(u, 0, -1), grid, 0, axes=(0, 1, 2)), wanted, rtol=1e-14)
    # Homogeneous norms leave out the mean, for every order.
    for s in (-1, 0, 1):
        np.testing.assert_allclose(sobolev_norm(u + 7, grid, s, alpha=0), sobolev_norm(u, grid, s, alpha=0), rtol=1e-12)


def test_negative_norm_is_dual_to_the_positive_one(x64):
    """<r, phi> <= ||r||_-1 ||phi||_1, with equality for phi = (alpha - Laplacian)^-1 r."""
    grid = Grid((12, 15), (1.0, 2.0))
    r_hat, phi_hat = rfftn(jnp.asarray(np.random.default_rng(0).normal(size=(2, *grid.shape))), (1, 2))
    bound = spectrum_norm(r_hat, grid, -1) * spectrum_norm(phi_hat, grid, 1)
    assert abs(inner_product(r_hat, phi_hat, grid)) < bound
    phi_hat = r_hat / (1 + grid.wavenumber_squared)
    best = spectrum_norm(r_hat, grid, -1) * spectrum_norm(phi_hat, grid, 1)
    np.testing.assert_allclose(inner_product(r_hat, phi_hat, grid), best, rtol=1e-13)


@pytest.mark.parametrize("grid", [Grid((16, 16), (2 * np.pi,)), Grid((9, 12), (1.0, 3.0)), Grid((6, 8, 9))], ids=str)
def test_shells_add_up_to_the_mean_square(grid, x64):
    u = np.random.default_rng(0).normal(size=(2, *grid.shape))
    axes = tuple(range(1, grid.ndim + 1))
    shells = jax.jit(lambda u: shell_spectrum(rfftn(u, axes), grid))(u)
    np.testing.assert_allclose(shells.sum(-1), np.mean(u**2, axis=axes), rtol=1e-13)


def test_a_mode_lies_in_its_shell(x64):
    """|m| = 5 for m = (3, 4); half-way |m| = 2.5 = |(1.5, 2)| on a two-to-one box belongs to the upper shell."""
    grid = Grid((16, 16), (2 * np.pi,))
    x, y = grid.mesh
    shells = shell_spectrum(rfftn(jnp.asarray(2 * np.cos(3 * x - 4 * y)), (0, 1)), grid)
    np.testing.assert_allclose(shells, 2.0 * (np.arange(len(shells)) == 5), atol=1e-15)
    grid = Grid((16, 16), (2.0, 0.8))  # k / k0 = 2.5 for one wave along the short side
    y = grid.mesh[1]
    shells = shell_spectrum(rfftn(jnp.asarray(np.cos(2 * np.pi * y / 0.8)), (0, 1)), grid)
    assert int(jnp.argmax(shells)) == 3


def test_negative_shift_is_refused():
    grid = Grid((8,))
    with pytest.raises(ValueError, match="alpha: got -1"):
        sobolev_norm(jnp.zeros(8), grid, 1, alpha=-1)
