"""Collocation by joint covariances: one process, conditioned on the equation and the data, with its variance."""

import dataclasses
from collections.abc import Sequence

import jax.numpy as jnp
import numpy as np
import scipy.linalg
from jaxtyping import Array, Float

from .axis import check_smoothness
from .collocation import Collocation
from .kernels import SpectralMixture
from .measurements import Measurements, covariance, cross_tables, measure, node_tables, point_values

NUGGETS = tuple(10.0**power for power in range(-13, -5))  # of rows that are scaled to variance 1
_LARGEST = 8000  # measurements whose covariance is factored whole
_TOLERANCE, _MAX_STEPS = 1e-7, 20  # steps are quadratic: the next one would be in the rounding


@dataclasses.dataclass(frozen=True)
class GramSolution:
    """A process, conditioned.

    Args:
        problem: the data.
        mixtures: kernels of the axes.
        measurements: what it is conditioned on; of an equation with a reaction its linearisation.
        factor: lower Cholesky factor of their covariance, rows scaled to variance 1.
        scales: the standard deviations by which they were.
        weights: covariance^-1 values.
        amplitude: sigma^2 = values^T covariance^-1 values / n: the factor on the kernel that makes the data likeliest.
        log_likelihood: log marginal likelihood of the values at that amplitude.
        nugget: that the factorisation took.
        steps: of Gauss and Newton's iteration; 0 of linear equations.
    """

    problem: Collocation
    mixtures: tuple[SpectralMixture, ...]
    measurements: Measurements
    factor: Float[np.ndarray, "n n"]
    scales: Float[np.ndarray, "n"]
    weights: Float[np.ndarray, "n"]
    amplitude: float
    log_likelihood: float
    nugget: float
    steps: int

    def __call__(self, points: Sequence[Float[np.ndarray, "_"]]) -> Float[Array, "*points"]:
        """The posterior mean at a tensor grid of points, one array of coordinates per axis."""
        return jnp.asarray((self._cross(points) @ self.weights).reshape([len(x) for x in points]))

    @property
    def values(self) -> Float[Array, "*space"]:
        """The posterior mean at the points of the problem."""
        return self([axis.points for axis in self.problem.axes])

    def deviation(self, points: Sequence[Float[np.ndarray, "_"]]) -> Float[Array, "*points"]:
        """The posterior standard deviation at a tensor grid of points, for the kernel with the fitted amplitude."""
        explained = scipy.linalg.solve_triangular(self.factor, self._cross(points).T / self.scales[:, None], lower=True)
        prior = np.prod([float(mixture.variance) for mixture in self.mixtures])
        variance = self.amplitude * np.maximum(prior - np.sum(explained**2, 0), 0)
        return jnp.asarray(np.sqrt(variance).reshape([len(x) for x in points]))

    def _cross(self, points: Sequence[np.ndarray]) -> np.ndarray:
        given = cross_tables(self.mixtures, points, self.problem.axes, max(self.problem.equation.order, 1))
        return covariance(point_values([len(x) for x in points]), self.measurements.blocks, given)


def solve_gram(problem: Collocation, mixtures: Sequence[SpectralMixture]) -> GramSolution:
    """The process with these kernels, given the equation at all points and the data at the sides.

        mean = cov(u, y) cov(y, y)^-1 y,    y = (f, g);    covariances of derivatives are derivatives of k

    An equation with a reaction is linearised where the last mean was, until the mean stays (Gauss and Newton).

    Args:
        problem: the data; with its conditions at most 8000 measurements.
        mixtures: kernels of the axes.

    Raises:
        ValueError: for kernels that are too rough, too many measurements, a covariance that no nugget makes positive
            definite, and where Gauss and Newton's iteration does not end.

    Accuracy:
        That of `pdes.gp.direct.solve`, better where many points meet a long scale. O(measurements^3).

    Source:
        Chen, Hosseini, Owhadi and Stuart 2021 (arXiv 2103.12959), with kernels that are products over the axes.
    """
    count = int(np.prod(problem.shape)) + sum(data.size for data in problem.data)
    if count > _LARGEST:
        raise ValueError(f"problem: got {count} measurements, wanted at most {_LARGEST}; take fewer points, or solve()")
    for axis, mixture in zip(problem.axes, mixtures, strict=True):
        check_smoothness(mixture.envelope, problem.equation.order)
        axis.check_waves(mixture)
    if problem.equation.reaction is None:
        return _condition(problem, tuple(mixtures), jnp.zeros(problem.shape), 0)
    u = jnp.zeros(problem.shape)
    for step in range(1, _MAX_STEPS + 1):
        solution = _condition(problem, tuple(mixtures), u, step)
        before, u = u, solution.values
        if float(jnp.max(jnp.abs(u - before))) <= _TOLERANCE * float(jnp.max(jnp.abs(u))):
            return solution
    raise ValueError(f"reaction: got no fixed point in {_MAX_STEPS} steps, wanted one; take more points, or solve()")


def _condition(problem: Collocation, mixtures: tuple[SpectralMixture, ...], around: Array, steps: int) -> GramSolution:
    measurements = measure(problem, around)
    given = node_tables(mixtures, problem.axes, 2 * max(problem.equation.order, 1))
    matrix = covariance(measurements.blocks, measurements.blocks, given)
    n, scales = len(matrix), np.sqrt(np.diagonal(matrix))
    matrix /= scales[:, None] * scales[None, :]
    for nugget in NUGGETS:
        try:
            factor = scipy.linalg.cholesky(matrix + nugget * np.eye(n), lower=True)
            break
        except scipy.linalg.LinAlgError:
            continue
    else:
        raise ValueError(
            f"mixtures: got a covariance that is not positive definite with a nugget of {NUGGETS[-1]:g}, wanted "
            "shorter scales or fewer points"
        )
    scaled = measurements.values / scales
    weights = scipy.linalg.cho_solve((factor, True), scaled)
    amplitude = float(scaled @ weights) / n
    logdet = 2 * np.sum(np.log(np.diagonal(factor))) + 2 * np.sum(np.log(scales))
    likelihood = -0.5 * (logdet + n * np.log(amplitude) + n * (1 + np.log(2 * np.pi)))
    return GramSolution(
        problem, mixtures, measurements, factor, scales, weights / scales, amplitude, float(likelihood), nugget, steps
    )
