"""Darcy problems in batches behind the factors of Poisson's equation, and the generator of them."""

import dataclasses
import itertools

import h5py
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from data.generation import ensure
from data.splits import SplitSpec
from pdes.generators import GPDarcy
from pdes.gp.axis import Axis
from pdes.gp.collocation import DIRICHLET, Collocation
from pdes.gp.darcy import DarcyFactors
from pdes.gp.equations import darcy
from pdes.gp.gram import solve_gram
from pdes.gp.poisson import plain_kernel

pytestmark = pytest.mark.usefixtures("x64")


def permeability(x, y):
    """A ratio of five between the largest and the smallest."""
    return jnp.exp(0.8 * jnp.sin(3 * x + 1) * jnp.cos(2 * y))


def solution(x, y):
    return jnp.sin(5 * x) * jnp.cos(4 * y) + jnp.exp(x * y)


def norm(u):
    return float(jnp.linalg.norm(u))


def manufactured(axes):
    """Permeability, source, sides and solution at the points."""
    points = tuple(jnp.asarray(u) for u in np.meshgrid(*(axis.points for axis in axes), indexing="ij"))
    u = solution(*points)
    return permeability(*points), darcy(permeability, 2).apply(solution, points), u.at[1:-1, 1:-1].set(0), u


def test_a_known_solution_and_its_certificate():
    axes = (Axis(0.0, 1.0, 17), Axis(0.0, 1.0, 17))
    factors = DarcyFactors.of(axes)
    a, f, g, u = manufactured(axes)
    solve = jax.jit(jax.vmap(lambda a, f: factors.solve(a, f, g)))
    found, broken = solve(jnp.stack([a, jnp.exp(40 * jnp.sin(9 * a))]), jnp.stack([f, f]))
    assert norm(found - u) <= 1.5e-3 * norm(u)  # 1.0e-3, falling as h^2.7
    assert bool(jnp.isnan(broken).all())  # a ratio of 1e35 ends no iteration
    centres = [(axis.points[:-1] + axis.points[1:]) / 2 for axis in axes]
    middle = tuple(jnp.asarray(x) for x in np.meshgrid(*centres, indexing="ij"))
    slopes = [jax.vmap(jax.vmap(jax.grad(lambda x, y: jnp.log(permeability(x, y)), i)))(*middle) for i in (0, 1)]
    told = permeability(*middle), tuple(slopes), darcy(permeability, 2).apply(solution, middle)
    right, wrong = (factors.residual(v, *told)[2:-2, 2:-2] for v in (found, found + 1e-2 * jnp.sin(20 * u) * (g == 0)))
    assert norm(right) <= 2e-2 * norm(told[2]) < 0.2 * norm(wrong)


@pytest.mark.slow
def test_errors_fall_and_the_deviation_is_that_of_the_whole_process():
    errors = []
    for n in (17, 33, 65):
        axes = (Axis(0.0, 1.0, n), Axis(0.0, 1.0, n))
        factors = DarcyFactors.of(axes)
        a, f, g, u = manufactured(axes)
        errors.append(norm(factors.solve(a, f, g) - u) / norm(u))
    assert errors[0] <= 1.5e-3 and errors[2] <= 3e-5
    assert all(coarse > 4 * fine for coarse, fine in itertools.pairwise(errors))
    # 25 x 25 points, all of which the certificate takes: the process given the equation itself has about its deviation.
    axes = (Axis(0.0, 1.0, 25), Axis(0.0, 1.0, 25))
    factors = DarcyFactors.of(axes)
    a, f, g, _ = manufactured(axes)
    found = factors.solve(a, f, g)
    told = Collocation.of(darcy(permeability, 2), axes, [DIRICHLET] * 2, solution)
    whole = solve_gram(told, tuple(plain_kernel(axis, "matern52", 1 / (axis.n - 1)) for axis in axes))
    exact = whole.deviation([axis.points for axis in axes])[1:-1, 1:-1]
    ratio = factors.deviation(found, a, f, g)[1:-1, 1:-1] / exact
    assert float(ratio.min()) > 0.7 and float(ratio.max()) < 1.4


