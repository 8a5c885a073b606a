"""The spatial side of Navier-Stokes: forms of the nonlinear term, invariants, budgets, convergence, symmetries."""

import flow_testing as flow
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flow_testing import BOX, relative, run, square

from pdes import diagnostics, forcing
from pdes.equations import NavierStokes
from pdes.exact import taylor_green
from pdes.steppers import cn_rk4, etdrk4, ifrk4, rollout
from spectral.derivatives import curl, divergence, gradient, inverse_laplacian, laplacian, velocity_from_vorticity
from spectral.filters import resize_spectrum, two_thirds_mask
from spectral.grid import Grid
from spectral.norms import inner_product, shell_spectrum
from spectral.transforms import irfftn, rfftn

pytestmark = pytest.mark.usefixtures("x64")
RECTANGLES = [((64, 64), (BOX, BOX)), ((48, 33), (1.0, 2.0)), ((31, 50), (3.0, 1.0)), ((7, 8), (1.0, 1.0))]


@pytest.mark.parametrize("shape, extent", RECTANGLES)
def test_squared_velocity_is_the_convective_term(shape, extent):
    """Two complex transforms give -u.grad w, masked before and after, on any grid."""
    grid = Grid(shape, extent)
    equation = NavierStokes(grid, 0.0)

    @jax.jit
    def both(noise):
        w_hat = equation.to_spectral(noise)
        velocity = velocity_from_vorticity(w_hat, grid)
        u, v, wx, wy = (irfftn(s, shape, (0, 1)) for s in (*velocity, *gradient(w_hat, grid)))
        expected = -rfftn(u * wx + v * wy, (0, 1)) * two_thirds_mask(grid)
        return equation.nonlinear(w_hat), equation.nonlinear(rfftn(noise, (0, 1))), expected

    found, of_unmasked, expected = both(jnp.asarray(np.random.default_rng(0).standard_normal(shape)))
    # Two derivatives act on the rounded product, so round-off grows with the square of the cutoff.
    assert relative(found, expected) <= 1e-13
    assert jnp.array_equal(of_unmasked, found)


def test_nonlinear_term_vanishes_on_taylor_green():
    equation = NavierStokes(square(64), 0.0)
    nonlinear, found = jax.jit(equation.nonlinear), {}
    for waves in (1, 4):
        w_hat = equation.to_spectral(jnp.asarray(taylor_green(equation.grid, waves, 0.0, 0.0)))
        found[waves] = float(jnp.linalg.norm(nonlinear(w_hat)) / jnp.linalg.norm(w_hat))
    assert found[4] <= 1e-14
    # The round-off of z^2 times |k|^2 / 2, in the mean 120 eps over the kept modes, against the smallest |w|.
    assert found[1] <= 2e-14


def spatial_errors(sizes: tuple[int, ...], fine: int) -> list[float]:
    """Same start, band-limited to what 32 points keep, against a finer grid; nu = 5e-3, T = 1."""
    start = flow.turbulence(32)

    def solve(n: int, steps: int) -> jax.Array:
        w_hat = resize_spectrum(start, (32, 32), (n, n))
        final = run(etdrk4(NavierStokes(square(n), 5e-3), 1 / steps), w_hat, steps)
        return resize_spectrum(final, (n, n), (fine, fine))

    # The errors in time, 1e-5 in 64 steps, are out of sight.
    reference = solve(fine, 64)
    return [relative(solve(n, 64), reference) for n in sizes]


# Measured on one sample of this family; samples differ by up to 40%.
SPATIAL_ERRORS = {32: 2.1e-1, 48: 9.4e-2, 64: 3.8e-2, 96: 8.5e-3, 128: 1.3e-3}


def test_spatial_convergence():
    # 128 points are close enough to the solution (1.3e-3) to measure these.
    np.testing.assert_allclose(spatial_errors((32, 64), 128), [SPATIAL_ERRORS[n] for n in (32, 64)], rtol=0.4)


@pytest.mark.slow
def test_spatial_convergence_is_faster_than_algebraic():
    sizes = tuple(SPATIAL_ERRORS)
    errors = spatial_errors(sizes, 192)
    np.testing.assert_allclose(errors, list(SPATIAL_ERRORS.values()), rtol=0.4)
    slopes = -np.diff(np.log(errors)) / np.diff(np.log(sizes))
    assert np.all(np.diff(slopes) > 0), slopes


