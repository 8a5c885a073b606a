"""Burgers' equation and its generator against the exact solution of Cole and Hopf."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flow_testing import orders, relative, run

from pdes.equations import Burgers
from pdes.exact import cole_hopf
from pdes.generators import BurgersFlow
from pdes.steppers import cn_rk2, cn_rk4, etdrk4, ifrk4, imex_cn
from spectral.grid import Grid

pytestmark = pytest.mark.usefixtures("x64")
MEAN = 0.3


def wave(grid: Grid) -> np.ndarray:
    x = 2 * np.pi * grid.points[0] / grid.extent[0]
    return MEAN + np.sin(x) + 0.5 * np.cos(2 * x + 1)


def burgers_error(scheme, steps: int, viscosity: float = 0.02, n: int = 192, time: float = 0.3) -> float:
    grid = Grid((n,), (1.5,))
    equation = Burgers(grid, viscosity)
    step = scheme(equation, time / steps)
    found = jax.jit(lambda u: equation.to_physical(run(step, equation.to_spectral(u), steps)))(wave(grid))
    return relative(found, exact(n, viscosity, time))


def exact(n: int, viscosity: float, time: float) -> np.ndarray:
    grid = Grid((n,), (1.5,))
    return cole_hopf(wave(grid), grid, time, viscosity, points=1024)


def test_cole_hopf_solves_the_equation():
    """u_t + u u_x - nu u_xx = 0 by central differences of spectrally exact derivatives, whatever the quadrature."""
    grid, nu, time, dt = Grid((96,), (1.5,)), 0.05, 0.2, 1e-4
    before, now, after = (cole_hopf(wave(grid), grid, time + d, nu, points=960) for d in (-dt, 0.0, dt))
    k = grid.derivative_wavenumbers[0]
    ux, uxx = (np.fft.irfft((1j * k) ** order * np.fft.rfft(now), 96) for order in (1, 2))
    rate = (after - before) / (2 * dt)
    # Second order in dt: u_ttt dt^2 / 6 with u_ttt of some thousands.
    assert np.abs(rate + now * ux - nu * uxx).max() <= 1e-4 * np.abs(rate).max()
    np.testing.assert_allclose(cole_hopf(wave(grid), grid, time, nu, points=3000), now, atol=1e-13)
    assert np.mean(now) == pytest.approx(MEAN, abs=1e-14)


def test_cole_hopf_begins_at_the_start_and_survives_fronts():
    grid = Grid((128,), (1.5,))
    # After a time t the solution has moved by t u_t, a few hundredths of 1.
    np.testing.assert_allclose(cole_hopf(wave(grid), grid, 1e-4, 0.01), wave(grid), atol=2e-3)
    # exp(-U/2nu) spans 10^600 here; the exact inviscid solution obeys the maximum principle, and so does this one.
    front = cole_hopf(wave(grid), grid, 1.0, 1e-4, points=20000)
    assert np.isfinite(front).all() and wave(grid).min() <= front.min() and front.max() <= wave(grid).max()


# Steps: the coarsest from which the order shows.
@pytest.mark.parametrize(
    "scheme, steps, order", [(etdrk4, 48, 4), (ifrk4, 48, 4), (cn_rk4, 48, 2), (cn_rk2, 96, 2), (imex_cn, 200, 1)]
)
def test_every_scheme_converges_at_its_order_to_the_exact_solution(scheme, steps, order):
    errors = [burgers_error(scheme, n, viscosity=0.05) for n in (steps, 2 * steps)]
    # cn_rk4 between order 4 (nonlinear term) and 2 (linear term).
    slack = 2.2 if scheme is cn_rk4 else 0.25
    assert order - 0.2 <= orders(errors)[0] <= order + slack, errors
    assert errors[-1] <= (1e-7 if order == 4 else 1e-2)


def test_errors_fall_exponentially_with_the_grid():
    errors = [burgers_error(etdrk4, 400, n=n) for n in (48, 96, 144)]
    # Equal additions of points take off equal factors, here about 50; at order 4 the second would be 5.
    assert errors[1] <= errors[0] / 25 and errors[2] <= errors[1] / 25, errors


def test_nonlinear_term_conserves_mean_and_energy():
    grid = Grid((64,))
    equation = Burgers(grid, 0.0)
    rng = np.random.default_rng(0)
    u_hat = equation.to_spectral(jnp.asarray(rng.standard_normal(64)))
    rate = equation.nonlinear(u_hat)
    assert not np.any(np.asarray(rate)[~equation.mask])
    _, change = jax.jvp(equation.invariants, (u_hat,), (rate,))
    size = float(jnp.linalg.norm(rate) * jnp.linalg.norm(u_hat))
    # Round-off of sums of 64 numbers.
    assert all(abs(float(value)) <= 1e-14 * size for value in change.values()), change


def test_generator_against_the_exact_solution():
    """Data at the paper's viscosity and at a tenth of it, on the grid and with the step of the default."""
    for viscosity, bound in ((0.1, 2e-5), (0.01, 1e-9)):
        generator = BurgersFlow((96,) if viscosity == 0.1 else (384,), viscosity=viscosity)
        keys = jax.random.split(jax.random.key(0), 3)
        velocity = np.asarray(jax.jit(jax.vmap(generator))(keys)["velocity"])
        for start, end in velocity:
            assert relative(end, cole_hopf(start, generator.grid, 1.0, viscosity, points=1024)) <= bound


def test_generator_interface():
    generator = BurgersFlow((48,), final_time=0.5)
    assert hash(generator) == hash(dataclasses.replace(generator, shape=(48,)))
    assert generator.max_shape == (32,) and generator.solver_shape((256,)) == (384,)
    assert generator.fields["velocity"].times == (0.0, 0.5)
    parameters = generator.parameters()
    assert parameters["viscosity"] == 0.1
    assert parameters["initial_covariance"] == "625 (-Lap + 25 I)^-2, mean-free, E|u_k|^2 = eigenvalue"
    velocity = np.asarray(jax.jit(jax.vmap(generator))(jax.random.split(jax.random.key(1), 256))["velocity"])
    # The variance of a sample scatters by about its own size, that of 256 by a tenth.
    assert velocity[:, 0].std() == pytest.approx(0.594, rel=0.15)
    # The same key on a finer grid is the same start and end; the start to round-off, the end to the error of the step.
    key = jax.random.key(2)
    coarse, fine = (jax.jit(dataclasses.replace(generator, shape=(n,)))(key)["velocity"] for n in (48, 96))
    for index, bound in ((0, 1e-12), (1, 1e-5)):
        assert relative(generator.restrict(fine, (30,))[index], generator.restrict(coarse, (30,))[index]) <= bound


def test_wrong_arguments_are_explained():
    with pytest.raises(ValueError, match="wanted 1"):
        Burgers(Grid((8, 8)), 0.1)
    with pytest.raises(ValueError, match="wanted a number >= 0"):
        Burgers(Grid((8,)), -0.1)
    with pytest.raises(ValueError, match="wanted positive numbers"):
        BurgersFlow(viscosity=0.0)
    with pytest.raises(ValueError, match="wanted 1 whole number of points"):
        BurgersFlow((8, 8))
