"""Many Poisson problems on one grid: factors made once, matrix products per sample, and a certificate for each."""

import dataclasses

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

    Collocation as in `pdes.gp.direct.solve`: four matrix products per sample where the eigenvalues are real. Made on
    the host by `of`; a pytree.

    Args:
        solver: of the interior.
        second: per axis, second derivative at all points from values there.
        middle, middle_second: per axis, value and second derivative at the centres of the cells.
        whitener: of the measurements at a part of the points: |whitener y|^2 = y^T cov(y, y)^-1 y.
        spread: posterior standard deviation at all points for a kernel of amplitude 1.
        stride: of that part.
    """

    solver: SeparableSolver
    second: tuple[Float[Array, "_ _"], ...]
    middle: tuple[Float[Array, "_ _"], ...]
    middle_second: tuple[Float[Array, "_ _"], ...]
    whitener: Float[Array, "k k"]
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
        whitener, spread = _posterior(axes, stride, envelope)
        second, middle, middle_second = (tuple(map(jnp.asarray, part)) for part in (second, middle, middle_second))
        return cls(solver, second, middle, middle_second, jnp.asarray(whitener), jnp.asarray(spread), stride)

    def solve(self, source: Float[Array, "b x y"], sides: Float[Array, "b x y"]) -> Float[Array, "b x y"]:
        """u at all points.

        Args:
            source: f at all points, of which those inside count.
            sides: g at the points on the sides; inside any field that continues it, such as zeros.
        """
        right = -source - self._laplacian(sides, self.second, None)
        inside = self.solver.solve_many(right[:, 1:-1, 1:-1])
        return sides + jnp.pad(inside, ((0, 0), (1, 1), (1, 1)))

    def residual(self, u: Float[Array, "b x y"], middle_source: Float[Array, "b mx my"]) -> Float[Array, "b mx my"]:
        """-Lap u - f of the processes' mean at the centres of the cells, where nothing was asked of it."""
        return -self._laplacian(u, self.middle_second, self.middle) - middle_source

    def deviation(self, source: Float[Array, "b x y"], sides: Float[Array, "b x y"]) -> Float[Array, "b x y"]:
        """Posterior standard deviation of u, given the data at up to 33 x 33 of the points.

        Of the prior that assumes least of what lies between those points: its scale is their distance, its amplitude
        each sample's own, the one that makes its data likeliest. More data would leave less.
        """
        step, stride = self.stride
        f, g = source[:, ::step, ::stride], sides[:, ::step, ::stride]
        values = [-f.reshape(len(f), -1), g[:, 0], g[:, -1], g[:, 1:-1, 0], g[:, 1:-1, -1]]
        white = jnp.concatenate(values, 1) @ self.whitener.T
        amplitude = jnp.mean(white**2, 1)
        return jnp.sqrt(amplitude)[:, None, None] * self.spread[None]

    @staticmethod
    def _laplacian(u, second, zeroth):
        """u_xx + u_yy; along the axis that is not differentiated by `zeroth`, nothing where None."""
        x, y = jnp.einsum("ij,bjk->bik", second[0], u), jnp.einsum("ij,bkj->bki", second[1], u)
        if zeroth is None:
            return x + y
        return jnp.einsum("ij,bkj->bki", zeroth[1], x) + jnp.einsum("ij,bjk->bik", zeroth[0], y)


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


def _posterior(axes: tuple[Axis, Axis], stride: tuple[int, ...], envelope: str) -> tuple[np.ndarray, np.ndarray]:
    """Whitener of measurements at every stride-th point, and the standard deviation that they leave at all points."""
    few = tuple(dataclasses.replace(a, n=(a.n - 1) // k + 1) for a, k in zip(axes, stride, strict=True))
    told = Collocation.of(equations.poisson(2), few, [DIRICHLET, DIRICHLET], lambda x, y: x + y)
    kernels = tuple(plain_kernel(axis, envelope, 1 / (axis.n - 1)) for axis in few)
    known = solve_gram(told, kernels)
    whitener = scipy.linalg.solve_triangular(known.factor, np.diag(1 / known.scales), lower=True)
    tables = cross_tables(kernels, [axis.points for axis in axes], few, 2)
    cross = covariance(point_values([axis.n for axis in axes]), known.measurements.blocks, tables)
    variance = 1 - np.sum((whitener @ cross.T) ** 2, 0)
    spread = np.sqrt(np.maximum(variance, 0)).reshape([axis.n for axis in axes])
    spread[[0, -1], :] = spread[:, [0, -1]] = 0  # given, but for the nugget
    return whitener, spread