def inviscid_drift(scheme, steps: int, dealias: bool = True) -> tuple[float, float]:
    """Relative changes of energy and enstrophy at T = 1."""
    equation, start = NavierStokes(square(64), 0.0, dealias=dealias), flow.turbulence()
    before, after = (equation.invariants(w) for w in (start, run(scheme(equation, 1 / steps), start, steps)))
    return tuple(abs(float(after[name] / before[name]) - 1) for name in ("energy", "enstrophy"))


def test_nonlinear_term_conserves_energy_and_enstrophy():
    equation, w_hat = NavierStokes(square(64), 0.0), flow.turbulence()
    rate = jax.jit(equation.nonlinear)(w_hat)
    for order, value in zip((-1, 0), equation.invariants(w_hat).values(), strict=True):
        production = inner_product(w_hat, rate, equation.grid, order, alpha=0.0) / equation.grid.volume
        assert abs(production / value) <= 1e-15


def test_inviscid_drift_is_that_of_the_time_step():
    """Without viscosity the scheme is a plain Runge-Kutta scheme of order 4."""
    drifts = {n: inviscid_drift(cn_rk4, n) for n in (64, 128, 256)}
    assert drifts[256][0] <= 5e-11
    assert drifts[256][1] <= 1e-9
    assert drifts[64][1] >= 16 * drifts[128][1] >= 16**2 * drifts[256][1]
    # The energy drift changes sign between these steps: its fall is regular over both halvings only.
    assert drifts[64][0] >= 16**2 * drifts[256][0]


def test_inviscid_drift_of_the_classical_scheme():
    energy, enstrophy = inviscid_drift(ifrk4, 256)
    assert energy <= 5e-11
    assert enstrophy <= 1e-9


def test_without_the_mask_aliases_create_enstrophy():
    """Negative control: 5% in one time unit, whatever the step."""
    coarse, fine = (inviscid_drift(ifrk4, n, dealias=False)[1] for n in (64, 128))
    assert 3e-2 < coarse < 1e-1
    assert coarse == pytest.approx(fine, rel=1e-2)
    assert inviscid_drift(ifrk4, 64)[1] < 1e-4 * coarse


def simpson(values: jax.Array, dt: float) -> float:
    weights = np.full(len(values), 2.0)
    weights[1::2] = 4.0
    weights[[0, -1]] = 1.0
    return float(jnp.sum(weights * values) * dt / 3)


@pytest.mark.parametrize("driven", [False, True])
def test_budgets_close(driven):
    """Energy and enstrophy change by the integral of what the equation says, with drag and forcing too."""
    grid, dt, steps = square(64), 1 / 256, 256
    force = forcing.kolmogorov(grid, 4, 0.5) if driven else None
    equation = NavierStokes(grid, 1e-3, drag=0.1 if driven else 0.0, forcing=force)
    start = flow.turbulence()
    states = jax.jit(lambda w: rollout(cn_rk4(equation, dt), w, steps))(start)
    states = jnp.concatenate([start[None], states])
    rates = diagnostics.budgets(states, grid, equation.linear, equation.forcing_hat)
    if not driven:
        quantities = diagnostics.enstrophy(states, grid), diagnostics.palinstrophy(states, grid)
        for rate, loss in zip(rates, quantities, strict=True):
            np.testing.assert_allclose(rate, -2e-3 * loss, rtol=1e-12)
    # The right-hand side has these rates, and the trajectory their integral.
    derivative = jax.jit(equation.rhs)(start)
    for order, rate in zip((-1, 0), rates, strict=True):
        produced = inner_product(start, derivative, grid, order, alpha=0.0) / grid.volume
        np.testing.assert_allclose(produced, rate[0], rtol=1e-11)
    for quantity, rate in zip((diagnostics.energy, diagnostics.enstrophy), rates, strict=True):
        change = float(quantity(states[-1], grid) - quantity(states[0], grid))
        assert abs(change - simpson(rate, dt)) <= 1e-8 * abs(change)


