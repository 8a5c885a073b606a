"""What the residual of a prediction says about its error: estimates of an evaluation, and their calibration."""

import math
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from data.source import Samples
from operators.refiner import Differences, Refiner
from operators.refiner.flow import count_fields

from .trajectory import trajectory_of

# The share of samples that a calibrated interval is made to hold.
LEVEL = 0.9


def estimate_of(
    samples: Samples, allow: Sequence[str] = (), order: float | int = 0
) -> Callable[[Array, Array], Float[Array, "b"]]:
    """(inputs, predictions) -> what the equation says of every sample's relative error, without the targets.

        T k^-s eta_s(v) / |v|    over outputs that span a time T, k the lowest wavenumber, |v| in L^2 of space and time

    eta is that of the equation behind the data, with differences in time over inputs and outputs (`Differences`, of
    order 6 where there are snapshots for it): `operators.refiner.Estimator`. It is taken on a grid where no stored mode
    is lost to de-aliasing. The denominator is that of the relative L2 error: relative to the estimate of persistence,
    as the history of a refinement is, a livelier sample with its larger error would have no larger estimate.

    Args:
        samples: a set of trajectories: inputs are the snapshots before the targets.
        allow: as for `data.instantiate.instantiate`.
        order: s of the residual's norm. 0 is that of the field itself: through the propagator of the equation
            |u - v| / |v| <= exp(growth) times the estimate. Negative ones see less of the small scales.

    Raises:
        ValueError: where the data are no trajectory of an equation, see `training.trajectory.trajectory_of`.
    """
    trajectory = trajectory_of(samples, allow, what="estimate")
    differences = max(p for p in (2, 4, 6) if p < trajectory.snapshots)
    refiner = Refiner(Differences(trajectory.equation, trajectory.interval, differences), order=order)
    grid, interval, fields = trajectory.equation.grid, trajectory.interval, count_fields(trajectory.equation)

    def one(x: Array, prediction: Array) -> Array:
        eta = refiner.estimator(refiner.states(prediction), refiner.states(x))
        *shape, channels = prediction.shape
        size = jnp.linalg.norm(prediction) * math.sqrt(interval * math.prod(grid.extent) / math.prod(shape))
        lowest = 2 * math.pi / max(grid.extent)
        scale = interval * (channels // fields) * lowest**-order
        return scale * eta / jnp.maximum(size, jnp.finfo(size.dtype).tiny)

    return jax.vmap(one)


def interval(errors: np.ndarray, estimates: np.ndarray) -> tuple[float, float]:
    """Factors (low, high) such that low * estimate <= error <= high * estimate for 90 % of samples like these.

    Split conformal: the ranks floor((n + 1) 0.05) and ceil((n + 1) 0.95) of error / estimate. A new sample that is
    exchangeable with the n falls between them with a probability of at least 0.9, whatever the distribution.

    Args:
        errors: of samples that the operator was not trained on.
        estimates: of the same.

    Raises:
        ValueError: for fewer than 19 samples, with which nothing can be said at that level.

    Source:
        Vovk et al. 2005; Lei et al. 2018 (J. Am. Stat. Assoc. 113), with the ratio as the score.
    """
    count, tail = len(errors), (1 - LEVEL) / 2
    # Round-off must not move a rank.
    low, high = math.floor((count + 1) * tail + 1e-9), math.ceil((count + 1) * (1 - tail) - 1e-9)
    if low < 1:
        enough = math.ceil(1 / tail - 1e-9) - 1
        raise ValueError(
            f"estimate: got {count} validation samples, wanted at least {enough} for an interval that holds {LEVEL:.0%}"
        )
    ratios = np.sort(errors / estimates)
    return float(ratios[low - 1]), float(ratios[high - 1])


def calibration(errors: np.ndarray, estimates: np.ndarray, factors: tuple[float, float]) -> dict[str, Any]:
    """How well the estimates tell the errors of a set, name -> number.

    `estimate`: their mean; `estimate_correlation`: of the logarithms of both, None for fewer than three samples;
    `estimate_low`, `estimate_high`: the interval's factors; `estimate_coverage`: the share of errors inside;
    `estimate_outside`: the samples that are not.
    """
    low, high = factors
    outside = (errors < low * estimates) | (errors > high * estimates)
    logs = np.log(np.maximum(np.stack([errors, estimates]), np.finfo(float).tiny))
    spread = len(errors) > 2 and logs.std(axis=1).min() > 0
    return {
        "estimate": float(estimates.mean()),
        "estimate_correlation": float(np.corrcoef(logs)[0, 1]) if spread else None,
        "estimate_low": low,
        "estimate_high": high,
        "estimate_coverage": float(1 - outside.mean()),
        "estimate_outside": np.flatnonzero(outside).tolist(),
    }
