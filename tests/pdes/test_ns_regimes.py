"""The benchmark flows: forced from random vorticity, Kolmogorov with drag, Taylor-Green."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from pdes import diagnostics, exact, forcing
from pdes.equations import NavierStokes
from pdes.generators import NavierStokesKolmogorov, NavierStokesLi, NavierStokesTaylorGreen
from pdes.random_fields import gaussian_random_field, li_covariance
from pdes.steppers import cn_rk4, rollout
from spectral.grid import Grid
from spectral.transforms import rfftn

pytestmark = pytest.mark.usefixtures("x64")
SMALL_LI = NavierStokesLi((32, 32), viscosity=1e-2, warmup=0.0, interval=0.5, n_snapshots=3, n_inputs=1)
SMALL_KOLMOGOROV = NavierStokesKolmogorov(
    (32, 32), viscosity=2e-2, peak=2.0, warmup=0.1, interval=0.05, n_snapshots=3, n_inputs=2
)


def sample(generator, seed: int = 0) -> np.ndarray:
    return np.asarray(jax.jit(generator)(jax.random.key(seed))["vorticity"])


def test_forced_flow_is_that_of_another_scheme_from_the_same_start():
    found, grid = sample(SMALL_LI), SMALL_LI.grid
    equation = NavierStokes(grid, 1e-2, forcing=0.1 * np.sqrt(2) * np.sin(2 * np.pi * sum(grid.mesh) + np.pi / 4))
    start = equation.to_spectral(gaussian_random_field(jax.random.key(0), grid, li_covariance("li_code")))
    states = jax.jit(lambda w: rollout(cn_rk4(equation, 0.5 / 64), w, 2, 64))(start)
    expected = jax.vmap(equation.to_physical)(jnp.concatenate([start[None], states]))
    # The second-order error of cn_rk4's linear part, lambda^3 dt^2 / 180 at |k|^2 = 8 pi^2.
    np.testing.assert_allclose(found, expected, atol=1e-4 * np.abs(found).max())
    np.testing.assert_allclose(found[0], equation.to_physical(start), atol=1e-14)


def test_a_speed_beyond_the_step_is_no_number():
    """The bound on the speed is asserted: a force that drives the flow past it must not pass for data, unless asked."""
    fast = dataclasses.replace(SMALL_KOLMOGOROV, amplitude=400.0)
    assert np.isnan(sample(fast)).all()
    assert np.isfinite(sample(dataclasses.replace(fast, cfl=0.05))).all()
    with pytest.raises(ValueError, match=r"cfl: got 1\.5, wanted at most 1"):
        dataclasses.replace(fast, cfl=1.5)


@pytest.mark.parametrize("viscosity, end, snapshots", [(1e-3, 50.0, 50), (1e-4, 30.0, 30), (1e-5, 20.0, 20)])
def test_regimes_of_the_paper(viscosity, end, snapshots):
    generator = NavierStokesLi(viscosity=viscosity, n_snapshots=snapshots)
    assert generator.fields["vorticity"].times == tuple(np.arange(1, end + 1))
    assert generator.inputs == {"vorticity": tuple(range(10))}
    assert generator.targets == {"vorticity": tuple(range(10, snapshots))}
    parameters = generator.parameters()
    assert parameters["viscosity"] == viscosity
    assert parameters["initial_covariance"] == "686 (-Lap + 49 I)^-2.5, mean-free, E|w_k|^2 = eigenvalue"
    assert hash(generator) == hash(dataclasses.replace(generator))
    # 256 points, speeds up to 0.4: a few hundred steps a unit of time where the published script takes 10000.
    assert 50 < generator.steps(1.0) < 500


def test_kolmogorov_flow_starts_at_its_speed_and_obeys_its_energy_budget():
    generator = dataclasses.replace(SMALL_KOLMOGOROV, warmup=0.0, interval=1e-3)
    grid, w_hat = generator.grid, rfftn(jnp.asarray(sample(generator)), (1, 2))
    equation = NavierStokes(grid, 2e-2, 0.1, forcing.kolmogorov(grid))
    energy = diagnostics.energy(w_hat, grid)
    wanted, _ = diagnostics.budgets(w_hat, grid, equation.linear, equation.forcing_hat)
    # Central difference over 2e-3: its error is E''' dt^2 / 6.
    assert float(energy[2] - energy[0]) / 2e-3 == pytest.approx(float(wanted[1]), rel=1e-4)
    # Each |u_i| is at most |u| = 5, up to what the de-aliasing mask takes off the start.
    assert 3.2 < float(diagnostics.cfl(w_hat, grid, grid.spacing[0])[0]) <= 5.1


def test_taylor_green_is_the_exact_solution():
    """A shift and a number of waves of `exact.taylor_green`, at every recorded time."""
    generator = NavierStokesTaylorGreen((24, 24), viscosity=5e-3, max_waves=5, warmup=0.0, n_snapshots=4, interval=0.2)
    draws = jax.jit(jax.vmap(generator))(jax.random.split(jax.random.key(0), 20))["vorticity"]
    w_hat, found = np.abs(rfftn(draws, (2, 3))), set()
    times = generator.fields["vorticity"].times
    for amplitudes in w_hat:
        waves = int(np.argmax(amplitudes[0, 0:12].max(axis=0)))
        found.add(waves)
        for i, time in enumerate(times):
            reference = exact.taylor_green(Grid((24, 24)), waves, time, 5e-3)
            # A shift changes phases only.
            np.testing.assert_allclose(amplitudes[i], np.abs(np.fft.rfft2(reference) / 24**2), atol=1e-12)
    assert found == {1, 2, 3, 4, 5}


def test_wrong_arguments_are_explained():
    with pytest.raises(ValueError, match="wanted 1 to 49"):
        NavierStokesLi(n_inputs=50)
    with pytest.raises(ValueError, match="wanted a time >= 0"):
        NavierStokesKolmogorov(interval=0.0)
    with pytest.raises(ValueError, match="less than half the points"):
        NavierStokesTaylorGreen((16, 16), max_waves=8)