def test_mask_is_hermitian():
    for n in (32, 48, 64, 128, 243, 256, 512, 1024, 2048):
        mask = two_thirds_mask(square(n))
        kx = square(n).modes[0][:, 0]
        np.testing.assert_array_equal(mask, mask[-kx % n])
        assert mask[:, 0].sum() == 2 * ((n - 1) // 3) + 1


def test_spectral_identities():
    grid, w_hat = square(64), flow.turbulence()
    equation = NavierStokes(grid, 1e-3)
    # One transform pair at 64 x 64 loses a few eps.
    assert relative(equation.to_spectral(equation.to_physical(w_hat)), w_hat) <= 1e-15
    psi_hat = -inverse_laplacian(w_hat, grid)
    assert relative(-laplacian(psi_hat, grid), w_hat) <= 1e-13
    velocity = velocity_from_vorticity(w_hat, grid)
    assert float(jnp.max(jnp.abs(divergence(velocity, grid)))) <= 1e-13
    assert relative(curl(velocity, grid), w_hat) <= 1e-13
    assert jnp.sum(shell_spectrum(w_hat, grid)) / 2 == pytest.approx(float(diagnostics.enstrophy(w_hat, grid)))
    energies = sum(jnp.sum(shell_spectrum(u, grid)) for u in velocity) / 2
    assert energies == pytest.approx(float(diagnostics.energy(w_hat, grid)))
    # The same numbers from the fields.
    u, v = (irfftn(component, grid.shape, (0, 1)) for component in velocity)
    assert jnp.mean(u**2 + v**2) / 2 == pytest.approx(float(diagnostics.energy(w_hat, grid)))
    fastest = max(float(jnp.max(jnp.abs(c))) for c in (u, v))
    assert diagnostics.cfl(w_hat, grid, 0.01) == pytest.approx(fastest * 0.01 * 64 / BOX)


def test_resolution_tail_tells_a_resolved_flow():
    equation = NavierStokes(square(64), 0.05)
    resolved = run(etdrk4(equation, 1 / 64), flow.turbulence(), 64)
    assert diagnostics.resolution_tail(resolved, equation.grid) < 1e-4
    assert diagnostics.resolution_tail(flow.turbulence(), equation.grid) > 1e-2
    single = jnp.zeros(equation.grid.spectrum_shape, complex).at[3, 21].set(1.0)
    assert diagnostics.resolution_tail(single, equation.grid) == 1.0


def test_shifts_commute_with_the_flow():
    equation, w_hat = NavierStokes(square(64), 1e-3), flow.turbulence()
    step = etdrk4(equation, 1 / 64)

    def shifted(w):
        return equation.to_spectral(jnp.roll(equation.to_physical(w), (5, -11), (0, 1)))

    assert relative(run(step, shifted(w_hat), 32), shifted(run(step, w_hat, 32))) <= 1e-12


def test_forcing_drives_the_flow_from_rest():
    """Li's forcing depends on x + y alone, so u . grad w = 0 and w = f (1 - e^(-nu k^2 t)) / (nu k^2)."""
    grid, viscosity = Grid((32, 32)), 1e-2
    force = forcing.li(grid)
    equation = NavierStokes(grid, viscosity, forcing=force)
    rest = equation.to_spectral(jnp.zeros(grid.shape))
    rate = viscosity * 8 * np.pi**2
    expected = equation.to_spectral(jnp.asarray(force)) * (1 - np.exp(-rate)) / rate
    assert relative(run(etdrk4(equation, 1 / 16), rest, 16), expected) <= 1e-13


def test_kolmogorov_forcing_is_a_curl():
    grid = Grid((16, 32), (1.0, 2.0))
    k = 2 * np.pi * 4 / 2.0
    body = jnp.asarray(0.3 * np.sin(k * grid.mesh[1]))
    spectra = rfftn(body, (0, 1)), jnp.zeros(grid.spectrum_shape, complex)
    expected = irfftn(curl(spectra, grid), grid.shape, (0, 1))
    np.testing.assert_allclose(forcing.kolmogorov(grid, 4, 0.3), expected, atol=1e-13)


def test_wrong_arguments_are_explained():
    with pytest.raises(ValueError, match="wanted 2"):
        NavierStokes(Grid((8, 8, 8)), 0.1)
    with pytest.raises(ValueError, match="wanted numbers >= 0"):
        NavierStokes(square(8), -0.1)
    with pytest.raises(ValueError, match="resample it"):
        NavierStokes(square(8), 0.1, forcing=np.zeros((4, 4)))
    with jax.enable_x64(False):
        equation = NavierStokes(square(8), 0.1, forcing=np.ones((8, 8)))
    with pytest.raises(ValueError, match="build the equation in the precision"):
        equation.nonlinear(jnp.zeros(square(8).spectrum_shape, jnp.complex128))
