"""Elliptic equations on scattered points: Gauss and Newton's iteration on a sparse Cholesky factor."""

import dataclasses
import math
from collections.abc import Callable

import numpy as np
import scipy.sparse
from jaxtyping import Float, Int
from scipy.sparse.linalg import splu

from .matern import Functionals, Matern
from .ordering import earlier_neighbours, local_spacing, maximin, nearest
from .problem import Scattered
from .triangulation import linear_elements
from .vecchia import SparseFactor, conditional_means

_TOLERANCE, _MAX_STEPS = 1e-8, 20  # relative change of u between steps
_LINEAR_TOLERANCE, _MAX_ITERATIONS = 1e-8, 400


Apply = Callable[[np.ndarray], np.ndarray]


@dataclasses.dataclass(frozen=True)
class ScatteredSolution:
    """u at the points, and the process that continues it.

    Args:
        problem: the data.
        kernel: of the process.
        values: u at the points inside.
        operator: its Laplacian and slopes there, with the coefficients of the equation.
        reach: see `solve_scattered`.
        steps: of Gauss and Newton's iteration; 1 of linear equations.
        iterations: of conjugate gradients, step by step.
        entries: of the sparse factor, per column.
    """

    problem: Scattered
    kernel: Matern
    values: Float[np.ndarray, "n"]
    operator: Float[np.ndarray, "n"]
    reach: float
    steps: int
    iterations: tuple[int, ...]
    entries: float

    def __call__(self, points: Float[np.ndarray, "k d"]) -> Float[np.ndarray, "k"]:
        """u elsewhere: the mean of the process given values and operator at the nearest points."""
        problem, n = self.problem, len(self.values)
        everywhere = np.concatenate([problem.interior, problem.boundary])
        d, radius = everywhere.shape[1], max(self.reach, 2.0)
        ball = math.pi ** (d / 2) / math.gamma(d / 2 + 1) * radius**d  # points at distance 1 in it
        sets = nearest(everywhere, points, round(ball))
        # After the values of all points come the operators at those inside.
        sets = np.concatenate([sets, np.where(sets < n, sets + len(everywhere), -1)], 1)
        told = np.concatenate([self.values, problem.values, self.operator])
        return conditional_means(self.kernel, _all(everywhere, problem.differential()), told, sets, points)


def solve_scattered(problem: Scattered, kernel: Matern, reach: float = 3.0) -> ScatteredSolution:
    """The process of least norm that satisfies the equation at the points inside and the data at the boundary.

    With z = (u at all points, L u at those inside), L = a Lap + b . grad, and Theta their covariance,

        minimise z^T Theta^-1 z ~ |U^T z|^2    subject to    L u + c u + n(u) = f,  u = g,

    linearised where the last u was. U is a sparse factor of the inverse: values from coarse to fine, then L u, each
    seeing what comes before it within `reach` times its own distance. u inside is the unknown; its normal equations are
    solved by conjugate gradients behind |U_LL^T (L_h + c + n')|^2, with linear elements L_h: at low frequencies and
    high ones alike that is as large, so the number of iterations hardly grows with the points.

    Args:
        problem: the data.
        kernel: scale and smoothness; longer and smoother is better until rounding sees neighbours as one.
        reach: rho. The error of the factor falls with it, the cost grows as rho^(2 d) to rho^(3 d).

    Raises:
        ValueError: for a reach below 1, and where an iteration does not end.

    Accuracy:
        That of the dense process for the kernel up to the error of the factor, see docs/gp.md. Time and memory
        O(n log n) for a fixed reach, but for the sparse LU factors of L_h, O(n^1.5) in two dimensions and small.

    Source:
        Chen, Owhadi and Schaefer 2023 (arXiv 2304.01294): the order and the factor. They solve for the multipliers of
        the constraints behind a second sparse factor, which took hundreds of iterations here.
    """
    if not reach >= 1:
        raise ValueError(f"reach: got {reach}, wanted at least 1, such as 3")
    n, everywhere = len(problem.interior), np.concatenate([problem.interior, problem.boundary])
    order, lengths = maximin(everywhere)
    fine = order[order < n]
    radii = reach * np.concatenate([lengths, local_spacing(everywhere)[fine]])
    functionals = _all(everywhere, problem.differential()).take(np.concatenate([order, len(everywhere) + fine]))
    factor = SparseFactor.of(kernel, functionals, *earlier_neighbours(np.asarray(functionals.points), radii))
    system = _System.of(problem, factor, order)
    u, counts = np.zeros(n), []
    for step in range(1, _MAX_STEPS + 1):
        slope, right = problem.linearise(u)
        before, (u, count) = u, system.solve(slope, right, u)
        counts.append(count)
        if problem.equation.reaction is None or np.linalg.norm(u - before) <= _TOLERANCE * np.linalg.norm(u):
            entries = factor.factor.nnz / len(functionals.value)
            return ScatteredSolution(problem, kernel, u, right - slope * u, reach, step, tuple(counts), entries)
    raise ValueError(f"reaction: got no fixed point in {_MAX_STEPS} steps, wanted one; take more points")


