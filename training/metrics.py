"""What an evaluation reports, as per-sample functions of physical fields."""

import dataclasses
import functools
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from .losses import RelativeH1, RelativeL2

Metric = Callable[[Array, Array], Array]


def standard_metrics(extent: tuple[float, ...], periodic: bool = True, white: float | None = None) -> dict[str, Metric]:
    """Relative L2 and H1 errors on a box with the given side lengths: name -> function of [*b, *space, c] pairs.

    Without side lengths, on a cloud of points ([*b, n, c]), relative L2 alone: neighbours there are none.

    Args:
        extent: side lengths.
        periodic: whether opposite sides are one.
        white: the largest luminance where the fields are pictures, the parameter of that name of their file: then also
            the ratio of peak and noise, and the structural similarity.
    """
    if not extent:
        return {"rel_l2": RelativeL2((1.0,))}
    of_pictures: dict[str, Metric] = {} if white is None else {"psnr": PeakRatio(white), "ssim": Similarity(white)}
    return {"rel_l2": RelativeL2(extent, periodic), "rel_h1": RelativeH1(extent, periodic)} | of_pictures


@dataclasses.dataclass(frozen=True)
class PeakRatio:
    """Ratio of peak and noise of pictures in decibels: 10 log10(white^2 / mean (u - v)^2), the mean over channels.

    Higher is better; no more than 120, which equal pictures have.

    Args:
        white: the largest luminance.
    """

    white: float

    def __call__(self, prediction: Float[Array, "*b x y c"], target: Float[Array, "*b x y c"]) -> Float[Array, "*b"]:
        noise = jnp.mean(jnp.square((prediction - target) / self.white), axis=(-3, -2))
        return jnp.mean(-10 * jnp.log10(jnp.maximum(noise, 1e-12)), axis=-1)


@dataclasses.dataclass(frozen=True)
class Similarity:
    """Structural similarity (SSIM) of pictures, the mean over all windows and channels; 1 for equal ones.

        (2 m_u m_v + c_1) (2 s_uv + c_2) / ((m_u^2 + m_v^2 + c_1) (s_u^2 + s_v^2 + c_2))

    with the means m, variances s^2 and covariance s_uv of a window of 11 x 11 points under a Gaussian of standard
    deviation 1.5 points, c_1 = (0.01 white)^2 and c_2 = (0.03 white)^2. Windows lie inside the picture; in one of fewer
    than 11 points they are smaller.

    Args:
        white: the largest luminance.

    Source: Wang, Bovik, Sheikh and Simoncelli, Image Quality Assessment: From Error Visibility to Structural
        Similarity, IEEE Trans. Image Processing 13 (2004), eq. 13 to 17; the luminance is not sub-sampled first.
    """

    white: float

    def __call__(self, prediction: Float[Array, "*b x y c"], target: Float[Array, "*b x y c"]) -> Float[Array, "*b"]:
        u, v = prediction, target
        mean_u, mean_v = _window(u), _window(v)
        variances = _window(u * u) - mean_u**2 + _window(v * v) - mean_v**2
        covariance = _window(u * v) - mean_u * mean_v
        c1, c2 = (0.01 * self.white) ** 2, (0.03 * self.white) ** 2
        luminance = (2 * mean_u * mean_v + c1) / (mean_u**2 + mean_v**2 + c1)
        return jnp.mean(luminance * (2 * covariance + c2) / (variances + c2), axis=(-3, -2, -1))


def _window(values: Float[Array, "*b x y c"]) -> Float[Array, "*b i j c"]:
    """Weighted means over the windows that lie inside the picture."""
    for axis in (-3, -2):
        points = values.shape[axis]
        reach = min(5, (points - 1) // 2)
        weights = np.exp(-(np.arange(-reach, reach + 1) ** 2) / (2 * 1.5**2))
        count = points - 2 * reach
        parts = [
            float(w) * jax.lax.slice_in_dim(values, k, k + count, axis=axis % values.ndim)
            for k, w in enumerate(weights / weights.sum())
        ]
        values = functools.reduce(jnp.add, parts)
    return values
