"""What a process is told of a problem, as linear functionals, and the covariances of such."""

import itertools
import math
from collections.abc import Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from .axis import Axis
from .collocation import Collocation, Condition
from .kernels import SpectralMixture
from .toeplitz import toeplitz

Table = list[Float[np.ndarray, "_ _"]]  # of one axis: derivatives 0, 1 .. of k between two sets of its points


class Part(NamedTuple):
    """sum over terms of coefficient d^orders u, at points of a tensor grid.

    Args:
        indices: of the points, [measurements, axes].
        terms: (orders, coefficient per measurement).
    """

    indices: Int[np.ndarray, "n d"]
    terms: tuple[tuple[tuple[int, ...], Float[np.ndarray, "n"]], ...]


Block = tuple[Part, ...]  # measurements that are sums over parts


class Measurements(NamedTuple):
    """Functionals of u in blocks, and what they gave."""

    blocks: tuple[Block, ...]
    values: Float[np.ndarray, "n"]


def measure(problem: Collocation, around: Float[Array, "*space"]) -> Measurements:
    """The equation at all points, then the conditions of every axis, none of a value twice.

    Args:
        problem: the data.
        around: u at which a reaction is linearised.
    """
    equation, shape = problem.equation, problem.shape
    terms = [(t.orders, np.asarray(t.values(problem.coordinates)).ravel()) for t in equation.terms]
    source = problem.source
    if equation.reaction is not None:
        value, slope = jax.jvp(equation.reaction, (around,), (jnp.ones_like(around),))
        terms.append(((0,) * len(shape), np.asarray(slope).ravel()))
        source = source - value + slope * around
    blocks: list[Block] = [(Part(all_indices(shape), tuple(terms)),)]
    values, known = [np.asarray(source).ravel()], set()
    for axis, (conditions, data) in enumerate(zip(problem.conditions, problem.data, strict=True)):
        for condition, given in zip(conditions, np.asarray(data), strict=True):
            block = _side(condition, axis, shape)
            new = np.ones(given.size, bool)
            if condition.order == 0 and condition.side != "wrap":
                points = [tuple(row) for row in block[0].indices]
                new = np.array([point not in known for point in points])
                known |= set(points)
            blocks.append(tuple(_only(part, new) for part in block))
            values.append(given.ravel()[new])
    return Measurements(tuple(blocks), np.concatenate(values))


def all_indices(shape: Sequence[int]) -> Int[np.ndarray, "n d"]:
    """Of all points of a tensor grid, the last axis fastest."""
    return np.array(list(itertools.product(*map(range, shape))), int).reshape(math.prod(shape), len(shape))


def point_values(shape: Sequence[int]) -> tuple[Block, ...]:
    """u at all points of a tensor grid."""
    indices = all_indices(shape)
    return ((Part(indices, (((0,) * len(shape), np.ones(len(indices))),)),),)


def node_tables(mixtures: Sequence[SpectralMixture], axes: Sequence[Axis], orders: int) -> list[Table]:
    """Kernels of the axes and their derivatives 0 .. orders between all their points, k^(p)(x - x').

    Every lag is one number, whatever pair of points it is between: differences of coordinates would carry rounding of
    another size in every entry, with which the covariance is not positive definite.
    """
    found = []
    for mixture, axis in zip(mixtures, axes, strict=True):
        rows = mixture.derivatives(jnp.asarray(axis.lags), orders)
        found.append([np.asarray(toeplitz(row, (-1) ** p)) for p, row in enumerate(rows)])
    return found


def cross_tables(
    mixtures: Sequence[SpectralMixture], points: Sequence[Float[np.ndarray, "_"]], axes: Sequence[Axis], orders: int
) -> list[Table]:
    """The same between other coordinates and the points of the axes."""
    lags = [jnp.asarray(x[:, None] - axis.points[None, :]) for x, axis in zip(points, axes, strict=True)]
    return [list(np.asarray(mixture.derivatives(lag, orders))) for mixture, lag in zip(mixtures, lags, strict=True)]


def covariance(left: Sequence[Block], right: Sequence[Block], given: Sequence[Table]) -> Float[np.ndarray, "m n"]:
    """Of two lists of measurements.

    cov(d^a u(x), d^b u(x')) = prod over axes of (-1)^b_j k_j^(a_j + b_j)(x_j - x'_j)
    """
    return np.block([[_between(a, b, given) for b in right] for a in left])


def _between(left: Block, right: Block, given: Sequence[Table]) -> np.ndarray:
    return np.sum([_pair(p, q, given) for p in left for q in right], 0)


def _pair(left: Part, right: Part, given: Sequence[Table]) -> np.ndarray:
    total = np.zeros((len(left.indices), len(right.indices)))
    for orders, coefficient in left.terms:
        for others, weight in right.terms:
            product = (-1.0) ** sum(others) * coefficient[:, None] * weight[None, :]
            for axis, table in enumerate(given):
                own = table[orders[axis] + others[axis]]
                product = product * own[left.indices[:, axis][:, None], right.indices[:, axis][None, :]]
            total += product
    return total


def _side(condition: Condition, axis: int, shape: tuple[int, ...]) -> Block:
    """A condition at all points of its side."""
    others = all_indices([n for i, n in enumerate(shape) if i != axis])
    orders = tuple(condition.order * (i == axis) for i in range(len(shape)))

    def at(end: int, sign: float) -> Part:
        return Part(np.insert(others, axis, end, axis=1), ((orders, np.full(len(others), sign)),))

    if condition.side == "wrap":
        return at(shape[axis] - 1, 1.0), at(0, -1.0)
    return (at(0 if condition.side == "lower" else shape[axis] - 1, 1.0),)


def _only(part: Part, kept: np.ndarray) -> Part:
    return Part(part.indices[kept], tuple((orders, coefficient[kept]) for orders, coefficient in part.terms))
