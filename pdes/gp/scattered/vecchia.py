"""Sparse Cholesky factors of inverse covariances, column by column from small dense ones."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import scipy.sparse
from jaxtyping import Array, Bool, Float, Int
from scipy.sparse.linalg import SuperLU, splu

from .matern import Functionals, Matern

# Relative to variances of 1: tenfold more for columns whose covariance is not positive definite without.
NUGGETS = tuple(10.0**power for power in range(-14, -4))
# Small matrices are filled up to one of these sizes, so that few programs serve all.
_WIDTHS = np.sort(np.concatenate([2 ** np.arange(4, 14), 3 * 2 ** np.arange(3, 13)]))
_CHUNK = 2**20  # numbers in the matrices that are factored at once


@dataclasses.dataclass(frozen=True)
class SparseFactor:
    """Theta^-1 ~ U U^T with an upper triangular U.

    Args:
        factor: U.
    """

    factor: scipy.sparse.csc_array

    @functools.cached_property
    def _triangular(self) -> SuperLU:
        # With these options nothing is moved and nothing filled in.
        options = {"Equil": False, "SymmetricMode": True}
        return splu(self.factor, permc_spec="NATURAL", diag_pivot_thresh=0.0, options=options)

    @classmethod
    def of(
        cls, kernel: Matern, functionals: Functionals, own: Int[np.ndarray, "k"], other: Int[np.ndarray, "k"]
    ) -> "SparseFactor":
        """The factor with a pattern that is nearest to the covariance of functionals.

            U[s, i] = Theta[s, s]^-1 e_i / sqrt(e_i^T Theta[s, s]^-1 e_i),    s = {j: (i, j) in the pattern} and i

        minimises the Kullback-Leibler divergence of N(0, (U U^T)^-1) from N(0, Theta) over all U of that pattern, as
        does Vecchia's product of conditional densities: of i given those before it in s.

        Args:
            kernel: of the process.
            functionals: coarse ones first.
            own, other: pairs i > j.

        Raises:
            ValueError: for functionals that depend on each other, such as a value given twice.

        Source: Schaefer, Katzfuss and Owhadi 2021 (arXiv 2004.14455), theorem 2.1.
        """
        n = len(functionals.value)
        order = np.argsort(own, kind="stable")
        own, other = own[order], other[order]
        counts = np.bincount(own, minlength=n)
        starts = np.concatenate([[0], np.cumsum(counts)])
        widths = _WIDTHS[np.searchsorted(_WIDTHS, counts + 1)]
        rows, columns, entries = [], [], []
        for width in np.unique(widths):
            group = np.flatnonzero(widths == width)
            # Neighbours at the end, i last; -1 fills up the front.
            place = np.arange(width)[None, :] - (width - 1 - counts[group])[:, None]
            inside = (place >= 0) & (place < counts[group][:, None])
            sets = np.full(place.shape, -1)
            sets[inside] = other[(starts[group][:, None] + place)[inside]]
            sets[:, -1] = group
            found = _columns(kernel, functionals, sets)
            kept = sets >= 0
            rows.append(sets[kept])
            columns.append(np.broadcast_to(group[:, None], sets.shape)[kept])
            entries.append(found[kept])
        parts = [np.concatenate(part) for part in (entries, rows, columns)]
        factor = scipy.sparse.csc_array((parts[0], (parts[1], parts[2])), shape=(n, n))
        factor.sort_indices()
        return cls(factor)

    def solve(self, v: Float[np.ndarray, "n"]) -> Float[np.ndarray, "n"]:
        """Theta^-1 v."""
        return self.factor @ (self.factor.T @ v)

    def multiply(self, v: Float[np.ndarray, "n"]) -> Float[np.ndarray, "n"]:
        """Theta v."""
        return self._triangular.solve(self._triangular.solve(v), "T")


def conditional_means(
    kernel: Matern,
    functionals: Functionals,
    told: Float[np.ndarray, "n"],
    sets: Int[np.ndarray, "k w"],
    points: Float[np.ndarray, "k d"],
) -> Float[np.ndarray, "k"]:
    """u at points, each given a few functionals: E[u(x) | z_s].

    Args:
        kernel: of the process.
        functionals: all of them.
        told: z, what they gave.
        sets: of every point, its functionals; -1 for none.
        points: x.

    Raises:
        ValueError: for functionals that depend on each other.
    """
    values = Functionals.values(points)
    everything = Functionals(*(np.concatenate([np.asarray(p), q]) for p, q in zip(functionals, values, strict=True)))
    own = len(told) + np.arange(len(points))
    columns = _columns(kernel, everything, np.concatenate([sets, own[:, None]], 1))
    # The column of x in a factor of the inverse: -U_s / U_x is the row of its regression on s.
    known = np.where(sets >= 0, np.append(told, 0.0)[sets], 0.0)
    return -np.sum(columns[:, :-1] * known, 1) / columns[:, -1]


def _columns(kernel: Matern, functionals: Functionals, sets: Int[np.ndarray, "n w"]) -> Float[np.ndarray, "n w"]:
    n, width = sets.shape
    chunk = max(1, _CHUNK // width**2)
    found = np.empty(sets.shape)
    for first in range(0, n, chunk):
        todo = np.arange(first, min(first + chunk, n))
        for nugget in NUGGETS:
            padded = np.full((chunk, width), -1)
            padded[: len(todo)] = sets[todo]
            local = functionals.take(np.maximum(padded, 0))  # on the host: the program does not know how many there are
            found[todo] = np.asarray(_chunk(kernel, local, padded >= 0, nugget))[: len(todo)]
            todo = todo[~np.isfinite(found[todo]).all(1)]
            if len(todo) == 0:
                break
        else:
            raise ValueError(
                f"functionals: got {len(todo)} that depend on their neighbours up to a nugget of {NUGGETS[-1]:g}, "
                "wanted distinct points, a shorter scale, or a rougher envelope"
            )
    return found


@jax.jit
def _chunk(kernel: Matern, local: Functionals, used: Bool[Array, "b w"], nugget: float | Array) -> Float[Array, "b w"]:
    """Entries of U in columns with these functionals, those that are used."""
    matrix = kernel.covariance(local, local)
    eye = jnp.eye(used.shape[1], dtype=bool)[None]
    both = used[:, :, None] & used[:, None, :]
    matrix = jnp.where(both, matrix, jnp.where(eye, 1.0, 0.0))
    scale = jnp.sqrt(jnp.diagonal(matrix, axis1=1, axis2=2))
    matrix = matrix / (scale[:, :, None] * scale[:, None, :]) + nugget * eye
    lower = jnp.linalg.cholesky(matrix, symmetrize_input=False)
    # Theta^-1 e = L^-T L^-1 e = L^-T e / L_ii with i last, and its own entry is 1 / L_ii^2.
    last = jnp.zeros(used.shape).at[:, -1].set(1.0)
    return jax.scipy.linalg.solve_triangular(lower, last[..., None], trans="T", lower=True)[..., 0] / scale
