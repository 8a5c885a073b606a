"""Toeplitz, Kronecker and separable systems against dense ones."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.scipy.linalg import cho_solve

from pdes.gp.axis import Axis, AxisModel
from pdes.gp.kernels import SpectralMixture
from pdes.gp.kronecker import apply_all, apply_along
from pdes.gp.sylvester import SchurSolver, SeparableSolver, separable_solver
from pdes.gp.toeplitz import diagonal_sums, outer_sums, product, solve_and_logdet, toeplitz

pytestmark = pytest.mark.usefixtures("x64")
RNG = np.random.default_rng(0)


def dense(matrices):
    total = np.eye(1)
    for matrix in matrices:
        total = np.kron(total, matrix)
    return total


@pytest.mark.parametrize("shape", [(5, 4), (3, 4, 5)])
def test_kronecker_products_are_those_of_the_dense_one(shape):
    matrices, u = [RNG.normal(size=(n + 1, n)) for n in shape], RNG.normal(size=shape)
    found = apply_all([jnp.asarray(a) for a in matrices], jnp.asarray(u))
    np.testing.assert_allclose(found.ravel(), dense(matrices) @ u.ravel(), rtol=1e-11, atol=1e-12)


def test_a_derivative_along_an_axis_is_that_of_the_dense_process():
    kernel = SpectralMixture.of([1.0, 0.5], 2.0, [0.0, 1.0], "matern52")
    models = [AxisModel.of(Axis(0.0, 1.0, n), kernel, [1]) for n in (5, 4)]
    k = [np.asarray(m.factor @ m.factor.T) for m in models]
    d = np.asarray(toeplitz(kernel.derivatives(jnp.asarray(models[0].axis.lags), 1)[1], -1))
    u = RNG.normal(size=(5, 4))
    expected = dense([d, k[1]]) @ np.linalg.solve(dense(k), u.ravel())
    found = apply_along(models[0].derivatives[1], jnp.asarray(u), 0)
    np.testing.assert_allclose(found.ravel(), expected, rtol=1e-8, atol=1e-8 * np.abs(expected).max())


def test_parity_and_constants():
    kernel = SpectralMixture.of([1.0, 0.5], 1 / 200, [0.0, 3.0], "matern52")
    model = AxisModel.of(Axis(0.0, 1.0, 40), kernel, [1, 2])
    even, odd, second = (
        toeplitz(row, (-1) ** p) for p, row in enumerate(kernel.derivatives(jnp.asarray(model.axis.lags), 2))
    )
    np.testing.assert_array_equal(odd, -odd.T)
    np.testing.assert_array_equal(second, second.T)
    assert np.linalg.eigvalsh(even).min() >= -1e-12 * float(kernel.variance)
    # A component without frequency and with a long scale: constants have no slope.
    assert float(jnp.abs(model.derivatives[1] @ jnp.ones(40)).max()) < 1e-6


@pytest.mark.parametrize("parity", [1, -1])
def test_gradients_in_the_lags_are_sums_of_diagonals(parity):
    matrix, lags = RNG.normal(size=(20, 20)), RNG.normal(size=20)
    plain = jax.grad(lambda c: jnp.sum(jnp.asarray(matrix) * toeplitz(c, parity)))(jnp.asarray(lags))
    # Of an odd function the value at lag 0 does not matter; `toeplitz` takes it as the diagonal.
    np.testing.assert_allclose(diagonal_sums(jnp.asarray(matrix), parity), plain, rtol=1e-12, atol=1e-13)
    a, b = jnp.asarray(RNG.normal(size=(2, 20, 1)))
    np.testing.assert_allclose(outer_sums(a, b, parity), diagonal_sums(a @ b.T, parity), rtol=1e-11, atol=1e-12)


@pytest.mark.parametrize("columns", [1, 5])
def test_hand_written_gradients_are_those_of_automatic_differentiation(columns):
    n = 40
    kernel = SpectralMixture.of([0.5, 0.5], 1.0, [3.0, 5.0], "matern52")
    lags, slopes = kernel.derivatives(jnp.linspace(0, 1, n), 1)
    u, w = jnp.asarray(RNG.normal(size=(n, columns))), jnp.asarray(RNG.normal(size=(n, columns)))

    def by_hand(lags, slopes, u):
        solution, logdet = solve_and_logdet(lags.at[0].add(1e-6), u)
        return jnp.sum(w * product(slopes, solution, -1) ** 2) + logdet

    def plain(lags, slopes, u):
        factor = jnp.linalg.cholesky(toeplitz(lags.at[0].add(1e-6)))
        solution = toeplitz(slopes, -1) @ cho_solve((factor, True), u)
        return jnp.sum(w * solution**2) + 2 * jnp.sum(jnp.log(jnp.diagonal(factor)))

    for mine, theirs in zip(*(jax.jit(jax.grad(f, (0, 1, 2)))(lags, slopes, u) for f in (by_hand, plain)), strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=1e-6, atol=1e-6 * float(jnp.abs(theirs).max()))
    logdet = [jax.jit(jax.grad(f))(lags, 0 * slopes, u) for f in (by_hand, plain)]
    np.testing.assert_allclose(*logdet, atol=1e-6 * float(jnp.abs(logdet[1]).max()))


def test_separable_systems():
    """By eigenvectors in two and three dimensions, one by one and many at once; by Schur forms where there are none."""
    matrices = [np.diag(np.arange(1.0, n + 1)) + 0.1 * RNG.normal(size=(n, n)) for n in (6, 5, 4)]
    # Conjugate pairs beside real values, and matrices that are the same from both ends, of even and odd size.
    pairs = [a + 2 * (np.eye(len(a), k=1) - np.eye(len(a), k=-1)) for a in matrices]
    turned = [a + a[::-1, ::-1] for a in pairs]
    for chosen, real in ((matrices[:2], True), (matrices, True), (pairs, False), (turned[:2], False)):
        solver = SeparableSolver.of(chosen)
        assert solver.real == real
        u = jnp.asarray(RNG.normal(size=[len(a) for a in chosen]))
        right = 0.7 * u + sum(apply_along(jnp.asarray(a), u, axis) for axis, a in enumerate(chosen))
        np.testing.assert_allclose(solver.solve(right, 0.7), u, rtol=1e-10, atol=1e-11)
        many = jnp.stack([right, 3 * right])
        np.testing.assert_allclose(solver.solve_many(many, 0.7), jnp.stack([u, 3 * u]), rtol=1e-10, atol=1e-11)
    shifts = [np.eye(n) + np.diag(np.ones(n - 1), 1) for n in (12, 11)]
    solver = separable_solver(shifts)
    assert isinstance(solver, SchurSolver)
    u = RNG.normal(size=(12, 11))
    right = apply_all([jnp.asarray(shifts[0])], jnp.asarray(u)) + u @ shifts[1].T + 0.5 * u
    np.testing.assert_allclose(solver.solve(right, 0.5), u, rtol=1e-10, atol=1e-11)
    with pytest.raises(ValueError, match="eigenvectors of condition"):
        separable_solver([*shifts, shifts[0]])
