"""Every equation of the torus against exact solutions, its invariants, and the generator of its trajectories."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from benchmarks.equation_cases import CASES
from benchmarks.equations import solve
from data.instantiate import describe, instantiate
from pdes import equations as of
from pdes.generators import RandomStart
from spectral.derivatives import symbol
from spectral.grid import Grid
from spectral.norms import inner_product

pytestmark = pytest.mark.usefixtures("x64")
LINE, SQUARE = Grid((32,), (3.0,)), Grid((16, 20), (2.0, 3.0))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_exact_solutions(case):
    """Fourth order in time, errors in space that fall faster than that, invariants kept as well as the solution."""
    coarse, fine = case.points
    if not case.steps:
        assert solve(case, fine, 1).error <= 1e-13 <= 0.1 <= solve(case, coarse, 1).error
        return
    first, second = (solve(case, fine, n) for n in (case.steps, 2 * case.steps))
    assert np.log2(first.error / second.error) >= 3.7, (first, second)
    assert second.error <= 1e-5
    # At order 4 the error on the coarser grid would be some hundred times that of the finer.
    assert solve(case, coarse, case.steps).error >= 1e3 * second.error
    assert not second.drift > 10 * second.error


CONSERVING = [
    of.AdvectionDiffusion(SQUARE, (1.0, 2.0)),
    of.Wave(SQUARE, 2.0),
    of.KuramotoSivashinsky(LINE),
    of.KortewegDeVries(LINE, 0.3),
    of.CahnHilliard(SQUARE, 0.1),
    of.Schroedinger(SQUARE, 1.3),
]


def random_state(equation) -> jax.Array:
    count = len(equation.fields)
    noise = np.random.default_rng(0).standard_normal((count, *equation.grid.shape))
    return equation.to_spectral(jnp.asarray(noise if count > 1 else noise[0]))


@pytest.mark.parametrize("equation", CONSERVING, ids=lambda equation: type(equation).__name__)
def test_what_neither_damps_nor_grows_conserves_the_invariants(equation):
    """To round-off on white noise: products are free of aliases."""
    state = random_state(equation)
    found = equation.invariants(state)
    assert found
    rate = symbol(1j * equation.linear.imag, state) * state + equation.nonlinear(state)
    _, change = jax.jvp(equation.invariants, (state,), (rate,))
    for name, value in change.items():
        # Round-off of the largest terms of the sum, which cancel.
        slope = jax.grad(lambda v, name=name: equation.invariants(v)[name])(state)
        assert abs(float(value)) <= 1e-12 * float(jnp.linalg.norm(slope) * jnp.linalg.norm(rate)), (name, value)


def test_phases_lose_free_energy_at_the_rate_of_their_gradient_flow():
    for equation, order in ((of.AllenCahn(SQUARE, 0.3), 0), (of.CahnHilliard(SQUARE, 0.3), -1)):
        state = random_state(equation)
        rate = equation.rhs(state)
        _, change = jax.jvp(equation.free_energy, (state,), (rate,))
        lost = inner_product(rate, rate, SQUARE, order, alpha=1.0 + order) / SQUARE.volume
        assert float(change) == pytest.approx(-float(lost), rel=1e-12)


@pytest.mark.parametrize("equation", [of.AllenCahn(SQUARE, 0.3), of.Wave(SQUARE), of.Schroedinger(LINE)], ids=repr)
def test_states_are_what_the_fields_hold(equation):
    state = random_state(equation)
    again = equation.to_spectral(equation.to_physical(state))
    np.testing.assert_allclose(again, state, atol=1e-13)


SMALL = RandomStart("GrayScott", {"feed": 0.04, "kill": 0.06}, (24, 20), 2.0, (0.4, 0.0), (1.0, 0.3), 6.0, dt=1.0)


def test_random_starts():
    assert SMALL.name == "gray_scott" and SMALL.max_shape == (12, 10)
    assert hash(SMALL) == hash(dataclasses.replace(SMALL)) and instantiate(describe(SMALL)) == SMALL
    assert SMALL.parameters()["feed"] == 0.04
    sample = jax.jit(jax.vmap(SMALL))(jax.random.split(jax.random.key(0), 64))
    assert {name: u.shape for name, u in sample.items()} == dict.fromkeys(("substrate", "catalyst"), (64, 2, 24, 20))
    start = {name: np.asarray(u[:, 0]) for name, u in sample.items()}
    for name, low, high in (("substrate", 0.4, 1.0), ("catalyst", 0.0, 0.3)):
        # The de-aliasing mask takes the corners off Phi(g); uniform in (low, high) otherwise.
        assert low - 0.05 < start[name].min() and start[name].max() < high + 0.05
        assert start[name].mean() == pytest.approx((low + high) / 2, abs=0.02)
        assert start[name].std() == pytest.approx((high - low) / np.sqrt(12), rel=0.1)
    # Independent fields: 64 samples of some ten independent places each.
    assert abs(np.corrcoef(start["substrate"].ravel(), start["catalyst"].ravel())[0, 1]) < 0.15


def test_the_same_key_is_the_same_start_on_a_finer_grid():
    generator = RandomStart("KortewegDeVries", shape=(48,), length=10.0, tau=2.0)
    key = jax.random.key(1)
    coarse, fine = (dataclasses.replace(generator, shape=(n,)).start(key, 1) for n in (48, 96))
    np.testing.assert_allclose(coarse, fine[:, ::2], atol=1e-6)


def test_wrong_arguments_are_explained():
    with pytest.raises(ValueError, match="wanted one of AdvectionDiffusion, AllenCahn"):
        RandomStart("Heat")
    with pytest.raises(ValueError, match="wanted those of AllenCahn"):
        RandomStart("AllenCahn", {"breadth": 0.1})
    with pytest.raises(ValueError, match="wanted a number, or 2: one per field"):
        dataclasses.replace(SMALL, low=(0.0, 0.0, 0.0))
    with pytest.raises(ValueError, match="wanted positive numbers"):
        of.AllenCahn(LINE, -1.0)
    with pytest.raises(ValueError, match="wanted 1"):
        of.KortewegDeVries(SQUARE)
    with pytest.raises(ValueError, match="wanted 2 numbers"):
        of.AdvectionDiffusion(SQUARE, (1.0,))
