"""The residual of a flow: zero for the flow itself, right in size for a wrong one, refused where there is none."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hydra import compose, initialize_config_module

from data.generation import ensure
from data.schema import read_metadata
from data.splits import SplitSpec
from pdes.equations import Burgers, NavierStokes
from pdes.generators import (
    BurgersFlow,
    DarcyFlow,
    NavierStokesDecaying,
    NavierStokesForcing,
    NavierStokesKolmogorov,
    NavierStokesLi,
    NavierStokesTaylorGreen,
    RandomStart,
)
from pdes.steppers import etdrk4, rollout
from spectral.filters import resize
from spectral.grid import Grid
from training.check import check_components
from training.config import parse, register
from training.objective import Sum
from training.problem import problem_of_file, problem_of_generator
from training.residual import FlowResidual


def smooth(shape, modes, seed=0):
    """Two random fields [2, *shape, 1] with a few modes per axis."""
    noise = jax.random.normal(jax.random.key(seed), (2, *[2 * modes + 1] * len(shape)))
    return 0.5 * resize(noise, shape, range(1, len(shape) + 1))[..., None]


def solver(equation, fine, time, steps):
    """States on a coarser grid -> states at `time`, solved on the grid of the equation."""
    step = etdrk4(equation, time / steps)

    def final(state):
        axes, shape = tuple(range(state.ndim)), state.shape
        start = equation.to_spectral(resize(state, fine, axes))
        return resize(equation.to_physical(rollout(step, start, 1, steps)[0]), shape, axes)

    return jax.vmap(jax.vmap(final, in_axes=-1, out_axes=-1))


def heat(shape, diffusivity=0.5):
    coefficients = {"velocity": (0.0,) * len(shape), "diffusivity": diffusivity}
    return RandomStart("AdvectionDiffusion", coefficients, shape, 2 * np.pi)


def residual_of(flow, extent, apply, x):
    return jax.jit(lambda x: FlowResidual(flow, extent)(apply, x, apply(x)))(x)


def test_the_flow_of_burgers_has_none(x64):
    """Error of the residual = error of the time steps, in float64; a viscosity 5% off shows itself as it should."""
    fine, x = (192,), smooth((128,), 6)
    apply = solver(Burgers(Grid(fine), 0.02), fine, 0.2, 100)
    assert residual_of(lambda grid: Burgers(grid, 0.02), (1.0,), apply, x).max() < 1e-6
    wrong = residual_of(lambda grid: Burgers(grid, 0.021), (1.0,), apply, x)
    assert wrong.min() > 5e-3 and wrong.max() < 0.5


def test_the_flow_of_navier_stokes_has_none(x64):
    grid = Grid((36, 24), (2 * np.pi,))
    x = smooth((24, 16), 3)
    x = x - x.mean((1, 2), keepdims=True)
    apply = solver(NavierStokes(grid, 0.05, drag=0.1), grid.shape, 0.2, 40)
    assert residual_of(lambda g: NavierStokes(g, 0.05, drag=0.1), grid.extent, apply, x).max() < 1e-5
    assert residual_of(lambda g: NavierStokes(g, 0.05), grid.extent, apply, x).min() > 1e-2


def test_a_gain_on_a_decaying_wave_has_the_residual_of_the_formula():
    """u = sin x under u_t = kappa u_xx and G(u) = u + u^2: R = -kappa (sin x + 2 sin^2 x) - kappa (u + u^2)_xx."""
    problem = problem_of_generator(heat((32,)), None, None)
    points = np.arange(32) * 2 * np.pi / 32
    sine, cosine = np.sin(points), np.cos(points)
    x = jnp.asarray(sine, jnp.float32).reshape(1, 32, 1)
    found = FlowResidual(problem.flow(), problem.extent)(lambda u: u + u**2, x, x)
    residual = -0.5 * (sine + 2 * sine**2) - 0.5 * (-sine + 2 * (cosine**2 - sine**2))
    # The scale is |F(target)| = 0.5 |sin|; float32 second derivatives of 16 modes: 1e-5.
    np.testing.assert_allclose(found, [np.linalg.norm(residual) / np.linalg.norm(0.5 * sine)], rtol=1e-4)


def test_parameters_come_from_the_data():
    problem = problem_of_generator(BurgersFlow(viscosity=0.03), None, None)
    assert problem.flow()(Grid((8,))).viscosity == 0.03
    assert problem_of_generator(heat((8,), 0.7), None, None).flow()(Grid((8,))).diffusivity == 0.7
    for flow in (NavierStokesDecaying, NavierStokesLi, NavierStokesKolmogorov, NavierStokesTaylorGreen):
        generator = flow((32, 32), viscosity=0.004)
        equation = problem_of_generator(generator, None, None).flow()(Grid((16, 12), generator.grid.extent))
        assert (equation.viscosity, equation.grid.shape) == (0.004, (16, 12))


def test_parameters_come_from_the_file(tmp_path):
    generator = heat((8, 8), 0.7)
    (path,) = ensure(generator, SplitSpec("train", 1, 0, ((8, 8),)), tmp_path).values()
    metadata = read_metadata(path)
    problem = problem_of_file(metadata, metadata.inputs, metadata.targets)
    assert problem.flow()(Grid((6, 6))) == generator.flow(Grid((6, 6)))
    foreign = dataclasses.replace(metadata, generator={"_target_": "elsewhere.Heat"})
    with pytest.raises(ValueError, match=r"got 'elsewhere.Heat', wanted .* defined under"):
        problem_of_file(foreign, metadata.inputs, metadata.targets).flow()


def test_no_mode_is_lost_to_a_cubic_term(x64):
    """u = sin 3x on 8 points under u_t = eps^2 u_xx + u - u^3: of F(u), 1 - 3/4 - 9 eps^2 is left in sin 3x."""
    generator = RandomStart("AllenCahn", {"width": 0.1}, (8,), 2 * np.pi)
    problem = problem_of_generator(generator, None, None)
    x = jnp.sin(3 * jnp.arange(8) * 2 * jnp.pi / 8)[None, :, None]
    np.testing.assert_allclose(FlowResidual(problem.flow(), problem.extent).rate(x), (0.25 - 0.09) * x, atol=1e-12)


# One of its two fields does not say how it goes on.
GRAY_SCOTT = RandomStart("GrayScott", {"feed": 0.04, "kill": 0.06}, (8, 8), low=0.0)


@pytest.mark.parametrize("generator", [NavierStokesForcing(), DarcyFlow(), GRAY_SCOTT])
def test_maps_that_are_not_flows_are_refused(generator):
    problem = (
        problem_of_generator(generator, {"catalyst": (0,)}, {"catalyst": (1,)}) if generator is GRAY_SCOTT else None
    )
    problem = problem or problem_of_generator(generator, None, None)
    with pytest.raises(ValueError, match="wanted states of an autonomous flow of one field to later ones"):
        Sum(problem, {"data": lambda **_: None}, {"equation": FlowResidual})


def test_finite_gradient_for_a_perfect_map_and_a_field_at_rest():
    problem = problem_of_generator(heat((16, 16)), None, None)
    residual = FlowResidual(problem.flow(), problem.extent)
    x = smooth((16, 16), 2).at[1].set(0.0)
    # The heat flow over no time at all: the gain of 1 is perfect.
    value, slope = jax.jit(jax.value_and_grad(lambda gain: residual(lambda u: gain * u, x, x).sum()))(1.0)
    assert abs(value) < 1e-4 and jnp.isfinite(slope)


@pytest.mark.parametrize("option", ["+operator.norm=batch_norm", "+operator.spectral_dtype=bf16"])
def test_a_layer_without_a_forward_derivative_is_refused(option):
    register()
    with initialize_config_module("configs", version_base="1.3"):
        settings, _ = parse(compose("train", overrides=["experiment=burgers_pino", option]))
    with pytest.raises(ValueError, match=r"loss: .*spectral_dtype=f32, a norm other than batch_norm"):
        check_components(settings)
