"""Rotating shallow water: small waves, invariants, balance, and the generator. Exact solutions: `test_equations`."""

import dataclasses

import flow_testing as flow
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from benchmarks.equation_cases import depth, first, moved, second
from pdes import travelling
from pdes.equations import ShallowWater
from pdes.generators import ShallowWaterFlow
from pdes.initial import solenoidal_velocity
from pdes.steppers import etdrk4
from spectral.derivatives import curl, divergence, inverse_laplacian
from spectral.grid import Grid

pytestmark = pytest.mark.usefixtures("x64")
SMALL = ShallowWaterFlow((36, 30), coriolis=2.0, viscosity=2e-3, peak=2.0, interval=0.5, n_snapshots=3, n_inputs=2)


def test_small_waves_are_inertia_gravity_waves():
    """A plane wave on a rectangle: what is left over is quadratic in its height."""
    grid, time = Grid((24, 18), (3.0, 2.0)), 0.7
    equation = ShallowWater(grid, 1.3, 2.0)
    step = etdrk4(equation, time / 64)
    solve = jax.jit(lambda u: equation.to_physical(flow.run(step, equation.to_spectral(u), 64)))

    def error(height: float) -> float:
        start, end = (travelling.poincare_wave(grid, t, (2, -1), height, 1.3, 2.0) for t in (0.0, time))
        found = np.asarray(solve(start))
        return float(np.linalg.norm(found - end) / np.linalg.norm(end - [[[1]], [[0]], [[0]]]))

    large, small = error(1e-3), error(1e-4)
    assert small <= 1e-3 and large / small == pytest.approx(10, rel=0.02)


def test_invariants_are_kept_as_far_as_the_flow_is_resolved():
    """Rates of change relative to the flow's own rate: spectrally small, where mass is exact."""

    def rates(points: int) -> dict[str, float]:
        grid = flow.square(points)
        equation = ShallowWater(grid, 2.0, 1.5)
        state = equation.to_spectral(jnp.asarray(moved(depth, first, second)(grid, 0.0)))
        values, change = jax.jit(lambda v: jax.jvp(equation.invariants, (v,), (equation.rhs(v),)))(state)
        return {name: abs(float(change[name] / values[name])) for name in values}

    found = coarse, fine = rates(16), rates(72)
    assert all(rate["mass"] <= 1e-15 for rate in found)
    for name in ("energy", "potential enstrophy"):
        # Of order one in this flow were a sign or a factor wrong.
        assert fine[name] <= 1e-10 and fine[name] <= 1e-5 * coarse[name], (name, found)


def test_a_balanced_start_stays_free_of_divergence_to_first_order():
    """d div u / dt = 0, where the geostrophic height leaves the acceleration of the curved flow."""
    grid = flow.square(48)
    equation = ShallowWater(grid, 1.0, 4.0)

    @jax.jit
    def begin(key: jax.Array) -> tuple[jax.Array, jax.Array, jax.Array]:
        velocity = solenoidal_velocity(key, grid, 3.0, 0.2)
        start = equation.balanced(velocity, 1.5)
        _, ux, uy = equation.to_spectral(start)
        stream = -equation.to_physical(inverse_laplacian(jnp.asarray(curl((ux, uy), grid)), grid))
        return velocity, start, stream

    velocity, start, stream = map(np.array, begin(jax.random.key(0)))
    np.testing.assert_allclose(start[1:], velocity, atol=1e-5)  # the start's modes beyond N/3
    assert start[0].mean() == pytest.approx(1.5, abs=1e-14)

    @jax.jit
    def growth(fields: jax.Array) -> jax.Array:
        rate = equation.rhs(equation.to_spectral(fields))
        spread = divergence((rate[1], rate[2]), grid)
        return jnp.max(jnp.abs(equation.to_physical(spread)))

    assert growth(start) <= 1e-12
    start[0] = 1.5 + 4.0 * stream
    assert growth(start) >= 0.1


def test_the_generator_records_a_resolved_flow_close_to_balance():
    found = jax.jit(SMALL)(jax.random.key(0))
    assert {name: u.shape for name, u in found.items()} == dict.fromkeys(SMALL.fields, (3, 36, 30))
    assert hash(SMALL) == hash(dataclasses.replace(SMALL))
    np.testing.assert_allclose(found["height"].mean((1, 2)), 1.0, atol=1e-13)
    assert np.abs(found["height"] - 1).max() < 0.4
    halved = jax.jit(dataclasses.replace(SMALL, cfl=0.25))(jax.random.key(0))
    assert flow.relative(found["velocity_x"], halved["velocity_x"]) <= 1e-5
    # Little gravity: slopes that balance the rotation fall dry.
    assert np.isnan(jax.jit(dataclasses.replace(SMALL, gravity=0.1))(jax.random.key(0))["height"]).all()


def test_wrong_arguments_are_explained():
    with pytest.raises(ValueError, match="wanted 2"):
        ShallowWater(Grid((8,)))
    with pytest.raises(ValueError, match="viscosity: got -1"):
        ShallowWater(Grid((8, 8)), viscosity=-1.0)
    with pytest.raises(ValueError, match="coriolis: got nan"):
        ShallowWaterFlow(coriolis=float("nan"))
