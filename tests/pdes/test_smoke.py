"""Smoke: budgets, passive smoke, its clouds, and its generator. Exact solutions: `test_equations`."""

import dataclasses

import flow_testing as flow
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from pdes.equations import Boussinesq
from pdes.generators import Smoke
from pdes.initial import blobs
from spectral.grid import Grid
from spectral.norms import inner_product

pytestmark = pytest.mark.usefixtures("x64")
SMALL = Smoke((24, 30), viscosity=0.03, diffusivity=0.02, radius=0.7, interval=0.2, n_snapshots=4)
SMALL_3D = Smoke((12, 12, 15), viscosity=0.1, diffusivity=0.1, radius=1.0, peak=1.0, interval=0.2, n_snapshots=3)


@pytest.mark.parametrize("shape", [(12, 15), (8, 9, 10)], ids=str)
def test_budgets_of_mass_variance_and_energy(shape):
    """Of white noise, to round-off: d(mean s^2 / 2)/dt = -kappa mean |grad s|^2, dE/dt = work - 2 nu Z."""
    grid = Grid(shape, (2.0,))
    equation = Boussinesq(grid, 0.03, 0.02, 1.5)
    noise = np.random.default_rng(0).standard_normal((1 + grid.ndim, *shape))

    @jax.jit
    def rates(fields: jax.Array) -> dict[str, tuple[jax.Array, jax.Array]]:
        state = equation.to_spectral(fields)
        rate, motion = equation.rhs(state), equation.flow
        _, own = jax.jvp(equation.invariants, (state,), (rate,))
        _, gained = jax.jvp(motion.energy, (state[1:],), (rate[1:],))
        spread = inner_product(state[0], state[0], grid, 1, alpha=0.0) / grid.volume
        return {
            "mass": (own["mass"], jnp.zeros(())),
            "variance": (own["variance"], -0.02 * spread),
            "energy": (gained, equation.work(state) - 2 * 0.03 * motion.enstrophy(state[1:])),
            "momentum": (jnp.abs(rate[(slice(1, None), *[0] * grid.ndim)]).max(), jnp.zeros(())),
        }

    for name, (found, wanted) in rates(jnp.asarray(noise)).items():
        assert float(found) == pytest.approx(float(wanted), rel=1e-11, abs=1e-13), name


def test_clouds_are_gaussian_and_the_same_on_every_grid():
    grids = [Grid((n, n), (3.0, 2.0)) for n in (48, 64)]
    small, large = (jax.jit(lambda key, g=g: blobs(key, g, 1, 0.2))(jax.random.key(0)) for g in grids)
    np.testing.assert_allclose(small[::3, ::3], large[::4, ::4], atol=1e-12)
    place = np.asarray(jax.random.uniform(jax.random.key(0), (1, 2)))[0] * [3.0, 2.0]
    offsets = [np.mod(x - x0 + l / 2, l) - l / 2 for x, x0, l in zip(grids[1].mesh, place, (3.0, 2.0), strict=True)]
    # The nearest image alone: the next is at least 5 radii away, e^-12.5.
    np.testing.assert_allclose(large, np.exp(-(offsets[0] ** 2 + offsets[1] ** 2) / 0.08), atol=1e-5)


@pytest.mark.parametrize("generator", [SMALL, SMALL_3D], ids=lambda g: g.name)
def test_frames(generator):
    assert generator.name == ("smoke" if len(generator.shape) == 2 else "smoke_3d")
    assert hash(generator) == hash(dataclasses.replace(generator))
    assert generator.inputs == {"density": (0, 1)}
    assert generator.targets == {"density": tuple(range(2, generator.n_snapshots))}
    found = jax.jit(generator)(jax.random.key(0))
    shape = (generator.n_snapshots, *generator.shape)
    assert {name: u.shape for name, u in found.items()} == dict.fromkeys(generator.fields, shape)
    mass = found["density"].mean(tuple(range(1, len(shape))))
    np.testing.assert_allclose(mass, mass[0], rtol=1e-13)
    assert found["density"].min() > -1e-3


def test_buoyancy_lifts_and_steps_are_small_enough():
    """Mass-weighted rise of the smoke's own flow, started alike."""
    key = jax.random.key(1)
    up, passive = (jax.jit(dataclasses.replace(SMALL, buoyancy=b))(key) for b in (0.5, 0.0))
    halved = jax.jit(dataclasses.replace(SMALL, cfl=0.25))(key)
    assert flow.relative(up["density"], halved["density"]) <= 1e-5
    rise = [np.mean(np.asarray(s["density"] * s["velocity_y"]), axis=(1, 2)) for s in (up, passive)]
    assert rise[0][0] == rise[1][0] and np.all(np.diff(rise[0] - rise[1]) > 0)


def test_wrong_arguments_are_explained():
    with pytest.raises(ValueError, match="wanted 2 or 3"):
        Smoke((32,))
    with pytest.raises(ValueError, match="clouds: got 0"):
        Smoke(clouds=0)
    with pytest.raises(ValueError, match=r"viscosity, diffusivity: got 0\.1, -1"):
        Boussinesq(Grid((8, 8)), 0.1, -1.0)
