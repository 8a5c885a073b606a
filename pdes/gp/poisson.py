"""Many Poisson problems on one grid: factors made once, matrix products per sample, and a certificate for each."""

import dataclasses
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import scipy.linalg
from jaxtyping import Array, Float

from . import equations
from .axis import Axis, AxisModel
from .collocation import DIRICHLET, Collocation
from .gram import solve_gram
from .kernels import SpectralMixture
from .measurements import covariance, cross_tables, point_values
from .sylvester import SeparableSolver

# Points per axis of the posterior deviation, whose covariance is factored whole: the most and the least.
_CERTIFIED, _LEAST = 33, 9


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class PoissonFactors:
    """Solves -Lap u = f in a rectangle, u = g on its sides, for any number of (f, g), with Matern processes.

    Collocation as in `pdes.gp.direct.solve`: four matrix products per sample where the eigenvalues are real, four for
    its residual. Made on the host by `of`; a pytree.

    Args:
        solver: of the interior.
        second: per axis, second derivative at all points from values there.
        middle, middle_second: per axis, value and second derivative at the centres of the cells.
        whiteners: of the measurements at a part of the points, folded: sum of |whitener y|^2 = y^T cov(y, y)^-1 y.
        spread: posterior standard deviation at all points for a kernel of amplitude 1.
        stride: of that part.
    """

    solver: SeparableSolver
    second: tuple[Float[Array, "_ _"], ...]
    middle: tuple[Float[Array, "_ _"], ...]
    middle_second: tuple[Float[Array, "_ _"], ...]
    whiteners: tuple[Float[Array, "_ _"], ...]
    spread: Float[Array, "x y"]
    stride: tuple[int, ...] = dataclasses.field(metadata={"static": True})

    @classmethod
    def of(cls, axes: tuple[Axis, Axis], envelope: str = "matern52", scale: float = 0.5) -> "PoissonFactors":
        """Factors everything.

        Args:
            axes: points of both axes, sides included.
            envelope: matern52 or smoother.
            scale: l over the length of an axis, of kernels without a frequency.

        Raises:
            ValueError: for envelope and scale as `AxisModel.of`.
        """
        models = [AxisModel.of(axis, plain_kernel(axis, envelope, scale), [2]) for axis in axes]
        second = tuple(np.asarray(model.derivatives[2]) for model in models)
        solver = SeparableSolver.of([matrix[1:-1, 1:-1] for matrix in second])
        middle, middle_second = zip(*(_at_middle(model) for model in models), strict=True)
        stride = tuple(certified_stride(axis.n) for axis in axes)
        whiteners, spread = _posterior(axes, stride, envelope)
        parts = (second, middle, middle_second, whiteners)
        second, middle, middle_second, whiteners = (tuple(map(jnp.asarray, part)) for part in parts)
        return cls(solver, second, middle, middle_second, whiteners, jnp.asarray(spread), stride)

    def solve(self, source: Float[Array, "b x y"], sides: Float[Array, "b x y"]) -> Float[Array, "b x y"]:
        """u at all points.

        Args:
            source: f at all points, of which those inside count.
            sides: g at the points on the sides; inside any field that continues it, such as zeros.
        """
        ends, inside = np.array([0, -1]), slice(1, -1)
        left, right = (matrix[inside, ends] for matrix in self.second)
        given = jnp.einsum("ie,bej->bij", left, sides[:, ends, inside])
        given = given + jnp.einsum("je,bie->bij", right, sides[:, inside, ends])
        return sides.at[:, inside, inside].set(self.solver.solve_many(-source[:, inside, inside] - given))

    def residual(self, u: Float[Array, "b x y"], middle_source: Float[Array, "b mx my"]) -> Float[Array, "b mx my"]:
        """-Lap u - f of the processes' mean at the centres of the cells, where nothing was asked of it."""
        (value_x, value_y), (second_x, second_y) = self.middle, self.middle_second
        x = jnp.einsum("ij,bjk->bik", second_x, jnp.einsum("ij,bkj->bki", value_y, u))
        y = jnp.einsum("ij,bjk->bik", value_x, jnp.einsum("ij,bkj->bki", second_y, u))
        return -(x + y) - middle_source

    def deviation(self, source: Float[Array, "b x y"], sides: Float[Array, "b x y"]) -> Float[Array, "b x y"]:
        """Posterior standard deviation of u, given the data at up to 33 x 33 of the points.

        Of the prior that assumes least of what lies between those points: its scale is their distance, its amplitude
        each sample's own, the one that makes its data likeliest. More data would leave less.
        """
        step, stride = self.stride
        f, g = source[:, ::step, ::stride], sides[:, ::step, ::stride]
        folded = _folded([-f, g[:, [0, -1]], g[:, 1:-1, [0, -1]]])
        squares = [jnp.sum((y @ whitener.T) ** 2, 1) for y, whitener in zip(folded, self.whiteners, strict=True)]
        amplitude = jnp.stack(squares).sum(0) / sum(map(len, self.whiteners))
        return jnp.sqrt(amplitude)[:, None, None] * self.spread[None]


