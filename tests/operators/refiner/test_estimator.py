"""The estimator against identities, a manufactured residual, and trajectories that are none."""

import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from refiner_testing import BOX, INTERVAL, cn_rk4, turbulence, unchecked

from operators.refiner import Differences, Estimator, Shooting, SolverStep, bochner_norm
from pdes.equations import NavierStokes, Schroedinger
from pdes.steppers import imex_cn
from spectral.grid import Grid
from spectral.norms import sobolev_norm
from spectral.transforms import rfftn


@pytest.mark.parametrize("s", [-2, -1, 0, 1])
def test_one_mode_in_space_and_time(x64, s):
    """sqrt(1/2) (alpha + (10 pi)^2)^(s/2) on the unit box, on every grid; constant in time over an interval of 3."""
    for shape in ((16, 16), (20, 31)):
        grid = Grid(shape)
        x, y = grid.mesh
        wave = jnp.asarray(np.cos(2 * np.pi * (3 * x + 4 * y)))
        wanted = math.sqrt(0.5) * (0.1 + (10 * np.pi) ** 2) ** (s / 2)
        assert float(sobolev_norm(wave, grid, s, alpha=0.1)) == pytest.approx(wanted, rel=1e-13)
        for steps in (3, 8):
            held = jnp.broadcast_to(rfftn(wave, (0, 1)), (steps, *grid.spectrum_shape))
            weights = np.full(steps, 3 / steps)
            norm = bochner_norm(held, grid, s, weights, alpha=0.1)
            assert float(norm) == pytest.approx(math.sqrt(3) * wanted, rel=1e-13)
            assert float(bochner_norm(held, grid, s, weights, alpha=0.1, p=np.inf)) == pytest.approx(wanted, rel=1e-13)


def test_heat_operator_identity(x64):
    """int |e_t|_-1^2 + nu^2 |e|_1^2 + nu |e(T)|^2 - nu |e(0)|^2 = int |e_t - nu Lap e|_-1^2, with 24 Gauss points."""
    grid, nu = Grid((16, 16), (BOX,)), 0.3
    nodes, weights = np.polynomial.legendre.leggauss(24)
    times = np.concatenate([0.5 + 0.5 * nodes, [0, 1]])[:, None, None]
    x, y = grid.mesh
    e = np.sin(times) * np.cos(x + 2 * y) + np.exp(-times) * np.sin(3 * x)
    e_t = np.cos(times) * np.cos(x + 2 * y) - np.exp(-times) * np.sin(3 * x)
    e_hat, e_t_hat = (rfftn(jnp.asarray(v), (1, 2)) for v in (e, e_t))
    r_hat = e_t_hat + nu * grid.wavenumber_squared[None] * e_hat

    def square(v, s):
        return float(bochner_norm(v[:24], grid, s, 0.5 * weights, alpha=0)) ** 2

    start, end = (float(sobolev_norm(jnp.asarray(e[i]), grid, 0, alpha=0)) ** 2 for i in (-2, -1))
    left = square(e_t_hat, -1) + nu**2 * square(e_hat, 1) + nu * (end - start)
    assert left == pytest.approx(square(r_hat, -1), rel=1e-13)
    # Steady: nu |grad e| = |r|_-1.
    steady = rfftn(jnp.asarray(e[0]), (0, 1))[None]
    sizes = [
        bochner_norm(v, grid, s, np.ones(1), alpha=0)
        for v, s in ((steady, 1), (-nu * grid.wavenumber_squared[None] * steady, -1))
    ]
    assert nu * float(sizes[0]) == pytest.approx(float(sizes[1]), rel=1e-14)


