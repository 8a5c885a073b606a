"""Toeplitz matrices by their lags: products, solves and log-determinants with gradients that stay with the lags."""

import functools

import jax
import jax.numpy as jnp
from jax.scipy.linalg import cho_solve
from jaxtyping import Array, Float

from spectral.transforms import irfftn, rfftn


def toeplitz(lags: Float[Array, "n"], parity: int = 1) -> Float[Array, "n n"]:
    """The matrix T_ij = c(i - j) of a function of the lag that is even (parity 1) or odd (-1).

    Args:
        lags: c at 0, 1 .. n - 1.
        parity: of c.
    """
    n = lags.shape[0]
    both = jnp.concatenate([parity * lags[:0:-1], lags])
    return both[jnp.arange(n)[:, None] - jnp.arange(n)[None, :] + n - 1]


def diagonal_sums(matrix: Float[Array, "n n"], parity: int = 1) -> Float[Array, "n"]:
    """The adjoint of `toeplitz`: sum_ij M_ij dT_ij / dc_k, the k-th diagonals summed, below plus parity above."""
    n = matrix.shape[0]
    # Rows of 2 n numbers read as rows of 2 n + 1: each begins one earlier, and diagonals become columns.
    sheared = jnp.pad(jnp.pad(matrix, ((0, 0), (0, n))).ravel(), (0, n)).reshape(n, 2 * n + 1)
    return _fold(sheared.sum(0), n, parity)


def outer_sums(a: Float[Array, "n m"], b: Float[Array, "n m"], parity: int = 1) -> Float[Array, "n"]:
    """`diagonal_sums(a @ b.T)`; of few columns by Fourier transforms, without the matrix."""
    n, m = a.shape
    if 16 * m > n:
        return diagonal_sums(a @ b.T, parity)
    spectra = [rfftn(jnp.pad(v, ((0, n), (0, 0))), (0,)) for v in (a, b)]
    # In amplitudes the transform of a correlation is their product times the number of points.
    correlation = 2 * n * irfftn(jnp.sum(spectra[0].conj() * spectra[1], 1), (2 * n,), (0,))
    return _fold(correlation, n, parity)


def _fold(sums: jax.Array, n: int, parity: int) -> jax.Array:
    """Sums over j - i = 0 .. n - 1, with those of -1, -2 .. at the end, as a function of |i - j| = 0 .. n - 1."""
    below = jnp.concatenate([sums[:1], sums[:-n:-1]])
    return below + parity * sums[:n].at[0].set(0)


@functools.partial(jax.custom_vjp, nondiff_argnums=(2,))
def product(lags: Float[Array, "n"], u: Float[Array, "n m"], parity: int = 1) -> Float[Array, "n m"]:
    """T u. The gradient in the lags sums diagonals, where that of `toeplitz` would scatter n^2 numbers."""
    return toeplitz(lags, parity) @ u


def _product_forward(lags, u, parity):
    matrix = toeplitz(lags, parity)
    return matrix @ u, (matrix, u)


def _product_backward(parity, kept, cotangent):
    matrix, u = kept
    return outer_sums(cotangent, u, parity), parity * (matrix @ cotangent)


product.defvjp(_product_forward, _product_backward)


@jax.custom_vjp
def solve_and_logdet(lags: Float[Array, "n"], u: Float[Array, "n m"]) -> tuple[Float[Array, "n m"], Float[Array, ""]]:
    """T^-1 u and log det T of a symmetric positive definite Toeplitz matrix, by one Cholesky factor.

    Its gradients need no inverse: those of log det T are sums of the diagonals of T^-1, which follow from its first
    column alone (Gohberg and Semencul's formula), and those of T^-1 u are products of two solutions.

    Args:
        lags: first column, nugget included.
        u: right sides.

    Returns:
        Solutions and log-determinant; not numbers where T is not positive definite in floating point.
    """
    solution, logdet, _ = _solve(lags, u)
    return solution, logdet


def _solve(lags: jax.Array, u: jax.Array) -> tuple[jax.Array, jax.Array, jax.Array]:
    factor = jnp.linalg.cholesky(toeplitz(lags), symmetrize_input=False)
    return cho_solve((factor, True), u), 2 * jnp.sum(jnp.log(jnp.diagonal(factor))), factor


def _solve_forward(lags, u):
    solution, logdet, factor = _solve(lags, u)
    return (solution, logdet), (factor, solution)


def _solve_backward(kept, cotangents):
    factor, solution = kept
    of_solution, of_logdet = cotangents
    n = factor.shape[0]
    first = jnp.zeros((n, 1), factor.dtype).at[0].set(1)
    back = cho_solve((factor, True), jnp.concatenate([of_solution, first], 1))
    of_u, column = back[:, :-1], back[:, -1]
    # sum_i (T^-1)_(i+k, i) = sum_i (n - k - 2 i) x_i x_(i+k) / x_0 with x the first column.
    count = jnp.arange(n, dtype=column.dtype)
    plain = outer_sums(column[:, None], column[:, None], 0)
    weighted = outer_sums(column[:, None], (count * column)[:, None], 0)
    inverse = ((n - count) * plain - 2 * weighted) / column[0]
    inverse = jnp.where(count == 0, inverse, 2 * inverse)
    return of_logdet * inverse - outer_sums(of_u, solution), of_u


solve_and_logdet.defvjp(_solve_forward, _solve_backward)
