"""Navier-Stokes for the velocity, in two and three dimensions, and its generator. Exact solutions: `test_equations`."""

import dataclasses

import flow_testing as flow
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from pdes.equations import NavierStokes, NavierStokesVelocity
from pdes.generators import NavierStokes3D
from pdes.initial import solenoidal_velocity
from pdes.steppers import etdrk4, rollout
from spectral.derivatives import curl, divergence
from spectral.grid import Grid
from spectral.norms import shell_spectrum

pytestmark = pytest.mark.usefixtures("x64")
BOX = 2 * np.pi
SMALL = NavierStokes3D((20, 16, 18), viscosity=5e-2, interval=0.1, n_snapshots=3)


def cube(n: int) -> Grid:
    return Grid((n, n, n), (BOX,))


def taylor_green(grid: Grid) -> np.ndarray:
    x, y, z = grid.mesh
    return np.stack([np.sin(x) * np.cos(y) * np.cos(z), -np.cos(x) * np.sin(y) * np.cos(z), np.zeros(grid.shape)])


def test_taylor_green_vortices_begin_as_taylor_and_green_worked_out():
    """Their first acceleration, pressure included (Taylor and Green 1937, Proc. R. Soc. A 158), from

    p = (cos 2x + cos 2y)(cos 2z + 2) / 16."""
    grid = cube(8)
    equation = NavierStokesVelocity(grid, 0.3)
    found = jax.jit(lambda u: equation.to_physical(equation.rhs(equation.to_spectral(u))))(taylor_green(grid))
    x, y, z = grid.mesh
    inviscid = [-np.sin(2 * x) * np.cos(2 * z), -np.sin(2 * y) * np.cos(2 * z)]
    inviscid.append((np.cos(2 * x) + np.cos(2 * y)) * np.sin(2 * z))
    np.testing.assert_allclose(found, np.stack(inviscid) / 8 - 3 * 0.3 * taylor_green(grid), atol=1e-14)


def test_taylor_green_vortices_lose_energy_at_the_rate_of_their_enstrophy():
    """dE/dt = -2 nu Z along a trajectory, E(0) = 1/8, while eddies stretch and enstrophy grows."""
    reynolds, dt = 400, 0.05
    equation = NavierStokesVelocity(cube(16), 1 / reynolds)
    start = equation.to_spectral(jnp.asarray(taylor_green(equation.grid)))
    states = jax.jit(lambda u: rollout(etdrk4(equation, dt), u, n_outputs=20))(start)
    states = np.concatenate([start[None], states])
    both = jax.jit(jax.vmap(lambda u: (equation.energy(u), equation.enstrophy(u))))
    energy, enstrophy = map(np.asarray, both(states))
    assert energy[0] == pytest.approx(1 / 8, rel=1e-14) and enstrophy[0] == pytest.approx(3 / 8, rel=1e-14)
    # Simpson's rule over the steps: its error is (dt / 2)^4 of what varies over a turn-over time.
    weights = np.r_[1, np.tile([4, 2], 10)[:-1], 1] * dt / 3
    assert energy[0] - energy[-1] == pytest.approx(2 / reynolds * float(weights @ enstrophy), rel=1e-6)
    assert enstrophy[-1] > enstrophy[0]


def test_plane_flow_is_that_of_the_vorticity_equation():
    grid = Grid((24, 20), (2.0, 3.0))
    velocity, vorticity = NavierStokesVelocity(grid, 0.01), NavierStokes(grid, 0.01)

    @jax.jit
    def rates(key: jax.Array):
        u_hat = velocity.to_spectral(solenoidal_velocity(key, grid, 8.0, 1.0))
        return curl(tuple(velocity.rhs(u_hat)), grid), vorticity.rhs(jnp.asarray(curl(tuple(u_hat), grid)))

    found, expected = rates(jax.random.key(1))
    np.testing.assert_allclose(found, expected, atol=1e-13 * np.abs(expected).max())


def test_random_starts_have_their_speed_and_no_divergence_on_every_grid():
    equation = NavierStokesVelocity(cube(24), 0.0)

    @jax.jit
    def draws(key: jax.Array):
        small, large = (solenoidal_velocity(key, cube(n), 1.5, 2.0) for n in (18, 24))
        u_hat = equation.to_spectral(large)
        spectrum = shell_spectrum(u_hat, equation.grid).sum(axis=0)
        return small, large, divergence(tuple(u_hat), equation.grid), spectrum

    small, large, spread, spectrum = map(np.asarray, draws(jax.random.key(0)))
    assert (small**2).sum(axis=0).mean() == pytest.approx(4.0, rel=1e-13)
    assert np.abs(spread).max() <= 1e-14
    # Points that both grids have.
    np.testing.assert_allclose(small[:, ::3, ::3, ::3], large[:, ::4, ::4, ::4], atol=1e-4)
    assert spectrum.argmax() in (1, 2) and spectrum[6:].sum() < 1e-6 * spectrum.sum()


def test_the_generator_records_a_resolved_decaying_flow():
    found = jax.jit(SMALL)(jax.random.key(0))
    assert {name: u.shape for name, u in found.items()} == dict.fromkeys(SMALL.fields, (3, 20, 16, 18))
    assert hash(SMALL) == hash(dataclasses.replace(SMALL)) and SMALL.max_shape == (13, 10, 12)
    energy = np.sum([np.asarray(u**2).mean((1, 2, 3)) for u in found.values()], axis=0) / 2
    assert energy[0] == pytest.approx(0.5, rel=1e-4) and np.all(np.diff(energy) < 0)
    halved = jax.jit(dataclasses.replace(SMALL, cfl=0.375))(jax.random.key(0))
    assert flow.relative(found["velocity_z"], halved["velocity_z"]) <= 1e-5


def test_wrong_arguments_are_explained():
    with pytest.raises(ValueError, match="wanted 2 or 3"):
        NavierStokesVelocity(Grid((8,)), 0.1)
    with pytest.raises(ValueError, match="viscosity: got -1"):
        NavierStokesVelocity(cube(8), -1.0)
    with pytest.raises(ValueError, match="cfl: got 0"):
        NavierStokes3D(cfl=0.0)


def test_taylor_green_vortices_as_data(x64):
    """Every sample is the same flow elsewhere: energies equal, fields not."""
    generator = dataclasses.replace(SMALL, start="taylor_green", speed=0.5)
    samples = jax.jit(jax.vmap(generator))(jax.random.split(jax.random.key(0), 2))
    velocity = np.stack([samples[f"velocity_{axis}"] for axis in "xyz"])
    energy = np.mean(np.sum(velocity**2, axis=0), axis=(2, 3, 4))
    np.testing.assert_allclose(energy[:, 0], 0.25, rtol=1e-13)
    # The vortices shift by no whole cells, so the truncation differs.
    np.testing.assert_allclose(energy[0], energy[1], rtol=1e-6)
    assert np.abs(velocity[:, 0] - velocity[:, 1]).max() > 0.1
    with pytest.raises(ValueError, match="start: got 'vortex', wanted one of random, taylor_green"):
        dataclasses.replace(SMALL, start="vortex")