def test_manufactured_residual_and_effectivity(x64):
    """v = Taylor-Green + eps sin(t) cos(q x): R(v) is known, and eta over the error does not depend on eps."""
    nu, kappa, q, interval = 0.02, 2, 3, 0.01
    equation = NavierStokes(Grid((32, 32), (BOX,)), nu)
    x, y = equation.grid.mesh
    times = interval * np.arange(-4, 21)
    decay = np.exp(-2 * nu * kappa**2 * times)

    # -R / eps = (a' + nu q^2 a) cos qx + a E c/2 (sin (q+kappa)x + sin (q-kappa)x) sin kappa y, c = 2 kappa^2/q - q
    a, a_t, c = np.sin(times), np.cos(times), 2 * kappa**2 / q - q
    wanted = (a_t + nu * q**2 * a) ** 2 / 2 / q**2
    wanted = wanted + (a * decay * c / 2) ** 2 / 4 * sum(1 / ((q + side) ** 2 + kappa**2) for side in (kappa, -kappa))
    wanted = math.sqrt(interval * BOX**2 * wanted[5:].sum())
    # The error is e = eps a cos qx itself: sup |e|^2 + nu int |grad e|^2.
    energy = BOX**2 / 2 * (a[5:] ** 2).max() + nu * interval * BOX**2 / 2 * q**2 * (a[5:] ** 2).sum()

    estimator = Estimator(Differences(equation, interval, 8), order=-1, alpha=0)
    measure = jax.jit(lambda v: estimator(v[5:], v[:5]))
    effectivities = []
    for eps in (1e-1, 1e-2, 1e-3, 1e-4):
        shape = (-1, 1, 1)
        v = -2 * kappa * np.cos(kappa * x) * np.cos(kappa * y) * decay.reshape(shape) + eps * np.cos(q * x) * a.reshape(
            shape
        )
        eta = float(measure(jax.vmap(equation.to_spectral)(jnp.asarray(v))))
        # Differences of order 8 over 0.01: round-off of 1e-16 / 0.01 next to eps.
        assert eta == pytest.approx(eps * wanted, rel=1e-10 * max(1, 1e-2 / eps))
        effectivities.append(eta / (eps * math.sqrt(energy)))
    assert 0.1 < effectivities[0] < 10
    np.testing.assert_allclose(effectivities, effectivities[-1], rtol=1e-6)


def test_velocity_form(x64):
    """|R_w|_-2 = |R_u|_-1 for R_w = curl R_u at alpha = 0, and within sqrt(2) at the default."""
    grid = Grid((16, 16), (BOX,))
    x, y = grid.mesh
    # u = (d_y psi, -d_x psi), w = -Lap psi of psi = sin(2x + y) + cos x sin 3y
    r_w = sum(k2 * m for k2, m in ((5, np.sin(2 * x + y)), (10, np.cos(x) * np.sin(3 * y))))
    r_u = np.stack(
        [np.cos(2 * x + y) + 3 * np.cos(x) * np.cos(3 * y), -2 * np.cos(2 * x + y) + np.sin(x) * np.sin(3 * y)]
    )
    one = np.ones(1)
    vorticity = bochner_norm(rfftn(jnp.asarray(r_w), (0, 1))[None], grid, -2, one, alpha=0)
    velocity = bochner_norm(rfftn(jnp.asarray(r_u), (1, 2))[None], grid, -1, one, alpha=0)
    assert float(vorticity) == pytest.approx(float(velocity), rel=1e-13)
    # The default alpha, here 1: less by sqrt(2) for the lowest wavenumber alone, by no more for anything else.
    for w, u, least in ((r_w, r_u, 1 / math.sqrt(1.2)), (np.cos(x), np.stack([0 * x, np.sin(x)]), math.sqrt(0.5))):
        vorticity = bochner_norm(rfftn(jnp.asarray(w), (0, 1))[None], grid, -2, one)
        velocity = bochner_norm(rfftn(jnp.asarray(u), (1, 2))[None], grid, -1, one)
        assert least <= float(vorticity / velocity) * (1 + 1e-12) and vorticity < velocity
        bound = float(bochner_norm(rfftn(jnp.asarray(w), (0, 1))[None], grid, -2, one, alpha=0))
        assert 0.5 * bound <= float(vorticity) * (1 + 1e-12)
    assert float(vorticity / velocity) == pytest.approx(math.sqrt(0.5), rel=1e-13)


