"""Weights of finite differences on any nodes, and the time derivative along a trajectory."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float


def fornberg_weights(
    nodes: Sequence[float | int] | np.ndarray, x: float | int, derivative: int = 1
) -> Float[np.ndarray, "n"]:
    """Weights w of the derivative at x of the polynomial through all nodes, u^(d)(x) = sum_j w_j u(x_j).

    Args:
        nodes: n distinct positions, in any order.
        x: where; a node or not.
        derivative: d, 0 for interpolation.

    Returns:
        float64 weights in the order of the nodes, unit position^-d.

    Raises:
        ValueError: for fewer than d + 1 nodes, or two equal ones.

    Accuracy:
        Exact for polynomials of degree n - 1; order n - d on nodes that come closer together.

    Source:
        Fornberg 1988 (Math. Comput. 51): a recursion over the nodes, stable where Vandermonde matrices are not.
    """
    positions = np.asarray(nodes, float)
    if positions.ndim != 1 or len(positions) <= derivative or len(np.unique(positions)) < len(positions):
        raise ValueError(f"nodes: got {nodes}, wanted at least {derivative + 1} distinct positions")
    weights = np.zeros((len(positions), derivative + 1))
    weights[0, 0] = 1.0
    product = 1.0
    for n in range(1, len(positions)):
        highest = min(n, derivative)
        gaps = positions[n] - positions[:n]
        last = product
        product = float(np.prod(gaps))
        for d in range(highest, -1, -1):
            lower = d * weights[n - 1, d - 1] if d else 0.0
            weights[n, d] = last / product * (lower - (positions[n - 1] - x) * weights[n - 1, d])
        for j in range(n):
            for d in range(highest, -1, -1):
                lower = d * weights[j, d - 1] if d else 0.0
                weights[j, d] = ((positions[n] - x) * weights[j, d] - lower) / gaps[j]
    return weights[:, derivative]


def time_derivative(n_history: int, n_outputs: int, interval: float | int, order: int) -> Float[np.ndarray, "t all"]:
    """Matrix of d/dt at every output of a trajectory, from the snapshots before them and the outputs.

    Each row takes the order + 1 snapshots around its own: as many before as after, and one-sided where the trajectory
    begins or ends.

    Args:
        n_history: snapshots before the outputs, the last of them one interval before the first output.
        n_outputs: snapshots at which the derivative is taken.
        interval: time between snapshots.
        order: even number up to 8.

    Returns:
        float64 [n_outputs, n_history + n_outputs], unit 1 / time.

    Raises:
        ValueError: for another order, or too few snapshots for it.
    """
    if order not in (2, 4, 6, 8):
        raise ValueError(f"order: got {order}, wanted 2, 4, 6 or 8")
    if n_history < 1 or n_outputs < 1 or n_history + n_outputs <= order:
        raise ValueError(
            f"snapshots: got {n_history} before and {n_outputs} outputs, wanted at least one of each and {order + 1} "
            f"in all for differences of order {order}; take a lower order or more snapshots"
        )
    total = n_history + n_outputs
    times = interval * np.arange(total)
    matrix = np.zeros((n_outputs, total))
    for row, at in enumerate(range(n_history, total)):
        first = min(max(at - order // 2, 0), total - order - 1)
        nodes = slice(first, first + order + 1)
        matrix[row, nodes] = fornberg_weights(times[nodes] - times[at], 0.0)
    return matrix
