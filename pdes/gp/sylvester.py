"""Separable linear systems: (A_1 x I x I + I x A_2 x I + I x I x A_3 + c) u = r, with factors made once."""

import dataclasses
import string
from collections.abc import Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import scipy.linalg
from jaxtyping import Array, Float, Inexact

# Beyond this condition of the eigenvectors their solutions lose what a step of refinement brings back.
_CONDITION = 1e7


class Modes(NamedTuple):
    """A = V B V^-1 with a real V and blocks B of one or two: a real eigenvalue, or the parts of a conjugate pair.

    The products are those of real matrices, a quarter of complex ones, and pairs are taken apart one by one in between.

    Args:
        vectors, inverse: V, of whose columns a pair has the real and the imaginary part of one vector, and V^-1.
        values: eigenvalues.
        pairs: None where all are real; else of every mode the other of its pair, or itself, and the factors of the two
            that make complex coefficients of real ones, and real ones of those.
    """

    vectors: Float[Array, "n n"]
    inverse: Float[Array, "n n"]
    values: Inexact[Array, "n"]
    pairs: tuple[Array, Array, Array] | None

    @classmethod
    def of(
        cls, vectors: Inexact[np.ndarray, "n n"], inverse: Inexact[np.ndarray, "n n"], values: Inexact[np.ndarray, "n"]
    ) -> "Modes":
        """From complex eigenvectors, pairs side by side with the positive imaginary part first, or real ones."""
        if not np.iscomplexobj(values):
            return cls(jnp.asarray(vectors), jnp.asarray(inverse), jnp.asarray(values), None)
        n, first = len(values), np.flatnonzero(np.imag(values) > 0)
        partner, apart, together = np.arange(n), np.zeros((2, n), complex), np.zeros((2, n), complex)
        partner[first], partner[first + 1] = first + 1, first
        # v c + conj(v) c' = 2 Re(v) x + 2 Im(v) y over 2: c = (x - i y) / 2, c' = (x + i y) / 2.
        apart[0], together[0] = 1, 1
        apart[:, first], apart[:, first + 1] = [[0.5], [-0.5j]], [[0.5j], [0.5]]
        together[:, first], together[:, first + 1] = [[1], [1]], [[-1j], [1j]]
        vectors, inverse = np.array(vectors), np.array(inverse)
        vectors[:, first + 1] = np.imag(vectors[:, first])
        inverse[first + 1] = -2 * np.imag(inverse[first])
        inverse[first] *= 2
        pairs = jnp.asarray(partner), jnp.asarray(apart), jnp.asarray(together)
        return cls(jnp.asarray(np.real(vectors)), jnp.asarray(np.real(inverse)), jnp.asarray(values), pairs)

    def split(self, u: Inexact[Array, "..."], axis: int) -> Inexact[Array, "..."]:
        """Real coefficients along an axis to those of eigenvectors."""
        return u if self.pairs is None else _mix(u, self.pairs[0], self.pairs[1], axis)

    def join(self, u: Inexact[Array, "..."], axis: int) -> Inexact[Array, "..."]:
        """The inverse of it."""
        return u if self.pairs is None else _mix(u, self.pairs[0], self.pairs[2], axis)


def _mix(u: jax.Array, partner: jax.Array, factors: jax.Array, axis: int) -> jax.Array:
    own, other = factors.reshape(2, *(-1 if i == axis else 1 for i in range(u.ndim)))
    return own * u + other * jnp.take(u, partner, axis)


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class SeparableSolver:
    """Solves by the eigenvectors A_j = P_j L_j P_j^-1: two products along every axis.

        u = P ((P^-1 r) / (l_i + l_j + l_k + c))

    Made on the host by `of`; a pytree, so that one program serves all matrices of a size. Batches go through
    `jax.vmap` or leading axes of `solve_many`, and the shift c is free.

    Args:
        modes: eigenvectors of the A_j.
    """

    modes: tuple[Modes, ...]

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
        return cls(tuple(Modes.of(*parts) for parts in found))

    @property
    def real(self) -> bool:
        """Whether all eigenvalues are."""
        return all(modes.pairs is None for modes in self.modes)

    def solve(self, right: Float[Array, "..."], shift: float | Array = 0.0) -> Float[Array, "..."]:
        """u of one right side r [n_1, .., n_d]."""
        return self.solve_many(right[None], shift)[0]

    def solve_many(self, right: Float[Array, "b ..."], shift: float | Array = 0.0) -> Float[Array, "b ..."]:
        """u of many right sides: two matrix products along every axis."""
        for axis, modes in enumerate(self.modes, 1):
            right = _along(modes.inverse, right, axis)
        for axis, modes in enumerate(self.modes, 1):
            right = modes.split(right, axis)
        right = right / self._sums(shift)[None]
        for axis, modes in enumerate(self.modes, 1):
            right = modes.join(right, axis)
        right = right.real
        for axis, modes in enumerate(self.modes, 1):
            right = _along(modes.vectors, right, axis)
        return right

    def _sums(self, shift: float | Array) -> jax.Array:
        ndim = len(self.modes)
        total = jnp.asarray(shift)
        for axis, modes in enumerate(self.modes):
            grid = modes.values.reshape([-1 if i == axis else 1 for i in range(ndim)])
            shape = np.broadcast_shapes(total.shape, grid.shape)
            total = jnp.broadcast_to(total, shape) + jnp.broadcast_to(grid, shape)
        return total


def _along(matrix: jax.Array, u: jax.Array, axis: int) -> jax.Array:
    """The matrix along an axis of a batch, without moving the others."""
    letters = string.ascii_lowercase[: u.ndim]
    return jnp.einsum(f"Z{letters[axis]},{letters}->{letters.replace(letters[axis], 'Z')}", matrix, u)


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
    """Eigenvectors, their inverse, and eigenvalues.

    A matrix that is the same from the other end of the axis, as those of two equal conditions are, keeps even and odd
    vectors apart: two of half the size, a quarter of the work.
    """
    if not np.array_equal(matrix, matrix[::-1, ::-1]):
        return _eigen_of_any(matrix)
    eye = np.eye(len(matrix))
    half = len(matrix) // 2
    even, odd = (eye + eye[::-1])[:, : len(matrix) - half] / np.sqrt(2), (eye - eye[::-1])[:, :half] / np.sqrt(2)
    even[:, half:] /= np.sqrt(2)  # of an odd number of points the one in the middle
    parts = [(_eigen_of_any(basis.T @ matrix @ basis), basis) for basis in (even, odd)]
    vectors, inverses, values = zip(*((basis @ p, q @ basis.T, v) for (p, q, v), basis in parts), strict=True)
    return np.concatenate(vectors, 1), np.concatenate(inverses), np.concatenate(values)


def _eigen_of_any(matrix: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    values, vectors = np.linalg.eig(matrix)
    try:
        return vectors, np.linalg.inv(vectors), values
    except np.linalg.LinAlgError:
        return vectors, np.full_like(vectors, np.inf), values
