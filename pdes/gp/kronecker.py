"""Kronecker products of small matrices, one per axis, applied and solved with without being formed."""

import dataclasses
from collections.abc import Sequence

import jax
import jax.numpy as jnp
from jax.scipy.linalg import cho_solve
from jaxtyping import Array, Float, Inexact


def apply_along(matrix: Inexact[Array, "m n"], u: Inexact[Array, "..."], axis: int) -> Inexact[Array, "..."]:
    """The matrix times every line of u along an axis."""
    return jnp.moveaxis(jnp.tensordot(matrix, u, (1, axis)), 0, axis)


def apply_all(matrices: Sequence[Inexact[Array, "_ _"]], u: Inexact[Array, "..."]) -> Inexact[Array, "..."]:
    """(A_1 x .. x A_d) vec u: every matrix along its axis."""
    for axis, matrix in enumerate(matrices):
        u = apply_along(matrix, u, axis)
    return u


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class KroneckerCholesky:
    """The covariance C_1 x .. x C_d of a field u[M_1, .., M_d] by the Cholesky factors of its axes.

    O(sum M_j^3) to make, O(M sum M_j) to solve. A pytree: batches go through `jax.vmap`.

    Args:
        factors: lower Cholesky factor of every C_j.
    """

    factors: tuple[Float[Array, "_ _"], ...]

    @classmethod
    def of(cls, matrices: Sequence[Float[Array, "_ _"]]) -> "KroneckerCholesky":
        """From the covariances of the axes; factors are not numbers where one is not positive definite."""
        return cls(tuple(jnp.linalg.cholesky(matrix) for matrix in matrices))

    def solve_along(self, u: Float[Array, "..."], axis: int) -> Float[Array, "..."]:
        """C_j^-1 along one axis."""
        lines = jnp.moveaxis(u, axis, 0)
        solved = cho_solve((self.factors[axis], True), lines.reshape(lines.shape[0], -1))
        return jnp.moveaxis(solved.reshape(lines.shape), 0, axis)

    def solve(self, u: Float[Array, "..."]) -> Float[Array, "..."]:
        """C^-1 u."""
        for axis in range(len(self.factors)):
            u = self.solve_along(u, axis)
        return u

    def logdet(self) -> Float[Array, ""]:
        """log |C| = sum_j M / M_j log |C_j|."""
        sizes = [factor.shape[0] for factor in self.factors]
        total = jnp.prod(jnp.asarray(sizes, float))
        logs = [2 * jnp.sum(jnp.log(jnp.diagonal(factor))) for factor in self.factors]
        return jnp.sum(jnp.stack([total / n * log for n, log in zip(sizes, logs, strict=True)]))

    def quad(self, u: Float[Array, "..."]) -> Float[Array, ""]:
        """u^T C^-1 u."""
        return jnp.vdot(u, self.solve(u))
