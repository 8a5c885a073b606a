"""Weights of finite differences on any nodes, and the time derivative along a trajectory."""

from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Inexact

# Outputs per product with a matrix: one for short trajectories, and work that grows with their length, not its square.
ROWS = 16


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


def differentiate(
    snapshots: Inexact[Array, "all ..."], n_history: int, interval: float | int, order: int
) -> Inexact[Array, "t ..."]:
    """d/dt at every output of a trajectory, from the snapshots before them and the outputs.

    Each takes the order + 1 snapshots around its own: as many before as after, and one-sided where the trajectory
    begins or ends.

    Args:
        snapshots: those before the outputs, the last of them one interval before the first output, then the outputs.
        n_history: how many are before the outputs.
        interval: time between snapshots.
        order: even number up to 8.

    Returns:
        Of the outputs, unit of the snapshots / time.

    Raises:
        ValueError: for another order, or too few snapshots for it.
    """
    check_order(order)
    total = len(snapshots)
    if not 1 <= n_history < total or total <= order:
        raise ValueError(
            f"snapshots: got {n_history} before and {total - n_history} outputs, wanted at least one of each and "
            f"{order + 1} in all for differences of order {order}; take a lower order or more snapshots"
        )
    nodes, parts = np.arange(order + 1), []
    for start in range(n_history, total, ROWS):
        rows = np.arange(start, min(start + ROWS, total))
        first = np.clip(rows - order // 2, 0, total - order - 1)
        weights = np.zeros((len(rows), first[-1] - first[0] + order + 1))
        for row, at, near in zip(weights, rows, first, strict=True):
            row[near - first[0] + nodes] = fornberg_weights(interval * (near + nodes - at), 0.0)
        taken = snapshots[first[0] : first[-1] + order + 1]
        matrix = jnp.asarray(weights, taken.real.dtype)
        parts.append(jnp.tensordot(matrix, taken, 1, precision=jax.lax.Precision.HIGHEST))
    return jnp.concatenate(parts)


def check_order(order: int, name: str = "order") -> None:
    """Raises ValueError for an order that differences in time do not have."""
    if order not in (2, 4, 6, 8):
        raise ValueError(f"{name}: got {order}, wanted 2, 4, 6 or 8; 6 suits smooth trajectories")