def plain_kernel(axis: Axis, envelope: str, scale: float) -> SpectralMixture:
    """One envelope without a frequency, its scale in lengths of the axis."""
    return SpectralMixture.of([1.0], 1 / (scale * axis.length), [0.0], envelope)


def certified_stride(n: int) -> int:
    """The smallest divisor of the number of cells that leaves few enough points for a certificate.

    Raises:
        ValueError: where it leaves too few, as for a prime number of cells.
    """
    stride = next(k for k in range(1, n) if (n - 1) % k == 0 and (n - 1) // k < _CERTIFIED)
    if (n - 1) // stride + 1 < _LEAST:
        raise ValueError(f"points: got {n} per axis, of which no {_LEAST} to {_CERTIFIED} are equally spaced; take 65")
    return stride


def _at_middle(model: AxisModel) -> tuple[np.ndarray, np.ndarray]:
    """Value and second derivative at the centres of the cells, from values at the points."""
    points = model.axis.points
    lags = jnp.asarray((points[:-1] + points[1:])[:, None] / 2 - points[None, :])
    rows = np.asarray(model.mixture.derivatives(lags, 2))
    factor = (np.asarray(model.factor), True)
    value, second = (scipy.linalg.cho_solve(factor, row.T).T for row in (rows[0], rows[2]))
    return value, second


def _posterior(axes: tuple[Axis, Axis], stride: tuple[int, ...], envelope: str) -> tuple[list[np.ndarray], np.ndarray]:
    """Whiteners of measurements at every stride-th point, and the standard deviation that they leave at all points."""
    few = tuple(dataclasses.replace(a, n=(a.n - 1) // k + 1) for a, k in zip(axes, stride, strict=True))
    told = Collocation.of(equations.poisson(2), few, [DIRICHLET, DIRICHLET], lambda x, y: x + y)
    kernels = tuple(plain_kernel(axis, envelope, 1 / (axis.n - 1)) for axis in few)
    known = solve_gram(told, kernels)
    tables = cross_tables(kernels, [axis.points for axis in axes], few, 2)
    cross = covariance(point_values([axis.n for axis in axes]), known.measurements.blocks, tables)
    explained = scipy.linalg.solve_triangular(known.factor, cross.T / known.scales[:, None], lower=True)
    spread = np.sqrt(np.maximum(1 - np.sum(explained**2, 0), 0)).reshape([axis.n for axis in axes])
    spread[[0, -1], :] = spread[:, [0, -1]] = 0  # given, but for the nugget
    root = known.scales[:, None] * known.factor
    return [_whitener(basis @ root) for basis in _folding([axis.n for axis in few])], spread


def _whitener(root: np.ndarray) -> np.ndarray:
    """L^-1 of the Cholesky factor of root root^T."""
    triangle = np.asarray(np.linalg.qr(root.T, "r")).T
    return scipy.linalg.solve_triangular(triangle, np.eye(len(triangle)), lower=True)


def _folding(shape: list[int]) -> list[np.ndarray]:
    """Rows that fold a vector of all measurements: of the equation, of both sides across x, of those across y."""
    n, m = shape
    fields = np.split(np.eye(n * m + 2 * m + 2 * (n - 2)), np.cumsum([n * m, 2 * m]), 1)
    lower_then_upper = fields[2].reshape(-1, 2, n - 2).swapaxes(1, 2)
    parts = [fields[0].reshape(-1, n, m), fields[1].reshape(-1, 2, m), lower_then_upper]
    return [np.asarray(part).T for part in _folded(parts)]


def _folded(fields: Sequence[Any]) -> list[Any]:
    """Parts of fields [b, x, y] that are even or odd along x and y, flat: four uncorrelated sets of measurements.

    A process whose kernel depends on distances alone looks the same from both ends of an axis.
    """
    parts = [_even_and_odd(half, 2) for field in fields for half in _even_and_odd(field, 1)]
    flat = [[part.reshape(len(part), -1) for part in pair] for pair in parts]
    return [jnp.concatenate([pair[odd] for pair in flat[along::2]], 1) for along in (0, 1) for odd in (0, 1)]


def _even_and_odd(u: Any, axis: int) -> tuple[Any, Any]:
    """(u + its mirror image) / sqrt 2 and (u - it) / sqrt 2, each without what the other half repeats."""
    n = u.shape[axis]
    at = tuple(slice(None) for _ in range(axis))
    first, last, middle = (
        u[(*at, slice(n // 2))],
        jnp.flip(u, axis)[(*at, slice(n // 2))],
        u[(*at, slice(n // 2, -(n // 2)))],
    )
    even, odd = (first + last) / np.sqrt(2), (first - last) / np.sqrt(2)
    return jnp.concatenate([even, middle], axis), odd
