"""Coefficients are isometric: energies, losses and projections are the same in both spaces."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.fft

from pdes.random_fields import gaussian_random_field, li_covariance
from spectral.grid import Grid
from spectral.transforms import dctn, idctn
from spectral.truncation import Truncation

CASES = [
    ((63,), (10,)),
    ((48, 63), (10, 7)),
    ((15, 16), (6, 9)),
    ((16, 12, 10), (5, 4, 7)),
]


def field(*shape, seed=0):
    return jnp.asarray(np.random.default_rng(seed).normal(size=shape))


@functools.partial(jax.jit, static_argnums=0)
def there_and_back(truncation, u, any_z):
    """All that is asked of one truncation, as one program."""
    z = truncation.forward(u)
    projected = truncation.inverse(z, u.shape[1:-1])
    energies = truncation.residual_energy(u, z), truncation.residual_energy(projected, z)
    return z, truncation.forward(projected), energies, truncation.forward(truncation.inverse(any_z, u.shape[1:-1]))


@pytest.mark.parametrize("basis", ["cosine", "fourier"])
@pytest.mark.parametrize(("shape", "n_modes"), CASES)
@pytest.mark.usefixtures("x64")
def test_isometry_and_projection(basis, shape, n_modes):
    truncation = Truncation(n_modes, basis)
    u = np.asarray(field(2, *shape, 3))
    # Any array that has zeros where no field has a number is the coefficients of a field.
    any_z = field(2, *truncation.stored, truncation.parts, 3, seed=1) * truncation.alive[None, ..., None]
    z, again, (tail, nothing), any_again = there_and_back(truncation, u, any_z)
    assert z.shape == any_z.shape
    axes = tuple(range(1, len(shape) + 1))
    # Parseval, in float64.
    np.testing.assert_allclose(
        np.sum(np.asarray(z) ** 2, (*axes, len(shape) + 1)) + tail, np.sum(u**2, axes), rtol=1e-12
    )
    np.testing.assert_allclose(again, z, atol=1e-12)
    np.testing.assert_allclose(nothing, 0, atol=1e-12)
    np.testing.assert_allclose(any_again, any_z, atol=1e-12)
    assert truncation.alive.sum() == np.prod(truncation._counts)


def test_norms_of_half_spectra_need_weights():
    """On white noise: a column but the first and the last stands for two."""
    truncation = Truncation((62, 62), "fourier")
    u = jnp.asarray(field(1, 64, 64, 1), jnp.float32)
    u = truncation.inverse(truncation.forward(u), (64, 64))
    size = float(jnp.linalg.norm(u))
    assert float(jnp.linalg.norm(truncation.forward(u))) == pytest.approx(size, rel=1e-5)
    plain = np.linalg.norm(np.fft.rfft2(np.asarray(u)[0, ..., 0], norm="ortho"))
    assert 0.7 < plain / size < 0.76  # about the root of a half: most columns count once


@pytest.mark.parametrize("size", [7, 64, 129, 600, 1062])
def test_cosine_transform_against_scipy(size):
    u = np.random.default_rng(0).normal(size=size)
    z = np.asarray(jax.jit(lambda u: dctn(u, (0,)))(u.astype(np.float32)))
    # Float32 against float64: 1.2e-6 measured on unit-variance input.
    assert np.abs(z - scipy.fft.dct(u, norm="ortho")).max() < 2e-6 * max(1, np.abs(z).max() / 3)
    assert np.abs(np.asarray(jax.jit(lambda z: idctn(z, (0,)))(z)) - u).max() < 3e-6
    assert abs(np.sum(z.astype(float) ** 2) / np.sum(u**2) - 1) < 1e-6


@pytest.mark.parametrize("shape", [(63, 48), (64, 64)])
def test_backends_agree(shape):
    u = jnp.asarray(field(2, *shape, 1), jnp.float32)
    fft, matmul = (jax.jit(Truncation((10, 7), backend=backend).forward)(u) for backend in ("fft", "matmul"))
    assert float(jnp.linalg.norm(fft - matmul) / jnp.linalg.norm(fft)) < 1e-5
    assert "HIGHEST" in str(jax.make_jaxpr(Truncation((10, 7), backend="matmul").forward)(u))


def test_a_ramp_has_odd_modes_on_its_own_axis_only():
    ramp = jnp.broadcast_to(jnp.linspace(0, 1, 64)[:, None, None], (64, 64, 1))
    z = np.asarray(Truncation((24, 24)).forward(ramp))[..., 0, 0]
    np.testing.assert_allclose(z[0, 0], 32, rtol=1e-5)
    np.testing.assert_allclose(z[1:6:2, 0], [-18.630, -2.068, -0.743], atol=1e-3)
    assert np.abs(z[2::2, 0]).max() < 1e-4 and np.abs(z[:, 1:]).max() < 1e-4  # round-off of values up to 32


def test_function_norm_transfers_between_grids():
    """Averages over 2x2 cells of a smooth field have the same low coefficients; every second sample has not."""
    u = gaussian_random_field(jax.random.key(0), Grid((128, 128)), li_covariance("li_code"))[..., None]
    means = u.reshape(64, 2, 64, 2, 1).mean((1, 3))
    truncation = Truncation((24, 24), norm="function")
    forward = jax.jit(truncation.forward)
    fine, coarse, strided = (forward(v) for v in (u, means, u[::2, ::2]))

    def difference(z):
        return float(jnp.linalg.norm(z - fine) / jnp.linalg.norm(fine))

    assert difference(coarse) < 5e-3
    assert difference(strided) > 2e-2  # half a cell away


@pytest.mark.usefixtures("x64")
def test_fourier_function_norm_is_the_same_on_every_grid():
    truncation = Truncation((6, 5), "fourier", "function")
    z = field(*truncation.stored, 2, 1) * truncation.alive[..., None]
    u = truncation.inverse(z, (9, 12))
    np.testing.assert_allclose(truncation.inverse(z, (18, 24))[::2, ::2], u, atol=1e-12)
    np.testing.assert_allclose(truncation.forward(truncation.inverse(z, (18, 24))), z, atol=1e-12)


@pytest.mark.parametrize("basis", ["cosine", "fourier"])
def test_modes_that_a_grid_does_not_have_are_zero(basis):
    truncation = Truncation((8, 8), basis)
    z = truncation.forward(jnp.asarray(field(3, 16, 1), jnp.float32))
    assert z.shape == (*truncation.stored, truncation.parts, 1)
    middle = truncation.origin[0]
    assert np.all(np.asarray(z[middle + 3 :]) == 0) and np.all(np.asarray(z[: max(middle - 1, 0)]) == 0)
