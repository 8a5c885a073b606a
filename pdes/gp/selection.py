"""Choosing kernels without the truth: by how well solutions agree, or by how likely the data are."""

from collections.abc import Sequence

import jax.numpy as jnp
import numpy as np

from .collocation import Collocation
from .direct import DirectSolution, solve
from .gram import GramSolution, solve_gram
from .kernels import SpectralMixture

Candidates = Sequence[Sequence[SpectralMixture]]


def select_by_agreement(problem: Collocation, candidates: Candidates) -> tuple[DirectSolution, float]:
    """The solution that another candidate's agrees with best, and the relative L2 distance of the two.

    Of two that agree best it is the one that the others are nearer to. Along a ladder of scales errors fall while the
    kernel gets smoother, then rise as its covariance degenerates: neighbours on both sides of the bottom agree.

    Args:
        problem: the data.
        candidates: two or more choices of kernels, one per axis.

    Raises:
        ValueError: for fewer than two candidates that can be solved with.
    """
    solutions = []
    for mixtures in candidates:
        try:
            solutions.append(solve(problem, mixtures))
        except ValueError:  # too smooth for the points
            continue
    solutions = [solution for solution in solutions if bool(jnp.all(jnp.isfinite(solution.values)))]
    if len(solutions) < 2:
        raise ValueError(f"candidates: got {len(solutions)} that can be solved with, wanted two or more")
    fields = np.stack([np.asarray(solution.values).ravel() for solution in solutions])
    distances = np.linalg.norm(fields[:, None] - fields[None, :], axis=-1) / np.linalg.norm(fields, axis=-1)
    np.fill_diagonal(distances, np.inf)
    # Sorted distances to the others, compared like words: nearest first, then second nearest.
    ranked = np.sort(np.minimum(distances, distances.T), axis=1)
    best = min(range(len(solutions)), key=lambda i: tuple(ranked[i]))
    return solutions[best], float(ranked[best, 0])


def select_by_likelihood(problem: Collocation, candidates: Candidates) -> GramSolution:
    """The conditioned process under which the data are likeliest, of those with the smallest nugget that any took.

    A larger nugget is noise that the data do not have: it stands for another model, whose likelihood is not compared.

    Args:
        problem: the data.
        candidates: choices of kernels, one per axis.

    Raises:
        ValueError: for no candidate that can be solved with.
    """
    solutions, refused = [], None
    for mixtures in candidates:
        try:
            solutions.append(solve_gram(problem, mixtures))
        except ValueError as error:
            refused = error
    if not solutions:
        raise ValueError(f"candidates: got {len(candidates)}, none of which can be solved with; {refused}") from refused
    least = min(solution.nugget for solution in solutions)
    return max((s for s in solutions if s.nugget == least), key=lambda solution: solution.log_likelihood)
