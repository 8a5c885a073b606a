"""Differential operators against derivatives written down by hand, and the identities between them."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jaxtyping import config

from spectral import derivatives as D
from spectral.grid import Grid
from spectral.transforms import irfftn, rfftn

GRIDS = [Grid((16, 16), (2 * np.pi,)), Grid((15, 18), (1.0, 3.0)), Grid((8, 9, 10), (1.0, 2.0, 0.5))]


def spectrum(grid, values):
    axes = tuple(range(-grid.ndim, 0))
    return rfftn(jnp.asarray(values), axes)


def field(grid, u_hat):
    return irfftn(u_hat, grid.shape, tuple(range(-grid.ndim, 0)))


def random_vector(grid, batch=2):
    rng = np.random.default_rng(3)
    return tuple(spectrum(grid, rng.normal(size=(batch, *grid.shape))) for _ in range(grid.ndim))


def wave(grid):
    """cos(sum_a (a + 1) k0_a x_a + 0.3) and its phase's gradient."""
    k = [(a + 1) * 2 * np.pi / length for a, length in enumerate(grid.extent)]
    return sum(ka * x for ka, x in zip(k, grid.mesh, strict=True)) + 0.3, k


@pytest.mark.parametrize("grid", GRIDS, ids=str)
def test_derivatives_of_a_wave(grid, x64):
    phase, k = wave(grid)
    u_hat = spectrum(grid, np.cos(phase))
    k2 = sum(ka**2 for ka in k)
    # Relative to the largest factor, |k|^order, a derivative is exact to round-off of the transforms.

    @jax.jit
    def found(u_hat):
        orders = D.laplacian(u_hat, grid), D.inverse_laplacian(u_hat, grid), D.derivative(u_hat, grid, 0, order=3)
        return [field(grid, c) for c in D.gradient(u_hat, grid)], [field(grid, c) for c in orders]

    slopes, (laplacian, inverse, third) = found(u_hat)
    for axis, slope in enumerate(slopes):
        np.testing.assert_allclose(slope, -k[axis] * np.sin(phase), atol=1e-14 * grid.size)
    np.testing.assert_allclose(third, k[0] ** 3 * np.sin(phase), atol=1e-14 * k[0] ** 3 * grid.size)
    np.testing.assert_allclose(laplacian, -k2 * np.cos(phase), atol=1e-13 * k2)
    np.testing.assert_allclose(inverse, -np.cos(phase) / k2, atol=1e-15)


@pytest.mark.parametrize("grid", GRIDS, ids=str)
def test_poisson_and_projection(grid, x64):

    @jax.jit
    def identities(v):
        projected = D.leray_projection(v, grid)
        return (
            D.laplacian(D.inverse_laplacian(v[0], grid), grid),
            projected,
            D.leray_projection(projected, grid),
            field(grid, D.divergence(projected, grid)),
            D.leray_projection(D.gradient(v[0], grid), grid),
            (D.curl(v, grid), D.curl(projected, grid)),
        )

    v = random_vector(grid)
    poisson, projected, again, spread, of_gradient, curls = jax.tree.map(np.asarray, identities(v))
    no_mean = np.array(v[0])
    no_mean[(slice(None), *(0,) * grid.ndim)] = 0
    assert np.linalg.norm(poisson - no_mean) <= 1e-13 * np.linalg.norm(no_mean)
    largest = max(np.abs(k).max() for k in grid.wavenumbers)
    assert np.abs(spread).max() <= 1e-13 * largest
    assert max(np.abs(a - b).max() for a, b in zip(projected, again, strict=True)) <= 1e-15
    # It takes away a gradient and nothing else.
    assert max(np.abs(c).max() for c in of_gradient) <= 1e-13 * largest
    for a, b in zip(*curls, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-14 * largest)


@pytest.mark.parametrize("grid", GRIDS[:2], ids=str)
def test_velocity_from_vorticity(grid, x64):
    phase, _ = wave(grid)
    omega_hat = spectrum(grid, np.cos(phase) + 0.5 * np.sin(2 * phase))
    velocity = D.velocity_from_vorticity(omega_hat, grid)
    assert jnp.abs(field(grid, D.divergence(velocity, grid))).max() <= 1e-13
    np.testing.assert_allclose(D.curl(velocity, grid), omega_hat, atol=1e-14)
    # A patch of positive vorticity turns anticlockwise: v > 0 on its right, and u < 0 above it.
    x, y = grid.mesh
    patch = np.cos(2 * np.pi * x / grid.extent[0]) * np.cos(2 * np.pi * y / grid.extent[1])
    u, v = (field(grid, c) for c in D.velocity_from_vorticity(spectrum(grid, patch), grid))
    assert v[grid.shape[0] // 4, 0] > 0 and u[0, grid.shape[1] // 4] < 0


def test_curl_of_a_gradient_and_divergence_of_a_curl_vanish(x64):
    grid = GRIDS[2]
    v = random_vector(grid)
    assert max(jnp.abs(c).max() for c in D.curl(D.gradient(v[0], grid), grid)) <= 1e-13
    assert jnp.abs(D.divergence(D.curl(v, grid), grid)).max() <= 1e-12  # second derivatives: |k|^2 = 5000


def test_float32_stays_float32_and_maps():
    grid = GRIDS[0]
    omega = np.random.default_rng(0).normal(size=(3, *grid.shape)).astype(np.float32)
    batched = jax.jit(lambda h: D.velocity_from_vorticity(h, grid))(spectrum(grid, omega))
    mapped = jax.jit(jax.vmap(lambda h: D.velocity_from_vorticity(h, grid)))(spectrum(grid, omega))
    for a, b in zip(batched, mapped, strict=True):
        assert a.dtype == jnp.complex64
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (((16.5, 16),), r"shape: got \(16.5, 16\), wanted whole numbers"),
        ((("a", 16),), "shape: got"),
        (((0, 16),), "shape: got .*positive sizes"),
        (((16, 16), ("a",)), "extent: got .*wanted lengths"),
        (((16, 16), (float("nan"),)), "extent: got .*positive length"),
    ],
)
def test_bad_grid(arguments, message, monkeypatch):
    monkeypatch.setattr(config, "jaxtyping_disable", True)
    with pytest.raises(ValueError, match=message):
        Grid(*arguments)


def test_errors_name_what_is_wrong():
    grid = GRIDS[0]
    u_hat = jnp.zeros(grid.spectrum_shape, jnp.complex64)
    with pytest.raises(ValueError, match="16, 9"):
        D.laplacian(u_hat[:, :-1], grid)
    with pytest.raises(ValueError, match="1 components, wanted 2"):
        D.divergence((u_hat,), grid)
    with pytest.raises(ValueError, match="wanted 2"):
        D.velocity_from_vorticity(jnp.zeros((8, 9, 6), jnp.complex64), GRIDS[2])
