"""Every equation of the torus against exact solutions, its invariants, and the generator of its trajectories."""

import dataclasses
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hydra import compose, initialize_config_module
from omegaconf import OmegaConf

from benchmarks.equation_cases import CASES
from benchmarks.equations import solve
from data.instantiate import describe, instantiate
from data.splits import plan
from pdes import equations as of
from pdes.generators import RandomStart
from pdes.steppers import etdrk4
from spectral.derivatives import symbol
from spectral.grid import Grid
from spectral.norms import inner_product

pytestmark = pytest.mark.usefixtures("x64")
CONFIGS = Path(__file__).resolve().parents[2] / "configs" / "pde"
LINE, SQUARE = Grid((32,), (3.0,)), Grid((16, 20), (2.0, 3.0))


def name(case) -> str:
    return case.name


@pytest.mark.parametrize("case", CASES, ids=name)
def test_exact_solutions(case):
    """Fourth order in time down to small errors, invariants kept as well as the solution."""
    if not case.steps:
        assert solve(case, case.points[1], 1).error <= 1e-13
        return
    first, second = (solve(case, case.points[1], n) for n in (case.steps, 2 * case.steps))
    assert np.log2(first.error / second.error) >= 3.7, (first, second)
    assert second.error <= 1e-5
    assert np.isnan(second.drift) or second.drift <= 10 * second.error  # nothing to keep, or kept


QUICK = ("Korteweg-de Vries", "Allen-Cahn")


@pytest.mark.parametrize(
    "case", [c if c.name in QUICK else pytest.param(c, marks=pytest.mark.slow) for c in CASES], ids=name
)
def test_errors_in_space_fall_faster_than_any_power(case):
    """From an error of a thousandth or more to the error in time on three to six times the points.

    At order 4 it would fall to a hundredth, or a thousandth."""
    coarse, fine = (solve(case, n, 2 * case.steps or 1).error for n in case.points)
    assert coarse >= 1e-4 and coarse >= 1e3 * fine, (coarse, fine)


CONSERVING = [
    of.AdvectionDiffusion(SQUARE, (1.0, 2.0)),
    of.Wave(SQUARE, 2.0),
    of.KuramotoSivashinsky(LINE),
    of.KortewegDeVries(LINE, 0.3),
    of.CahnHilliard(SQUARE, 0.1),
    of.Schroedinger(SQUARE, 1.3),
    of.NavierStokesVelocity(SQUARE, 0.0),
    of.NavierStokesVelocity(Grid((9, 8, 10), (2.0, 3.0, 4.0)), 0.0),
    of.Boussinesq(SQUARE, 0.0, 0.0),
]


def random_state(equation) -> jax.Array:
    count = len(equation.fields)
    noise = np.random.default_rng(0).standard_normal((count, *equation.grid.shape))
    return equation.to_spectral(jnp.asarray(noise if count > 1 else noise[0]))


@pytest.mark.parametrize("equation", CONSERVING, ids=lambda equation: type(equation).__name__)
def test_what_neither_damps_nor_grows_conserves_the_invariants(equation):
    """To round-off on white noise: products are free of aliases."""

    @jax.jit
    def at(state):
        rate = symbol(1j * equation.linear.imag, state) * state + equation.nonlinear(state)
        _, change = jax.jvp(equation.invariants, (state,), (rate,))
        slopes = {name: jax.grad(lambda v, name=name: equation.invariants(v)[name])(state) for name in change}
        return change, {name: jnp.linalg.norm(slope) * jnp.linalg.norm(rate) for name, slope in slopes.items()}

    change, size = at(random_state(equation))
    assert change
    for name, value in change.items():
        # Round-off of the terms of the sum, which cancel.
        assert abs(float(value)) <= 1e-12 * float(size[name]), (name, value)


@pytest.mark.parametrize("equation", [*CONSERVING, of.ShallowWater(SQUARE)], ids=lambda e: type(e).__name__)
def test_a_step_in_float32_stays_in_it(equation):
    count = len(equation.fields)
    shape = (count, *equation.grid.shape) if count > 1 else equation.grid.shape
    step = etdrk4(equation, 1e-2)
    # Where float64 is allowed, so that a symbol or a factor that is not cast shows.
    program = jax.make_jaxpr(lambda u: equation.to_physical(step(equation.to_spectral(u))))(
        jax.ShapeDtypeStruct(shape, jnp.float32)
    )
    assert program.out_avals[0].dtype == jnp.float32


def test_phases_lose_free_energy_at_the_rate_of_their_gradient_flow():
    for equation, order in ((of.AllenCahn(SQUARE, 0.3), 0), (of.CahnHilliard(SQUARE, 0.3), -1)):

        @jax.jit
        def at(state, equation=equation, order=order):
            rate = equation.rhs(state)
            _, change = jax.jvp(equation.free_energy, (state,), (rate,))
            return change, inner_product(rate, rate, SQUARE, order, alpha=1.0 + order) / SQUARE.volume

        change, lost = at(random_state(equation))
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
    sample = jax.eval_shape(SMALL, jax.random.key(0))
    assert {name: u.shape for name, u in sample.items()} == dict.fromkeys(("substrate", "catalyst"), (2, 24, 20))
    draws = jax.jit(jax.vmap(lambda key: SMALL.start(key, 2)))(jax.random.split(jax.random.key(0), 32))
    start = dict(zip(SMALL.fields, np.moveaxis(np.asarray(draws), 1, 0), strict=True))
    for name, low, high in (("substrate", 0.4, 1.0), ("catalyst", 0.0, 0.3)):
        assert low < start[name].min() and start[name].max() < high
        assert start[name].mean() == pytest.approx((low + high) / 2, abs=0.02)
        assert start[name].std() == pytest.approx((high - low) / np.sqrt(12), rel=0.1)
    # Independent fields: 32 samples of some ten independent places each.
    assert abs(np.corrcoef(start["substrate"].ravel(), start["catalyst"].ravel())[0, 1]) < 0.15


@pytest.mark.parametrize("pde", sorted(path.stem for path in CONFIGS.glob("*.yaml")))
def test_configs_plan_what_their_grids_resolve(pde):
    with initialize_config_module("configs", version_base="1.3"):
        cfg: Any = OmegaConf.to_container(compose("generate", [f"pde={pde}"]), resolve=True)
    for generator, _ in plan(cfg["pde"], cfg["data"]).values():
        if isinstance(generator, RandomStart):
            # Steps of a snapshot fit into it.
            assert generator.parameters()["dt"] == pytest.approx(min(generator.dt, generator.interval), rel=1e-9)


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


def test_a_step_that_carries_by_more_than_a_cell_gives_no_numbers(x64):
    fast = RandomStart("VectorBurgers", {"viscosity": 1e-2}, (16, 16), tau=6.0, dt=0.05, interval=0.05)
    assert np.isfinite(fast.start(jax.random.key(0), 2)).all()
    for generator, finite in ((fast, True), (dataclasses.replace(fast, shape=(32, 32)), False)):
        found = jax.jit(generator)(jax.random.key(0))["velocity_x"]
        assert bool(np.isfinite(found).all()) == finite
    assert "pde.dt" in fast.remedy
