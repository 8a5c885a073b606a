"""Time steppers against exact solutions, their order of convergence, and their coefficients."""

import flow_testing as flow
import jax.numpy as jnp
import numpy as np
import pytest
from flow_testing import orders, relative, run, square

from pdes.equations import NavierStokes
from pdes.exact import taylor_green
from pdes.steppers import cn_rk2, cn_rk4, etdrk4, ifrk4, imex_cn
from pdes.steppers.etdrk4 import etdrk4_coefficients

pytestmark = pytest.mark.usefixtures("x64")


def taylor_green_error(scheme, viscosity: float, waves: int, dt: float, drag: float = 0.0) -> float:
    grid = square(64)
    equation = NavierStokes(grid, viscosity, drag)
    begin, end = (equation.to_spectral(jnp.asarray(taylor_green(grid, waves, t, viscosity, drag))) for t in (0.0, 1.0))
    return relative(run(scheme(equation, dt), begin, round(1 / dt)), end)


EXACT = [(0.1, 4, 0.1), (0.1, 1, 0.01), (1e-3, 4, 0.01)]
EXACT_SLOW = [(nu, k, dt) for nu in (0.1, 1e-3) for k in (1, 4) for dt in (0.1, 0.01, 0.001)]


@pytest.mark.parametrize("scheme", [etdrk4, ifrk4])
@pytest.mark.parametrize(
    "case", [*EXACT, *(pytest.param(c, marks=pytest.mark.slow) for c in EXACT_SLOW if c not in EXACT)]
)
def test_exponential_schemes_are_exact_on_taylor_green(scheme, case):
    """The linear term is integrated exactly and the nonlinear one vanishes: only round-off is left, at any dt."""
    assert taylor_green_error(scheme, *case) <= 1e-13


# (dt, waves, error): lambda^3 dt^2 T / 12 with lambda = 2 nu k^2, times sum (alpha_{k+1} - alpha_k)^3 = 0.068 for
# the five implicit substeps of cn_rk4.
CN_ERRORS = [
    (cn_rk2, 4, 0.1, 2.74e-2),
    (cn_rk2, 4, 0.01, 2.73e-4),
    (cn_rk2, 4, 0.001, 2.73e-6),
    (cn_rk4, 4, 0.1, 1.86e-3),
    (cn_rk4, 4, 0.01, 1.86e-5),
    (cn_rk4, 4, 0.001, 1.86e-7),
    (cn_rk4, 1, 0.1, 4.5e-7),
    (cn_rk4, 1, 0.01, 4.5e-9),
]


@pytest.mark.parametrize(
    "scheme, waves, dt, expected",
    [pytest.param(*c, marks=[pytest.mark.slow] if c[2] == 0.001 else []) for c in CN_ERRORS],
)
def test_crank_nicolson_error_on_taylor_green(scheme, waves, dt, expected):
    # Two or three digits are given: 1% covers their rounding.
    assert taylor_green_error(scheme, 0.1, waves, dt) == pytest.approx(expected, rel=0.011)


def test_drag_is_part_of_the_linear_term():
    assert taylor_green_error(etdrk4, 0.05, 2, 0.1, drag=0.3) <= 1e-13


def convergence(scheme, viscosity: float, counts: tuple[int, ...], reference: int) -> list[float]:
    """Errors at T = 1 of the reference flow for each number of steps."""
    equation, start = NavierStokes(square(64), viscosity), flow.turbulence()
    exact = run(etdrk4(equation, 1 / reference), start, reference)
    return [relative(run(scheme(equation, 1 / n), start, n), exact) for n in counts]


def test_cn_rk4_is_fourth_order_at_small_viscosity():
    errors = convergence(cn_rk4, 1e-3, (32, 64, 128), 512)
    assert np.all((orders(errors) >= 3.9) & (orders(errors) <= 4.1)), orders(errors)
    assert errors[-1] <= 1e-6


