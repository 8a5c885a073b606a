"""Skill of forecasts: errors and anomaly correlations, weighted by the area that a point of the globe stands for."""

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

Values = Array | np.ndarray


def latitude_weights(latitudes: Float[np.ndarray, "n"], from_pole: bool | None = None) -> Float[np.ndarray, "n"]:
    """n cos(lat_j) / sum_i cos(lat_i): weights of mean 1 for rows of equal spacing in latitude.

    Args:
        latitudes: in radians, from -pi/2 to pi/2, or 0 to pi where they count from a pole.
        from_pole: whether they do; None where the numbers tell, by one below 0 (they do not) or above pi/2 (they do).

    Raises:
        ValueError: for angles that are no latitudes, or that may be of either kind.

    Source: the metrics of Pathak et al., FourCastNet, 2022.
    """
    angles = np.asarray(latitudes, np.float64)
    low, high = float(angles.min()), float(angles.max())
    if from_pole is None:
        if low >= 0 and high <= np.pi / 2 + 1e-6:
            raise ValueError(
                f"latitudes: got {low:.4g} .. {high:.4g}, one side of the equator or a part of a count from the pole, "
                "wanted to know which; set from_pole=false for the first, from_pole=true for the second"
            )
        from_pole = low >= 0
    if from_pole:
        angles = np.pi / 2 - angles
    if np.abs(angles).max() > np.pi / 2 + 1e-6:
        raise ValueError(
            f"latitudes: got {low:.4g} .. {high:.4g}, wanted radians within -pi/2 .. pi/2, or 0 .. pi from a pole; "
            "choose the axis that latitudes lie on, and from_pole as they count"
        )
    area = np.cos(angles)
    return area / area.mean()


def rmse(
    prediction: Float[Values, "*b x y"],
    target: Float[Values, "*b x y"],
    weights: Float[Values, "x y"],
) -> Float[Array, "*b"]:
    """sqrt(mean w (u - v)^2) over the points.

    Args:
        prediction: u.
        target: v.
        weights: w, of mean 1.
    """
    return jnp.sqrt(_mean(jnp.square(prediction - target), weights))


def anomaly_correlation(
    prediction: Float[Values, "*b x y"],
    target: Float[Values, "*b x y"],
    climatology: Float[Values, "x y"],
    weights: Float[Values, "x y"],
) -> Float[Array, "*b"]:
    """sum w a b / sqrt(sum w a^2 sum w b^2) of the anomalies a = u - m and b = v - m.

    1 for a perfect forecast, 0 for one whose departures from the climate have nothing to do with the true ones; above
    0.6 a forecast is usually called useful.

    Args:
        prediction: u.
        target: v.
        climatology: m, the mean over time at every point.
        weights: w.
    """
    m = climatology.reshape((1,) * (prediction.ndim - 2) + climatology.shape)
    a, b = prediction - m, target - m
    return _mean(a * b, weights) / jnp.sqrt(_mean(a * a, weights) * _mean(b * b, weights))


def _mean(values: Float[Values, "*b x y"], weights: Float[Values, "x y"]) -> Float[Array, "*b"]:
    w = jnp.asarray(weights, values.dtype).reshape((1,) * (values.ndim - 2) + weights.shape)
    return jnp.mean(values * w, axis=(-2, -1))
