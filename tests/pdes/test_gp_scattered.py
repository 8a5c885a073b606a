"""Kernel collocation on scattered points: kernels, orders, sparse factors, and solutions in domains of any shape."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from benchmarks.gp_scattered import EQUATIONS, dense, solution
from pdes.gp.equations import advection, allen_cahn, cubic_elliptic, poisson
from pdes.gp.scattered.domains import DOMAINS, Polygon, Star
from pdes.gp.scattered.matern import ORDERS, Functionals, Matern
from pdes.gp.scattered.ordering import earlier_neighbours, maximin
from pdes.gp.scattered.problem import Scattered
from pdes.gp.scattered.solver import solve_scattered
from pdes.gp.scattered.vecchia import SparseFactor

pytestmark = pytest.mark.usefixtures("x64")


def random_functionals(n, d=2):
    random = np.random.default_rng(0)
    return Functionals(random.random((n, d)), *(random.normal(size=shape) for shape in ((n,), (n, d), (n,))))


def relative(found, truth):
    return float(np.linalg.norm(found - truth) / np.linalg.norm(truth))


def solved(domain, equation, n, reach):
    problem = Scattered.of(equation, *DOMAINS[domain].points(n), solution)
    return problem, solve_scattered(problem, Matern(0.6), reach), np.asarray(solution(*jnp.asarray(problem.interior).T))


@pytest.mark.parametrize("envelope", ORDERS)
def test_covariances_are_derivatives_of_the_kernel(envelope):
    """Against differences of the kernel itself on crosses of five points around both ends."""
    kernel, two, h = Matern(0.8, envelope), random_functionals(2), 1e-3
    cross = h * np.array([[0, 0], [1, 0], [-1, 0], [0, 1], [0, -1]])
    stencils = []
    for value, slope, laplacian in zip(*two[1:], strict=True):
        second = laplacian / h**2
        sides = [second + sign * s / (2 * h) for s in slope for sign in (1, -1)]
        stencils.append(np.array([value - 4 * second, *sides]))
    around = [jnp.asarray(x + cross) for x in two.points]
    zero = jnp.zeros(5)
    plain = kernel.covariance(*(Functionals(x, zero + 1, jnp.zeros((5, 2)), zero) for x in around))
    wanted = stencils[0] @ np.asarray(plain) @ stencils[1]
    found = kernel.covariance(*(Functionals(*(jnp.asarray(p[i : i + 1]) for p in two)) for i in range(2)))
    # Differences of order h^2, and rounding / h^4.
    np.testing.assert_allclose(found[0, 0], wanted, rtol=3e-4)


@pytest.mark.slow
@pytest.mark.parametrize(("envelope", "d"), [("matern52", 2), ("matern72", 3), ("matern92", 1)])
def test_covariances_are_those_of_automatic_differentiation(envelope, d):
    kernel, two = Matern(0.4, envelope), random_functionals(2, d)
    left, right = (Functionals(*(jnp.asarray(p[i : i + 1]) for p in two)) for i in range(2))

    def plain(x, y):
        ends = (Functionals(z[None], jnp.ones(1), jnp.zeros((1, d)), jnp.zeros(1)) for z in (x, y))
        return kernel.covariance(*ends)[0, 0]

    def applied(function, f):
        def at(x):
            curved = jnp.trace(jax.hessian(function)(x))
            return f.value[0] * function(x) + f.slope[0] @ jax.grad(function)(x) + f.laplacian[0] * curved

        return at

    twice = applied(lambda x: applied(lambda y: plain(x, y), right)(right.points[0]), left)
    np.testing.assert_allclose(kernel.covariance(left, right)[0, 0], jax.jit(twice)(left.points[0]), rtol=1e-10)


def test_the_order_is_that_of_the_farthest_point():
    points = np.random.default_rng(1).random((60, 2))
    order, lengths = maximin(points)
    assert sorted(order) == list(range(60))
    for k in range(1, 60):
        distances = np.linalg.norm(points[:, None] - points[order[:k]], axis=-1).min(1)
        np.testing.assert_allclose([distances[order[k]], distances.max()], lengths[k], rtol=1e-12)
    radii = 2 * lengths
    gaps = np.linalg.norm(points[order][:, None] - points[order], axis=-1)
    wanted = np.argwhere((gaps <= radii[:, None]) & np.tri(60, k=-1, dtype=bool))
    found = np.stack(earlier_neighbours(points[order], radii), 1)
    assert sorted(map(tuple, found)) == sorted(map(tuple, wanted))


def test_a_factor_of_the_whole_pattern_is_the_inverse():
    kernel, some = Matern(0.3), random_functionals(12)
    covariance = np.asarray(kernel.covariance(*(Functionals(*map(jnp.asarray, some)),) * 2))
    factor = SparseFactor.of(kernel, some, *np.tril_indices(12, -1))
    v = np.random.default_rng(2).normal(size=12)
    np.testing.assert_allclose(factor.solve(covariance @ v), v, atol=1e-6)
    np.testing.assert_allclose(factor.multiply(v), covariance @ v, rtol=1e-8)
    # A pattern without neighbours knows the variances alone.
    alone = SparseFactor.of(kernel, some, np.zeros(0, int), np.zeros(0, int))
    np.testing.assert_allclose(alone.solve(np.ones(12)), 1 / np.diagonal(covariance), rtol=1e-10)


def test_a_star():
    """A small one every day: -Lap u + u^3 = f against its solution, at its points and elsewhere."""
    problem, found, truth = solved("star", cubic_elliptic(2), 600, 2.0)
    assert 1 < found.steps <= 6 and max(found.iterations) <= 60
    assert relative(found.values, truth) <= 1e-2
    others = DOMAINS["star"].points(300)[0]
    assert relative(found(others), np.asarray(solution(*jnp.asarray(others).T))) <= 2e-2
    # The equation holds for what the process says of its Laplacian.
    np.testing.assert_allclose(found.operator + found.values**3, problem.source, atol=1e-4 * abs(problem.source).max())


@pytest.mark.slow
def test_the_factor_comes_to_the_dense_process_with_the_reach():
    problem = Scattered.of(poisson(2), *DOMAINS["disc"].points(400), solution)
    kernel = Matern(0.6, "matern52")
    whole = dense(problem, kernel)
    distances = [
        relative(solve_scattered(problem, kernel, reach).values, whole) for reach in (2.0, 3.0, 4.0, 6.0, 50.0)
    ]
    # Exponential: at least a half for each step of 1; exact with all neighbours, but for rounding.
    assert all(b < 0.6 * a for a, b in itertools.pairwise(distances)), distances
    assert distances[-1] < 1e-5


@pytest.mark.slow
@pytest.mark.parametrize("domain", DOMAINS)
@pytest.mark.parametrize("equation", EQUATIONS)
def test_domains_and_equations(domain, equation):
    errors, iterations = [], []
    for n in (500, 2000):
        _, found, truth = solved(domain, EQUATIONS[equation], n, 3.0)
        errors.append(relative(found.values, truth))
        iterations.append(max(found.iterations))
    # Four times the points: 1.0 to 1.4 times the iterations.
    assert iterations[1] <= 1.6 * iterations[0] and iterations[0] <= 100, iterations
    # Order 2 or more in the distance of points.
    assert errors[1] <= 2e-2 and errors[1] < 0.5 * errors[0], errors


@pytest.mark.slow
def test_a_ball_in_three_dimensions():
    def truth(x, y, z):
        return jnp.sin(2 * x) * jnp.cos(y) + z * y

    random, i = np.random.default_rng(0), np.arange(300) + 0.5
    box = random.uniform(-1, 1, (2000, 3))
    inside = box[np.linalg.norm(box, axis=1) < 0.93]
    height, turn = 1 - 2 * i / 300, np.pi * (1 + 5**0.5) * i
    around = np.sqrt(1 - height**2)
    sphere = np.stack([around * np.cos(turn), around * np.sin(turn), height], 1)
    found = solve_scattered(Scattered.of(cubic_elliptic(3), inside, sphere, truth), Matern(1.5), 2.5)
    assert relative(found.values, np.asarray(truth(*inside.T))) <= 5e-3
    assert relative(found(0.5 * sphere[:20]), np.asarray(truth(*(0.5 * sphere[:20]).T))) <= 1e-2


@pytest.mark.parametrize("domain", DOMAINS)
def test_points_of_domains(domain):
    inside, boundary = DOMAINS[domain].points(400)
    assert 300 < len(inside) <= 420
    assert DOMAINS[domain].inside(inside).all()
    assert not DOMAINS[domain].inside(boundary * (1 + 1e-6) - 1e-7).all()
    gaps = np.linalg.norm(inside[:, None] - np.concatenate([inside, boundary]), axis=-1)
    assert np.sort(gaps, 1)[:, 1].min() > 0.2 * np.median(np.sort(gaps, 1)[:, 1])


def test_points_on_each_other_and_flat_ones_are_refused():
    inside, boundary = DOMAINS["disc"].points(40)

    def told(inside, boundary):
        return Scattered(poisson(2), inside, boundary, np.ones(len(inside)), np.zeros(len(boundary)))

    line, holes = np.stack([np.arange(5.0), 2 * np.arange(5.0)], 1), inside.copy()
    holes[7, 1] = np.nan
    for points, message in (
        (
            (np.concatenate([inside, boundary[3:4] + 1e-13]), boundary),
            f"interior row {len(inside)} and boundary row 3,",
        ),
        ((np.concatenate([inside, inside[2:3]]), boundary), f"interior row 2 and interior row {len(inside)},"),
        ((inside, np.concatenate([boundary, boundary[:1], boundary[:1]])), "boundary row 0 and boundary row"),
        ((line[:3], line[3:]), "got 5 on one line, wanted 3 or more"),
        ((inside[:1], boundary[:1]), "got 2 on one line, wanted 3 or more"),
        ((holes, boundary), r"interior: got \[.* nan\] with 1.0 in row 7, wanted finite"),
    ):
        with pytest.raises(ValueError, match=message):
            told(*points)
    assert told(inside.astype(np.float32), boundary).interior.dtype == np.float64


def test_what_is_refused():
    inside, boundary = DOMAINS["disc"].points(40)
    told = Scattered.of(poisson(2), inside, boundary, solution)
    for call, message in (
        (lambda: Matern(0.1, "matern32"), "envelope: got 'matern32'"),
        (lambda: Matern(-1.0), "scale: got -1.0"),
        (lambda: Star(1.0, 2.0), "radius, depth: got"),
        (lambda: Polygon().points(3), "points: got 3"),
        (lambda: Scattered.of(advection(2.0), inside, boundary, solution), "multiple of the Laplacian"),
        (lambda: Scattered.of(allen_cahn(1), inside, boundary, solution), "equation: got 1 dimensions"),
        (lambda: Scattered(poisson(3), inside, boundary, inside[:, 0], boundary[:, 0]), "interior: got points"),
        (lambda: solve_scattered(told, Matern(0.5), 0.5), "reach: got 0.5"),
        (lambda: maximin(np.array([[0.0, 1.0], [1.0, 0.0], [0.0, 1.0]])), "twice"),
    ):
        with pytest.raises(ValueError, match=message):
            call()
