"""Poisson problems in batches, and the generator of them."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from benchmarks.gp_problems import sine_series
from pdes.generators import GPPoisson
from pdes.generators.gp_square import blend_of_sides
from pdes.gp.axis import Axis
from pdes.gp.collocation import DIRICHLET, Collocation
from pdes.gp.equations import poisson
from pdes.gp.gram import solve_gram
from pdes.gp.poisson import PoissonFactors, plain_kernel

pytestmark = pytest.mark.usefixtures("x64")


def relative(found, truth):
    return float(jnp.max(jnp.linalg.norm((found - truth), axis=(1, 2)) / jnp.linalg.norm(truth, axis=(1, 2))))


@pytest.mark.slow
@pytest.mark.parametrize(("n", "bound"), [(65, 1e-3), (129, 1.5e-4)])
def test_against_exact_sine_series(n, bound):
    factors = PoissonFactors.of((Axis(0.0, 1.0, n),) * 2)
    assert factors.solver.real
    u, f = sine_series(n)
    found = jax.jit(PoissonFactors.solve)(factors, f, jnp.zeros_like(f))
    mean = float(jnp.mean(jnp.linalg.norm(found - u, axis=(1, 2)) / jnp.linalg.norm(u, axis=(1, 2))))
    assert mean <= bound
    # Pessimistic, but not without bounds: above the error wherever there is one, below a fifth of the solution.
    deviation = factors.deviation(f, jnp.zeros_like(f))
    assert float(jnp.mean(jnp.abs(found - u) <= 2 * deviation + 1e-12)) > 0.99
    assert relative(found + deviation, found) < 0.2


def test_a_batch_is_its_samples_and_rectangles_work():
    axes = (Axis(0.0, 1.0, 21), Axis(0.0, 2.0, 31))
    factors = PoissonFactors.of(axes)
    x, y = (jnp.asarray(a) for a in np.meshgrid(*(axis.points for axis in axes), indexing="ij"))
    u = jnp.stack([jnp.sin(3 * x + 1) * jnp.cos(2 * y), jnp.exp(x) * jnp.sin(y)])
    f = jnp.stack([13 * u[0], 0 * u[1]])
    sides = u.at[:, 1:-1, 1:-1].set(0)
    solve = jax.jit(PoissonFactors.solve)
    found = solve(factors, f, sides)
    assert relative(found, u) <= 3e-3
    one_by_one = jnp.concatenate([solve(factors, f[i : i + 1], sides[i : i + 1]) for i in range(2)])
    np.testing.assert_allclose(found, one_by_one, rtol=1e-12, atol=1e-13)
    middle = (u[0, 1:, 1:] + u[0, :-1, 1:] + u[0, 1:, :-1] + u[0, :-1, :-1]) / 4
    residual = jax.jit(PoissonFactors.residual)(factors, found[:1], 13 * middle[None])
    assert float(jnp.sqrt(jnp.mean(residual**2))) <= 0.3 * float(jnp.sqrt(jnp.mean(f[0] ** 2)))
    with pytest.raises(ValueError, match="take 65"):
        PoissonFactors.of((Axis(0.0, 1.0, 128),) * 2)


@pytest.mark.slow
def test_the_deviation_is_that_of_the_process_given_all_points():
    axes = (Axis(0.0, 1.0, 16), Axis(0.0, 2.0, 19))
    told = Collocation.of(poisson(2), axes, [DIRICHLET] * 2, lambda x, y: jnp.sin(3 * x + 1) * jnp.cos(2 * y + x))
    kernels = [plain_kernel(axis, "matern52", 1 / (axis.n - 1)) for axis in axes]
    whole = solve_gram(told, kernels)
    u = jnp.zeros(told.shape)
    for axis, data in enumerate(told.data):
        u = jnp.moveaxis(jnp.moveaxis(u, axis, 0).at[jnp.array([0, -1])].set(data), 0, axis)
    found = PoissonFactors.of(axes).deviation(-told.source[None], u[None])[0]
    exact = whole.deviation([axis.points for axis in axes])
    # Where the values are given both are the nugget's rounding, or zero.
    np.testing.assert_allclose(found[1:-1, 1:-1], exact[1:-1, 1:-1], rtol=1e-6)


@pytest.mark.slow
def test_the_generator():
    generator = GPPoisson((17, 25), modes=4)
    assert hash(generator) == hash(dataclasses.replace(generator))
    keys = jax.random.split(jax.random.key(0), 3)
    made = jax.jit(jax.vmap(generator))(keys)
    assert set(made) == set(generator.fields)
    assert all(field.shape == (3, 1, 17, 25) and bool(jnp.isfinite(field).all()) for field in made.values())
    # The same functions on a finer grid, solved better: what is left between them is the error of the coarse one.
    fine = jax.jit(jax.vmap(dataclasses.replace(generator, shape=(33, 49))))(keys)
    cut = {name: jax.vmap(lambda u: generator.restrict(u, (17, 25)))(u) for name, u in fine.items()}
    for name in ("source", "boundary"):
        np.testing.assert_allclose(cut[name], made[name], atol=1e-10 * float(jnp.abs(made[name]).max()))
    error = relative(made["solution"][:, 0], cut["solution"][:, 0])
    assert 1e-6 < error <= 1e-2
    assert float(jnp.abs(fine["residual"]).max()) < float(jnp.abs(made["residual"]).max())
    assert bool(jnp.all(made["solution"][:, 0, 0] == made["boundary"][:, 0, 0]))
    assert 0.05 < float(made["boundary"][:, 0, 0].std()) < 1
    one = {name: field[0] for name, field in made.items()}
    np.testing.assert_allclose(
        generator.solve(one, generator.grid)["solution"], one["solution"], rtol=1e-12, atol=1e-13
    )


@pytest.mark.parametrize("modes", [2, 16])
def test_the_deviation_asked_for_is_that_over_the_sides(modes):
    generator = GPPoisson((33, 65), modes=modes, boundary=0.3)
    values = jax.jit(jax.vmap(generator.sides))(jax.random.split(jax.random.key(5), 4000))[:, 0]
    sides = values[:, 0], values[:, -1], values[..., 0], values[..., -1]
    # Each has the same share; the ends of a side count half. 4000 fields of few modes: 1 % of scatter.
    squares = [jnp.mean((u[:, 1:] ** 2 + u[:, :-1] ** 2) / 2) for u in sides]
    assert float(jnp.sqrt(sum(squares) / 4)) == pytest.approx(0.3, rel=0.05)


def test_the_blend_of_sides():
    x, y = np.linspace(0, 1, 9), np.linspace(0, 1, 12)
    told = jnp.asarray(np.add.outer(x**3, np.cos(4 * y)))[None]  # sums over axes are their own blends
    np.testing.assert_allclose(blend_of_sides(told.at[:, 1:-1, 1:-1].set(7), x, y), told, atol=1e-15)


def test_what_the_generator_refuses_and_leaves_out():
    assert set(GPPoisson((33, 33), modes=4, boundary=0.0).inputs) == {"source"}
    generator = GPPoisson((65, 65))
    assert generator.resolves((33, 17)) and not generator.resolves((32, 33))
    assert generator.solver_shape((33, 129)) == (65, 129)
    for arguments, message in (
        ({"shape": (17, 17)}, "half the points"),
        ({"length_scale": 0.0}, "length_scale: got 0.0"),
        ({"length_scale": 500.0}, "length_scale: got 500.0 with"),
        ({"boundary": -1.0}, "boundary: got -1.0"),
        ({"modes": 1}, "modes: got 1, wanted 2 or more"),
        ({"shape": (65,)}, "shape: got"),
        ({"shape": (60, 60)}, "points: got 60 per axis"),
    ):
        with pytest.raises(ValueError, match=message):
            GPPoisson(**arguments)