def test_only_the_published_residual_takes_noise_for_a_solution(x64):
    """Snapshots that have nothing to do with each other: both residuals are of the size of w_t, the solver step's not.

    Its 2 delta = 2e-6 divides round-off of 1e-16 times the states: some 1e-10 of w_t.
    """
    equation, fields = turbulence(32, 5e-3, 2)
    rng = np.random.default_rng(0)
    mixed = np.stack([fields[rng.integers(2), ..., i] for i in rng.permutation(20)])
    mixed = np.stack([np.roll(v, rng.integers(32, size=2), (0, 1)) for v in mixed])
    states = jax.vmap(equation.to_spectral)(jnp.asarray(mixed))
    history, window = states[:10], states[10:]
    rate = math.sqrt(INTERVAL) * float(
        jnp.linalg.norm(equation.grid.rfft_weights[None] ** 0.5 * jax.vmap(equation.rhs)(window))
    )

    def size(residual):
        estimator = Estimator(residual, order=0, alpha=0)
        return float(jax.jit(estimator)(window, history)) / BOX / rate

    assert size(Differences(equation, INTERVAL, 6)) > 0.1
    assert size(Shooting(equation, INTERVAL, cn_rk4)) > 0.1
    assert size(SolverStep(equation, INTERVAL, imex_cn)) < 1e-8


def test_what_is_refused():
    complex_fields = Schroedinger(Grid((16,), (BOX,)), 1.0)
    with pytest.raises(ValueError, match=r"equation: got Schroedinger with states of shape .*wanted half spectra"):
        Differences(complex_fields, 0.1)
    flow = NavierStokes(Grid((16, 16), (BOX,)), 1e-3)
    states = np.ones((10, 16, 9), complex)
    flown, norm = {"equation": flow, "interval": 0.1}, {"u_hat": states, "grid": flow.grid, "s": -1}
    table: list[tuple[Any, dict[str, Any], str]] = [
        (Differences, flown | {"difference_order": 7}, "difference_order: got 7, wanted 2, 4, 6 or 8;"),
        (Differences, flown | {"difference_order": 6.0}, "difference_order: got 6.0, wanted a whole number"),
        (Differences, flown | {"interval": "0.1"}, "interval: got '0.1', wanted the time .*, above 0 .*; take"),
        (Differences, flown | {"interval": math.inf}, "interval: got inf"),
        (Differences, flown | {"equation": NavierStokes}, "equation: got <class .*, wanted an equation .*; build"),
        (Shooting, flown | {"stepper": cn_rk4, "interval": 0}, "interval: got 0"),
        (Shooting, flown | {"stepper": cn_rk4, "substeps": 0}, "substeps: got 0, wanted a whole number of at least 1;"),
        # A scan would take two steps of interval / 2.5.
        (Shooting, flown | {"stepper": cn_rk4, "substeps": 2.5}, "substeps: got 2.5"),
        (Shooting, flown | {"stepper": None}, "stepper: got None, wanted .*; such as pdes.steppers.cn_rk4"),
        (Shooting, flown | {"stepper": "cn_rk4"}, "stepper: got 'cn_rk4'"),
        (SolverStep, flown | {"stepper": cn_rk4, "delta": 0.0}, "delta: got 0.0, wanted a tiny time.*; such as"),
        (Estimator, {"residual": Differences}, "residual: got <class .*, wanted a residual; such as"),
        (Estimator, {"residual": Differences(flow, 0.1), "order": "L2"}, "order: got 'L2', wanted a finite number;"),
        (Estimator, {"residual": Differences(flow, 0.1), "alpha": -1}, "alpha: got -1"),
        (bochner_norm, norm | {"weights": np.ones(3)}, "weights: got .*, wanted one number for each of 10"),
        (bochner_norm, norm | {"weights": np.ones(10), "p": 0}, "p: got 0, wanted an exponent of at least 1;"),
    ]
    for make, options, match in table:
        with unchecked(), pytest.raises(ValueError, match=match):
            make(**options)
