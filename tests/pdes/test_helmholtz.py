"""Poisson and Helmholtz problems: manufactured solutions, resonances, and their generators."""

import dataclasses

import flow_testing as flow
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from benchmarks.steady_cases import STEADY
from pdes.generators import Helmholtz, LossyHelmholtz
from pdes.helmholtz import check_resonance, solve_helmholtz, solve_lossy_helmholtz
from spectral.derivatives import laplacian
from spectral.grid import Grid
from spectral.transforms import irfftn, rfftn

pytestmark = pytest.mark.usefixtures("x64")
SMALL = LossyHelmholtz((36, 32), wavenumber=12.0, loss=0.2, radius=0.08)


@pytest.mark.parametrize("case", STEADY, ids=lambda case: case.name)
def test_errors_fall_faster_than_any_power(case):
    """At order 4 they would fall a thousandfold, not to round-off (of the lossy medium: to the residual, 1e-12)."""
    coarse, fine = (case.error(case.grid(n)) for n in case.points)
    assert 1e-4 <= coarse <= 1e-2 and fine <= 1e-11


@pytest.mark.parametrize("wavenumber", [0.0, 20.0])
def test_generated_solutions_satisfy_the_equation(wavenumber):
    generator = Helmholtz((24, 21), wavenumber)
    assert generator.name == ("helmholtz" if wavenumber else "poisson")
    assert hash(generator) == hash(dataclasses.replace(generator))
    sample = jax.jit(generator)(jax.random.key(0))
    f, u = sample["source"][0], sample["solution"][0]
    left = -irfftn(laplacian(rfftn(u, (0, 1)), generator.grid), (24, 21), (0, 1)) - wavenumber**2 * u
    np.testing.assert_allclose(left, f, atol=1e-12 * float(jnp.abs(f).max()))
    assert float(jnp.abs(u).max()) > 1e-3


def test_a_uniform_medium_without_much_loss_is_the_uniform_problem():
    """They differ by the loss over the gap to resonance."""
    grid = Grid((20, 18))
    f = jnp.asarray(np.random.default_rng(0).standard_normal(grid.shape))
    solve = jax.jit(lambda f: solve_lossy_helmholtz(f, jnp.ones(grid.shape), grid, 10.0, 1e-8))
    assert flow.relative(solve(f).real, solve_helmholtz(f, grid, 10.0)) <= 1e-6


def test_resonances_are_refused():
    with pytest.raises(ValueError, match=r"resonates with its wave of \|k\| = 6.2831853.*wanted a number off"):
        Helmholtz(wavenumber=2 * np.pi)
    with pytest.raises(ValueError, match="resonates"):
        check_resonance(Grid((16, 16), (1.0, 2.0)), np.pi * np.sqrt(5))
    check_resonance(Grid((16, 16), (1.0, 2.0)), np.pi * np.sqrt(5) * 1.01)
    with pytest.raises(ValueError, match="take a finer grid"):
        Helmholtz((16, 16), wavenumber=60.0)
    with pytest.raises(ValueError, match="wavenumber: got -1"):
        Helmholtz(wavenumber=-1.0)


def test_waves_in_a_random_medium():
    sample = jax.jit(SMALL)(jax.random.key(0))
    assert {name: u.shape for name, u in sample.items()} == dict.fromkeys(SMALL.fields, (1, 36, 32))
    assert hash(SMALL) == hash(dataclasses.replace(SMALL))
    medium = np.asarray(sample["slowness"])
    assert medium.min() > SMALL.low and medium.max() < SMALL.high and np.ptp(medium) > 0.5
    # What the source works, mean(f Im u), is what the medium absorbs, k^2 d mean(s |u|^2).
    real, imaginary = (np.asarray(sample[name][0]) for name in ("real", "imaginary"))
    x, y = SMALL.grid.mesh
    source = np.exp(-((x - 0.5) ** 2 + (y - 0.5) ** 2) / (2 * 0.08**2)) / (2 * np.pi * 0.08**2)
    absorbed = SMALL.wavenumber**2 * SMALL.loss * np.mean(medium[0] * (real**2 + imaginary**2))
    assert np.mean(source * imaginary) == pytest.approx(absorbed, rel=1e-8)


def test_a_wave_that_is_not_found_is_not_a_number():
    """A residual that round-off does not allow."""
    grid = Grid((12, 12))
    medium = jnp.asarray(1 + 0.5 * np.cos(2 * np.pi * grid.mesh[0]))
    solve = jax.jit(lambda f: solve_lossy_helmholtz(f, medium, grid, 8.0, 0.1, tolerance=1e-25))
    assert np.isnan(np.asarray(solve(jnp.ones(grid.shape)))).all()
    with pytest.raises(ValueError, match="wanted positive numbers"):
        solve_lossy_helmholtz(medium, medium, grid, 8.0, 0.0)
    with pytest.raises(ValueError, match="wanted the smaller one first"):
        LossyHelmholtz(low=2.0, high=1.0)
