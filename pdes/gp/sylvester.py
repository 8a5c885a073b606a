"""Separable linear systems: (A_1 x I x I + I x A_2 x I + I x I x A_3 + c) u = r, with factors made once."""

import dataclasses
import string
from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np
import scipy.linalg
from jaxtyping import Array, Float, Inexact

from .kronecker import apply_all, apply_along

# Beyond this condition of the eigenvectors their solutions lose what a step of refinement brings back.
_CONDITION = 1e7


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class SeparableSolver:
    """Solves by the eigenvectors A_j = P_j L_j P_j^-1: two products along every axis, and refinement.

        u = P ((P^-1 r) / (l_i + l_j + l_k + c))

    Made on the host by `of`; a pytree, so that one program serves all matrices of a size. Batches go through
    `jax.vmap` or leading axes of `solve_many`, and the shift c is free.

    Args:
        matrices: A_j.
        vectors, inverses: P_j and P_j^-1; real where all eigenvalues are.
        values: of A_j.
    """

    matrices: tuple[Float[Array, "_ _"], ...]
    vectors: tuple[Inexact[Array, "_ _"], ...]
    inverses: tuple[Inexact[Array, "_ _"], ...]
    values: tuple[Inexact[Array, "_"], ...]

    @classmethod
    def of(cls, matrices: Sequence[Float[np.ndarray, "_ _"]]) -> "SeparableSolver":
        """Factors every matrix once; equal ones are factored together.

        Raises:
            ValueError: for eigenvectors that are too close to dependent, as those of matrices near triangular are.
        """
        found: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []
        for j, matrix in enumerate(matrices):
            same = next((i for i in range(j) if np.array_equal(matrices[i], matrix)), None)
            found.append(found[same] if same is not None else _eigen(np.asarray(matrix)))
        condition = max(np.linalg.norm(p, 1) * np.linalg.norm(q, 1) for p, q, _ in found)
        if not condition <= _CONDITION:
            raise ValueError(f"matrices: got eigenvectors of condition {condition:.1e}, wanted at most {_CONDITION:g}")
        parts = [tuple(jnp.asarray(part) for part in parts) for parts in zip(*found, strict=True)]
        return cls(tuple(map(jnp.asarray, matrices)), *parts)

    @property
    def real(self) -> bool:
        """Whether all eigenvalues are, which makes the products four times cheaper."""
        return not any(jnp.iscomplexobj(values) for values in self.values)

    def solve(
        self, right: Float[Array, "..."], shift: float | Array = 0.0, refinements: int = 1
    ) -> Float[Array, "..."]:
        """u of one right side r [n_1, .., n_d]."""
        u = self._once(right, shift)
        for _ in range(refinements):
            u = u + self._once(right - self.apply(u, shift), shift)
        return u

    def solve_many(self, right: Float[Array, "b ..."], shift: float = 0.0) -> Float[Array, "b ..."]:
        """u of many right sides, without refinement: two matrix products along every axis."""
        ndim = len(self.values)
        letters, new = string.ascii_lowercase[:ndim], string.ascii_uppercase[:ndim]
        for factors, divide in ((self.inverses, True), (self.vectors, False)):
            for axis in range(ndim):
                lines = f"z{letters}"
                out = lines.replace(letters[axis], new[axis])
                right = jnp.einsum(f"{new[axis]}{letters[axis]},{lines}->{out}", factors[axis], right)
            if divide:
                right = right / self._sums(shift)[None]
        return right.real

    def apply(self, u: Float[Array, "..."], shift: float | Array = 0.0) -> Float[Array, "..."]:
        """The left side."""
        return sum((apply_along(a, u, axis) for axis, a in enumerate(self.matrices)), shift * u)

    def _once(self, right: jax.Array, shift: float | Array) -> jax.Array:
        return apply_all(self.vectors, apply_all(self.inverses, right) / self._sums(shift)).real

    def _sums(self, shift: float | Array) -> jax.Array:
        ndim = len(self.values)
        grids = [v.reshape([-1 if i == axis else 1 for i in range(ndim)]) for axis, v in enumerate(self.values)]
        total = grids[0] + shift
        for grid in grids[1:]:
            shape = np.broadcast_shapes(total.shape, grid.shape)
            total = jnp.broadcast_to(total, shape) + jnp.broadcast_to(grid, shape)
        return total


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class SchurSolver:
    """A u + u B^T + c u = r by the Schur forms A = Q S Q^H, B = V T V^H: stable for every A and B of a solvable system.

    One triangular solve per column of u, one after the other (Bartels and Stewart).

    Args:
        left, right: S and T, upper triangular.
        left_vectors, right_vectors: Q and V, unitary.
    """

    left: Inexact[Array, "n n"]
    right: Inexact[Array, "m m"]
    left_vectors: Inexact[Array, "n n"]
    right_vectors: Inexact[Array, "m m"]

    @classmethod
    def of(cls, matrices: Sequence[Float[np.ndarray, "_ _"]]) -> "SchurSolver":
        """Factors two matrices."""
        forms = [scipy.linalg.schur(np.asarray(a), output="complex") for a in matrices]
        left, right = ((jnp.asarray(form[0]), jnp.asarray(form[1])) for form in forms)
        return cls(left[0], right[0], left[1], right[1])

    def solve(self, right: Float[Array, "n m"], shift: float | Array = 0.0) -> Float[Array, "n m"]:
        """u of one right side."""
        rotated = self.left_vectors.conj().T @ right @ self.right_vectors.conj()
        n, m = rotated.shape

        def column(found: jax.Array, k: jax.Array) -> tuple[jax.Array, None]:
            known = rotated[:, k] - found @ self.right[k]  # columns below k are still zero
            system = self.left + (self.right[k, k] + shift) * jnp.eye(n)
            return found.at[:, k].set(jax.scipy.linalg.solve_triangular(system, known)), None

        found, _ = jax.lax.scan(column, jnp.zeros_like(rotated), jnp.arange(m)[::-1])
        return (self.left_vectors @ found @ self.right_vectors.T).real


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class DenseSolver:
    """One axis, (A + c) u = r: by the LU factors of its matrix, which are made for one c.

    Args:
        factor, pivots: of A + c I.
    """

    factor: Float[Array, "n n"]
    pivots: Array

    @classmethod
    def of(cls, matrix: Float[np.ndarray, "n n"]) -> "DenseSolver":
        """Factors a matrix with its shift."""
        return cls(*jax.scipy.linalg.lu_factor(jnp.asarray(matrix)))

    def solve(self, right: Float[Array, "n"], shift: float | Array = 0.0) -> Float[Array, "n"]:
        """u of one right side."""
        del shift  # in the factors
        return jax.scipy.linalg.lu_solve((self.factor, self.pivots), right)


def separable_solver(
    matrices: Sequence[Float[np.ndarray, "_ _"]], shift: float = 0.0
) -> DenseSolver | SeparableSolver | SchurSolver:
    """Of one axis by LU factors; else by eigenvectors where they are well conditioned, or, of two axes, by Schur forms.

    Args:
        matrices: one per axis.
        shift: that will be asked for; other ones need more than one axis.

    Raises:
        ValueError: for three axes without well conditioned eigenvectors.
    """
    if len(matrices) == 1:
        return DenseSolver.of(matrices[0] + shift * np.eye(len(matrices[0])))
    try:
        return SeparableSolver.of(matrices)
    except ValueError:
        if len(matrices) != 2:
            raise
        return SchurSolver.of(matrices)


def _eigen(matrix: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    values, vectors = np.linalg.eig(matrix)
    try:
        return vectors, np.linalg.inv(vectors), values
    except np.linalg.LinAlgError:
        return vectors, np.full_like(vectors, np.inf), values