def test_etdrk4_is_fourth_order():
    errors = convergence(etdrk4, 1e-3, (32, 64, 128), 512)
    # The reference, four times finer, takes 1/256 of the last error off it: 0.006 of an order.
    np.testing.assert_allclose(orders(errors), 4.0, atol=0.05)


@pytest.mark.slow
def test_orders_over_the_whole_range():
    errors = convergence(cn_rk4, 1e-3, (32, 64, 128, 256), 2048)
    # The last halving is 4.15 for this sample (4.05 for others): Crank-Nicolson's own error, of the other sign, is met.
    assert np.all((orders(errors)[:2] >= 3.9) & (orders(errors)[:2] <= 4.1)), orders(errors)
    assert errors[2] <= 1e-6
    np.testing.assert_allclose(orders(convergence(etdrk4, 1e-3, (32, 64, 128, 256), 2048)), 4.0, atol=0.05)
    np.testing.assert_allclose(orders(convergence(ifrk4, 1e-3, (32, 64, 128, 256), 2048)), 4.0, atol=0.05)
    np.testing.assert_allclose(orders(convergence(cn_rk2, 1e-3, (64, 128, 256), 2048)), 2.0, atol=0.05)
    np.testing.assert_allclose(orders(convergence(imex_cn, 0.05, (128, 256, 512), 2048)), 1.0, atol=0.1)


def test_orders_at_large_viscosity():
    """Crank-Nicolson takes cn_rk4 down to order 2."""
    steps, viscosity = 256, 0.05
    equation, start = NavierStokes(square(64), viscosity), flow.turbulence()
    exact = run(etdrk4(equation, 1 / steps), start, steps)

    def order(scheme, n: int) -> float:
        coarse, fine = (relative(run(scheme(equation, 1 / k), start, k), exact) for k in (n, 2 * n))
        return float(np.log2(coarse / fine))

    assert order(cn_rk4, 32) == pytest.approx(2.0, abs=0.1)
    assert order(cn_rk2, 32) == pytest.approx(2.0, abs=0.05)
    # First order shows late: 1.15, 1.06, 1.03 for successive halvings from 32.
    assert order(imex_cn, 64) == pytest.approx(1.0, abs=0.1)


def test_etdrk4_coefficients_near_zero():
    z = np.array([-1e-6, -1e-3, -1e-2, -1.0])
    first = etdrk4_coefficients(z / 0.5, 0.5).first / 0.5
    np.testing.assert_allclose(first, [0.1666665, 0.16650007, 0.16500748, 0.05696447], atol=1e-8)


def test_etdrk4_coefficients_far_from_zero():
    """Where nothing cancels the contour agrees with the formulas; complex symbols keep their imaginary part."""
    z = np.array([-5.0, -40.0, 3j, -2 + 4j])
    found, e = etdrk4_coefficients(z, 1.0), np.exp(z)
    np.testing.assert_allclose(found.decay, e - 1, rtol=1e-13)
    np.testing.assert_allclose(found.stage, (np.exp(z / 2) - 1) / z, rtol=1e-12)
    np.testing.assert_allclose(found.first, (-4 - z + e * (4 - 3 * z + z**2)) / z**3, rtol=1e-12)
    np.testing.assert_allclose(found.middle, (2 + z + e * (z - 2)) / z**3, rtol=1e-12)
    np.testing.assert_allclose(found.last, (-4 - 3 * z - z**2 + e * (4 - z)) / z**3, rtol=1e-12)


@pytest.mark.parametrize("scheme", [cn_rk4, etdrk4, ifrk4])
def test_float32_stays_near_float64(scheme):
    """The increment form loses 1e-6 over 128 steps; a decay factor rounded to float32 would lose 5e-6."""
    equation, start = NavierStokes(square(64), 5e-3), flow.turbulence()
    step = scheme(equation, 1 / 128)
    single = run(step, start.astype(jnp.complex64), 128)
    assert single.dtype == jnp.complex64
    assert relative(single, run(step, start, 128)) <= 2e-6
