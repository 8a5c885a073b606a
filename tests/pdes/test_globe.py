"""Spherical harmonics, and the vorticity of a rotating planet against an exact solution."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from pdes.barotropic_vorticity import BarotropicVorticity
from pdes.generators import GlobalVorticity
from pdes.spherical_harmonics import SphericalHarmonics
from pdes.steppers import etdrk4, rollout

T = 10


def random_coefficients(seed: int, degree: int = T) -> np.ndarray:
    rng = np.random.default_rng(seed)
    c = rng.normal(size=(degree + 1,) * 2) + 1j * rng.normal(size=(degree + 1,) * 2)
    c[0] = c[0].real
    return c * SphericalHarmonics(degree).inside


def test_harmonics_by_hand(x64):
    """sin(latitude), and cos(latitude)^2 cos(2 longitude)."""
    harmonics = SphericalHarmonics(T)
    mu, _ = harmonics.nodes
    p, slope = harmonics.legendre(mu)
    np.testing.assert_allclose(p[:, 0, 1], np.sqrt(3) * mu, atol=1e-14)
    np.testing.assert_allclose(slope[:, 0, 1], np.sqrt(3), atol=1e-12)
    np.testing.assert_allclose(p[:, 2, 2], np.sqrt(15 / 8) * (1 - mu**2), atol=1e-13)
    np.testing.assert_allclose(slope[:, 2, 2], -2 * np.sqrt(15 / 8) * mu, atol=1e-12)


def test_there_and_back(x64):
    harmonics, c = SphericalHarmonics(T), jnp.asarray(random_coefficients(0))
    np.testing.assert_allclose(harmonics.to_coefficients(harmonics.to_nodes(c)), c, atol=1e-12)
    # From cells too, as few as there may be.
    np.testing.assert_allclose(harmonics.from_latitudes(harmonics.to_latitudes(c, (T + 1, 2 * T + 1))), c, atol=1e-10)
    # Parseval on the sphere.
    _, weights = harmonics.nodes
    mean = np.sum(weights[:, None] / 2 * np.asarray(harmonics.to_nodes(c)) ** 2) / harmonics.longitudes
    twice = np.where(np.arange(T + 1) > 0, 2, 1)[:, None]
    assert mean == pytest.approx(float(np.sum(twice * np.abs(c) ** 2)), rel=1e-12)


def test_products_are_free_of_aliases(x64):
    """The Jacobian of two fields is the same from twice as many points."""
    z = jnp.asarray(random_coefficients(1))
    coarse = BarotropicVorticity(T).nonlinear(z)
    fine = BarotropicVorticity(2 * T).nonlinear(jnp.pad(z, ((0, T), (0, T))))
    np.testing.assert_allclose(fine[: T + 1, : T + 1], coarse, atol=1e-10 * float(np.abs(coarse).max()))


def test_rossby_haurwitz_waves_are_exact(x64):
    """A sum of harmonics of one degree moves west by 2 Omega / (l (l + 1)) radians a day, and keeps its form."""
    equation, degree, days = BarotropicVorticity(T), 5, 0.5
    z = jnp.zeros((T + 1, T + 1), complex).at[2, degree].set(3.0).at[4, degree].set(1.0 - 2.0j)
    got = rollout(etdrk4(equation, days / 20), z, 1, 20)[0]
    west = 2 * 2 * np.pi / (degree * (degree + 1)) * days
    want = z * np.exp(1j * np.arange(T + 1) * west)[:, None]
    # The Jacobian vanishes to round-off, and the wave is integrated exactly.
    np.testing.assert_allclose(got, want, atol=1e-11)
    assert float(jnp.abs(got - z).max()) > 0.5


def test_energy_and_enstrophy_of_undamped_flow(x64):
    z = jnp.asarray(random_coefficients(2)) * 0.3
    equation = BarotropicVorticity(T)
    after = rollout(etdrk4(equation, 0.005), z, 1, 40)[0]
    # Of fourth order in time: nothing is lost on the grid.
    for name, before in equation.invariants(z).items():
        assert float(equation.invariants(after)[name]) == pytest.approx(float(before), rel=1e-5)
    assert float(jnp.abs(after - z).max()) > 0.1


def test_a_sample(x64):
    generator = GlobalVorticity(shape=(14, 24), degree=T, n_snapshots=3, steps_per_day=12)
    z = np.asarray(jax.jit(generator)(jax.random.key(0))["vorticity"])
    assert z.shape == (3, 14, 24) and np.isfinite(z).all()
    start = generator.start(jax.random.key(0))
    energy = BarotropicVorticity(T).invariants(start)["energy"]
    assert 2 * float(energy) == pytest.approx(0.2**2, rel=1e-12)
    # Rows are centres of cells from the north pole on: the field there is the series at that place.
    colatitude, longitude = (2 + 0.5) * np.pi / 14, (5 + 0.5) * 2 * np.pi / 24
    p = SphericalHarmonics(T).legendre(np.array([np.cos(colatitude)]))[0][0]
    waves = np.exp(1j * np.arange(T + 1) * longitude) * np.where(np.arange(T + 1) > 0, 2, 1)
    assert z[0, 2, 5] == pytest.approx(float(np.sum(waves[:, None] * p * np.asarray(start)).real), abs=1e-10)


def test_what_is_refused():
    with pytest.raises(ValueError, match=r"shape: got .* wanted more than 42 latitudes"):
        GlobalVorticity(shape=(32, 64))
    with pytest.raises(ValueError, match="n_inputs: got 3 of 3"):
        GlobalVorticity(n_snapshots=3, n_inputs=3)


def test_speed_and_the_limit_of_the_step(x64):
    """The mean square of the speed is twice the energy; a flow too fast for its steps is turned into no numbers."""
    equation = BarotropicVorticity(T)
    z = jnp.asarray(random_coefficients(2)).at[0, 0].set(0.0)  # no mean: the sphere has no edge to turn around
    weights = equation.harmonics.nodes[1] / 2
    square = float(jnp.mean(weights @ equation.speed(z) ** 2))
    assert square == pytest.approx(2 * float(equation.invariants(z)["energy"]), rel=1e-12)
    fast = GlobalVorticity(shape=(14, 24), degree=T, n_snapshots=2, steps_per_day=12, speed=2.0)
    assert np.isnan(jax.jit(fast)(jax.random.key(0))["vorticity"]).all() and "steps_per_day" in fast.remedy
