"""Generators of Navier-Stokes samples: determinism, grids, errors against a finer solve."""

import dataclasses

import flow_testing as flow
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from pdes import diagnostics
from pdes.generators import NavierStokesDecaying, NavierStokesForcing
from spectral.transforms import rfftn

pytestmark = pytest.mark.usefixtures("x64")
KEYS = 2


def solve(generator, count: int = KEYS, shape=(64, 64)) -> dict[str, np.ndarray]:
    def sample(key):
        return {name: generator.restrict(u, shape) for name, u in generator(key).items()}

    return jax.tree.map(np.asarray, jax.jit(jax.vmap(sample))(jax.random.split(jax.random.key(0), count)))


def errors(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    axes = tuple(range(1, a.ndim))
    return np.sqrt(np.sum((a - b) ** 2, axes) / np.sum(b**2, axes))


def check_interface(generator, sample: dict[str, np.ndarray]) -> None:
    assert hash(generator) == hash(dataclasses.replace(generator))
    assert set(sample) == set(generator.fields)
    for name, info in generator.fields.items():
        assert sample[name].shape[1] == len(info.times)
        assert sample[name].dtype == np.float64
    for chosen in (generator.inputs, generator.targets):
        for name, times in chosen.items():
            assert len(np.arange(len(generator.fields[name].times))[list(times)]) == len(times)
    assert all(isinstance(value, float | str) for value in generator.parameters().values())


def test_solver_grid_and_step_are_fine_enough():
    """Half the resolution and half the time of the default, against a finer grid and half the step.

    The error of the data has to stay far below that of learning, a percent: 1e-4 is the bound."""
    small = NavierStokesForcing((64, 64), final_time=2.5)
    found, reference = (
        solve(small, shape=(32, 32)),
        solve(dataclasses.replace(small, shape=(96, 96), cfl=0.5), shape=(32, 32)),
    )
    check_interface(small, found)
    np.testing.assert_allclose(found["forcing"], reference["forcing"], atol=1e-14)
    assert errors(found["vorticity"], reference["vorticity"]).max() <= 1e-4
    # The same on the same grid: the step alone.
    halved = solve(dataclasses.replace(small, cfl=0.5), shape=(32, 32))
    assert errors(found["vorticity"], halved["vorticity"]).max() <= 1e-5


@pytest.mark.slow
def test_default_solver_grid_and_step_are_fine_enough():
    """At 64 points: 128 against 256 points (measured 2e-5 at most), and the test sets' 192 (measured 1.3e-7)."""
    reference = solve(NavierStokesForcing((256, 256), cfl=0.5))
    assert errors(solve(NavierStokesForcing())["vorticity"], reference["vorticity"]).max() <= 1e-4
    assert errors(solve(NavierStokesForcing((192, 192)))["vorticity"], reference["vorticity"]).max() <= 1e-6


def test_forcing_statistics():
    """std f = 0.186 from the covariance; the speed stays below the bound that sets the step."""
    generator = NavierStokesForcing((32, 32))
    sample = solve(generator, 64, (32, 32))
    # One sample's variance scatters by 27%, 64 of them by 3.4%.
    assert np.mean(sample["forcing"] ** 2) == pytest.approx(0.186**2, rel=0.1)
    assert np.std(sample["vorticity"]) == pytest.approx(0.84, rel=0.1)
    assert np.abs(sample["forcing"].mean((1, 2, 3))).max() <= 1e-15
    w_hat = rfftn(jnp.asarray(sample["vorticity"]), (2, 3))
    cfl = diagnostics.cfl(w_hat, generator.grid, generator.final_time / generator.steps)
    assert 0.4 < jnp.max(cfl) <= 1.0


def test_provenance_of_the_default():
    parameters = NavierStokesForcing().parameters()
    assert parameters["reynolds"] == 500.0
    assert parameters["viscosity"] == 1 / 500
    assert parameters["forcing_covariance"] == "27 (-Lap + 9 I)^-4, mean-free, E|f_k|^2 = eigenvalue"
    assert parameters["solver_grid"] == "128x128"


def test_decaying_turbulence_is_recorded_at_its_times():
    generator = NavierStokesDecaying(
        (32, 32),
        viscosity=1e-2,
        warmup=0.3,
        interval=0.1,
        n_snapshots=4,
        n_inputs=2,
        convention="torch_cfd",
        energy=0.25,
    )
    sample = solve(generator, 2, (32, 32))
    check_interface(generator, sample)
    assert generator.fields["vorticity"].times == pytest.approx((0.3, 0.4, 0.5, 0.6))
    later = solve(dataclasses.replace(generator, warmup=0.5), 2, (32, 32))
    # Other steps, same flow: the difference is the error of the steps.
    assert errors(sample["vorticity"][:, 2], later["vorticity"][:, 0]).max() <= 1e-5
    energy = diagnostics.energy(rfftn(jnp.asarray(sample["vorticity"]), (2, 3)), flow.square(32))
    assert np.all(np.diff(energy, axis=1) < 0)
    assert np.all(energy < 0.25)


def test_wrong_arguments_are_explained():
    with pytest.raises(ValueError, match="wanted positive numbers"):
        NavierStokesForcing(reynolds=0.0)
    with pytest.raises(ValueError, match="wanted 1 to 3"):
        NavierStokesDecaying(n_snapshots=4, n_inputs=4)
    with pytest.raises(ValueError, match="wanted a time >= 0"):
        NavierStokesDecaying(warmup=-1.0)