@pytest.mark.slow
def test_the_generator(tmp_path):
    generator = GPDarcy((17, 25), modes=4)
    assert hash(generator) == hash(dataclasses.replace(generator))
    made = jax.jit(jax.vmap(generator))(jax.random.split(jax.random.key(0), 3))
    assert set(made) == set(generator.fields)
    assert all(field.shape == (3, 1, 17, 25) and bool(jnp.isfinite(field).all()) for field in made.values())
    # The same functions on a finer grid, solved better: what is left between them is the error of the coarse one.
    fine = jax.jit(jax.vmap(dataclasses.replace(generator, shape=(33, 49))))(jax.random.split(jax.random.key(0), 3))
    cut = {name: jax.vmap(lambda u: generator.restrict(u, (17, 25)))(u) for name, u in fine.items()}
    for name in generator.inputs:
        np.testing.assert_allclose(cut[name], made[name], atol=1e-10 * float(jnp.abs(made[name]).max()))
    assert 1e-6 < norm(made["solution"] - cut["solution"]) / norm(cut["solution"]) <= 1e-2
    one = {name: field[0] for name, field in made.items()}
    found = generator.solve(one, generator.grid)["solution"]
    np.testing.assert_allclose(found, one["solution"], rtol=1e-9, atol=1e-11)  # the iterations' tolerance
    # Bits depend neither on the number of samples nor on who made them.
    paths = [ensure(generator, SplitSpec("train", n, 0, ((17, 25),)), tmp_path / str(n))[17, 25] for n in (2, 5)]
    few, many = (load_solution(path) for path in paths)
    np.testing.assert_array_equal(few, many[:2])


def load_solution(path):
    with h5py.File(path) as file:
        return file["fields/solution"][()]


@pytest.mark.parametrize(("modes", "contrast"), [(2, 0.7), (16, 3.0)])
def test_the_contrast_asked_for_is_that_over_the_square(modes, contrast):
    generator = GPDarcy((33, 33), modes=modes, contrast=contrast)

    def mean_square(key):
        return jnp.mean(generator.series(generator.smooth(key, contrast, "square"), generator.centres) ** 2)

    squares = jax.jit(jax.vmap(mean_square))(jax.random.split(jax.random.key(5), 4000))
    assert float(jnp.sqrt(squares.mean())) == pytest.approx(contrast, rel=0.05)  # 4000 fields: 1 % of scatter


@pytest.mark.slow
@pytest.mark.parametrize(("contrast", "field"), [(22.0, "solution"), (60.0, "permeability")])
def test_a_contrast_beyond_the_iterations_is_refused_by_its_name(tmp_path, contrast, field):
    generator = GPDarcy((9, 9), modes=4, contrast=contrast)
    message = rf"got a {field} that .* the iterations did not converge, or .*; take a smaller contrast"
    with pytest.raises(FloatingPointError, match=message):
        ensure(generator, SplitSpec("train", 2, 0, ((9, 9),)), tmp_path)


def test_what_the_generator_refuses_and_leaves_out():
    small = GPDarcy((33, 33), modes=4, boundary=0.0, scale=0.0)
    assert set(small.inputs) == {"permeability"} and "source" not in small.fields
    assert small.parameters()["source_covariance"] == "none: the source is 1"
    for arguments, message in (
        ({"contrast": 0.0}, "contrast: got 0.0, wanted positive"),
        ({"contrast": float("nan")}, "contrast: got nan"),
        ({"scale": -1.0}, "scale: got -1.0"),
        ({"modes": 1}, "modes: got 1, wanted 2 or more"),
        ({"length_scale": 500.0}, "length_scale: got 500.0 with"),
        ({"shape": (60, 60)}, "points: got 60 per axis"),
    ):
        with pytest.raises(ValueError, match=message):
            GPDarcy(**arguments)