@dataclasses.dataclass(frozen=True)
class _System:
    """|U^T z|^2 as a function of u inside.

    Args:
        problem: the data.
        of_values, of_boundary, of_operator: columns of U^T that meet u inside, u at the boundary, and L u, in the order
            of the problem.
        corner: U_LL, in the order of the factor.
        fine: that order of the points inside.
        elements: L_h.
    """

    problem: Scattered
    of_values: scipy.sparse.csr_array
    of_boundary: scipy.sparse.csr_array
    of_operator: scipy.sparse.csr_array
    corner: SparseFactor
    fine: Int[np.ndarray, "n"]
    elements: scipy.sparse.csr_array

    @classmethod
    def of(cls, problem: Scattered, factor: SparseFactor, order: Int[np.ndarray, "k"]) -> "_System":
        n, count = len(problem.interior), len(order)
        fine = order[order < n]
        places, ranks = np.empty(count, int), np.empty(n, int)
        places[order], ranks[fine] = np.arange(count), np.arange(n)
        columns = factor.factor.T.tocsc()
        values, boundary = columns[:, places[:n]].tocsr(), columns[:, places[n:]].tocsr()
        corner = SparseFactor(factor.factor[count:, count:].tocsc())
        elements = linear_elements(np.concatenate([problem.interior, problem.boundary]), problem.differential())
        return cls(problem, values, boundary, columns[:, count + ranks].tocsr(), corner, fine, elements)

    def solve(
        self, slope: Float[np.ndarray, "n"], right: Float[np.ndarray, "n"], start: Float[np.ndarray, "n"]
    ) -> tuple[Float[np.ndarray, "n"], int]:
        """u inside of least norm with L u + slope u = right, and the iterations that it took."""
        problem, fine = self.problem, self.fine
        rows = (self.of_values - self.of_operator @ scipy.sparse.diags_array(slope)).tocsr()
        columns = rows.T.tocsr()
        given = -columns @ (self.of_boundary @ problem.values + self.of_operator @ right)
        coarse = splu((self.elements + scipy.sparse.diags_array(slope)).tocsc())

        def precondition(v: np.ndarray) -> np.ndarray:
            v = coarse.solve(v, "T")
            v[fine] = self.corner.multiply(v[fine])
            return coarse.solve(v)

        return _conjugate_gradients(lambda v: columns @ (rows @ v), given, start, precondition)


def _conjugate_gradients(
    matrix: Apply, right: np.ndarray, start: np.ndarray, precondition: Apply
) -> tuple[np.ndarray, int]:
    """x of matrix x = right, and the steps.

    It ends by the preconditioned residual, which is as large as the error in the norm of the matrix; the plain one, by
    which libraries end, weighs high frequencies most.
    """
    goal = _LINEAR_TOLERANCE**2 * (right @ precondition(right))
    x, r = start, right - matrix(start)
    z = precondition(r)
    direction, size = z, r @ z
    for count in range(_MAX_ITERATIONS):
        if size <= goal:
            return x, count
        image = matrix(direction)
        step = size / (direction @ image)
        x, r = x + step * direction, r - step * image
        z = precondition(r)
        size, before = r @ z, size
        direction = z + size / before * direction
    raise ValueError(
        f"conjugate gradients: got no solution in {_MAX_ITERATIONS} steps, wanted one; take a larger reach, "
        "or points of more even density"
    )


def _all(points: np.ndarray, differential: Functionals) -> Functionals:
    """Values at all points, then the operator at those inside."""
    parts = zip(Functionals.values(points), differential, strict=True)
    return Functionals(*(np.concatenate([np.asarray(part) for part in pair]) for pair in parts))
