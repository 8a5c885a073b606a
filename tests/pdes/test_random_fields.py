"""Random fields: variance, independence of the grid, symmetry, and the starts made from them."""

import flow_testing as flow
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jaxtyping import TypeCheckError

from pdes import diagnostics
from pdes.initial import filtered_vorticity, mcwilliams
from pdes.random_fields import Covariance, gaussian_random_field, li_covariance, random_spectrum
from spectral.derivatives import velocity_from_vorticity
from spectral.filters import resize, resize_spectrum
from spectral.grid import Grid
from spectral.transforms import irfftn, rfftn

pytestmark = pytest.mark.usefixtures("x64")


def total_variance(covariance: Covariance, grid: Grid) -> float:
    eigenvalues = covariance.eigenvalues(grid)
    return float(np.sum(grid.rfft_weights * eigenvalues) - eigenvalues[0, 0])


def test_variance_of_li_fields():
    grid, samples = Grid((64, 64)), 2048
    for convention, variance in (("li_code", 0.0686), ("li_code_cfloat", 0.0343), ("li_paper", 0.00185)):
        assert total_variance(li_covariance(convention), grid) == pytest.approx(variance, rel=5e-3)
    covariance, keys = li_covariance("li_code"), jax.random.split(jax.random.key(0), samples)
    squares = jax.jit(jax.vmap(lambda k: jnp.mean(gaussian_random_field(k, grid, covariance) ** 2)))(keys)
    # One sample's variance scatters by 37% (few large scales carry it), so the mean of 2048 by 0.8%.
    assert jnp.mean(squares) == pytest.approx(0.0686, rel=0.03)


def test_published_script_has_the_li_code_variance():
    """The algorithm of the script, as its authors run it: real part of an inverse FFT of non-Hermitian noise."""
    n, tau, alpha = 64, 7.0, 2.5
    rng = np.random.default_rng(0)
    k = np.fft.fftfreq(n, 1 / n)
    k2 = k[:, None] ** 2 + k**2
    sigma = tau ** ((2 * alpha - 2) / 2)
    std = n**2 * np.sqrt(2) * sigma * (4 * np.pi**2 * k2 + tau**2) ** (-alpha / 2)
    std[0, 0] = 0
    noise = rng.standard_normal((512, n, n)) + 1j * rng.standard_normal((512, n, n))
    variance = np.mean(np.fft.ifft2(noise * std).real ** 2)
    # 512 samples scatter by 1.6%.
    assert variance == pytest.approx(total_variance(li_covariance("li_code"), Grid((n, n))), rel=0.05)


def test_unknown_convention_is_explained():
    # Checked annotations, on in tests, answer before the functions' own errors do.
    with pytest.raises((ValueError, TypeCheckError), match="li_paper"):
        li_covariance("li")  # type: ignore[arg-type]
    with pytest.raises((ValueError, TypeCheckError), match="torch_cfd"):
        mcwilliams(jax.random.key(0), Grid((8, 8)), convention="other")  # type: ignore[arg-type]


@pytest.mark.parametrize("coarse, fine", [((15, 20), (64, 33)), ((8, 6, 10), (9, 12, 16))])
def test_the_same_key_is_the_same_function_on_every_grid(coarse, fine):
    covariance = Covariance(1.0, 4.0, 3.0)

    @jax.jit
    def both(key):
        grids = Grid(coarse, (2.0,)), Grid(fine, (2.0,))
        small, large = (random_spectrum(key, g, covariance.eigenvalues(g)) for g in grids)
        return small, resize_spectrum(large, fine, coarse)

    small, cut = both(jax.random.key(3))
    # Nyquist modes of the coarse grid are two modes in one and are left out there.
    nyquist = [2 * np.abs(m) == n for m, n in zip(Grid(coarse).modes, coarse, strict=True)]
    single = np.logical_or.reduce(np.broadcast_arrays(*nyquist))
    np.testing.assert_allclose(np.where(single, 0, cut), small, atol=1e-15)
    assert not jnp.array_equal(small, both(jax.random.key(4))[0])


@pytest.mark.parametrize("shape", [(12,), (6, 8, 9)])
def test_spectra_are_those_of_real_mean_free_fields(shape):
    grid = Grid(shape)
    axes = tuple(range(len(shape)))

    @jax.jit
    def round_trip(key):
        w_hat = random_spectrum(key, grid, np.ones(grid.spectrum_shape))
        return w_hat, rfftn(irfftn(w_hat, shape, axes), axes)

    w_hat, again = round_trip(jax.random.key(0))
    np.testing.assert_allclose(again, w_hat, atol=1e-14)
    assert w_hat.ravel()[0] == 0


def test_every_mode_has_its_variance():
    grid = Grid((8, 8))
    variance = Covariance(2.0, 1.0, 0.02).eigenvalues(grid)
    keys = jax.random.split(jax.random.key(1), 4096)
    spectra = jax.jit(jax.vmap(lambda k: random_spectrum(k, grid, variance)))(keys)
    found, kept = jnp.mean(jnp.abs(spectra) ** 2, 0), np.asarray(spectra[0]) != 0
    assert kept.sum() == 7 * 4 - 1
    # |xi|^2 has unit standard deviation: 4096 draws scatter by 1.6%, and 27 modes reach 3 to 4 times that.
    np.testing.assert_allclose(np.where(kept, found, variance), variance, rtol=0.08)


def test_mcwilliams_starts():
    """Energy of every sample; enstrophy and speed in the mean (2.58 and 1.67 were published for one sample)."""
    grid = flow.square(64)
    keys = jax.random.split(jax.random.key(0), 64)

    def quantities(key, convention):
        w_hat = rfftn(mcwilliams(key, grid, convention=convention), (0, 1))
        speed = diagnostics.cfl(w_hat, grid, grid.spacing[0])
        return diagnostics.energy(w_hat, grid), diagnostics.enstrophy(w_hat, grid), speed, jnp.abs(w_hat[0, 0])

    energy, enstrophy, speed, mean = jax.jit(jax.vmap(lambda k: quantities(k, "torch_cfd")))(keys)
    np.testing.assert_allclose(energy, 0.25, rtol=1e-12)
    assert jnp.max(mean) <= 1e-15
    # 64 samples scatter by 0.04 and 0.02.
    assert jnp.mean(enstrophy) == pytest.approx(2.6, abs=0.15)
    assert jnp.mean(speed) == pytest.approx(1.63, abs=0.1)
    assert jax.jit(lambda k: quantities(k, "1984"))(keys[0])[0] == pytest.approx(0.5, rel=1e-12)


def test_filtered_vorticity_has_its_speed_on_any_grid():
    grid = flow.square(48)

    @jax.jit
    def both(key):
        vorticity = filtered_vorticity(key, grid, peak=4.0, max_speed=5.0)
        velocity = irfftn(jnp.stack(velocity_from_vorticity(rfftn(vorticity, (0, 1)), grid)), grid.shape, (1, 2))
        return vorticity, velocity, resize(filtered_vorticity(key, flow.square(64)), grid.shape, (0, 1))

    vorticity, velocity, finer = both(jax.random.key(0))
    assert jnp.max(jnp.hypot(*velocity)) == pytest.approx(5.0, rel=1e-12)
    # The same flow on another grid, up to the largest speed, which is only sampled on the points.
    assert jnp.linalg.norm(finer - vorticity) <= 0.02 * jnp.linalg.norm(vorticity)
