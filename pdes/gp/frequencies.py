"""Frequencies of a kernel from the data of a problem: peaks of the windowed periodogram."""

from collections.abc import Callable

import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from spectral.transforms import rfftn

from .kernels import SpectralMixture

_PADDING = 16  # grid of the periodogram, in parts of a bin
_LOBE = 4  # bins on each side of a peak that its window spreads over


def spectral_peaks(
    lines: Float[np.ndarray, "b n"], length: float, num_peaks: int = 6, floor: float = 1e-3
) -> tuple[Float[np.ndarray, "q"], Float[np.ndarray, "q"]]:
    """Frequencies and amplitudes of the strongest waves in lines of equally spaced values, ends included.

    Peaks of the mean power of the lines under Hann's window, each at the top of a parabola through the logarithms of
    its three highest values, none nearer to a stronger one than four bins.

    Args:
        lines: values; one line per row.
        length: from first to last value.
        num_peaks: at most so many.
        floor: of the power, relative to the strongest peak.

    Returns:
        Frequencies, cycles per length, strongest first, and amplitudes. Nothing of what lies within half a bin of
        zero, and nothing where the lines are zero.

    Accuracy:
        1e-3 of a bin, 1 / length, for waves that are four bins apart from each other and from zero.
    """
    n = lines.shape[1]
    window = np.hanning(n + 2)[1:-1]
    spectrum = rfftn(jnp.asarray(np.pad(lines * window, ((0, 0), (0, (_PADDING - 1) * n)))), (1,))
    # Amplitudes on the padded line, of which the window is a part.
    power = np.mean(np.abs(np.asarray(spectrum)) ** 2, 0) * (2 * _PADDING * n / window.sum()) ** 2
    bins = np.arange(1, len(power) - 1)
    tops = bins[(power[1:-1] >= power[:-2]) & (power[1:-1] > power[2:]) & (bins > _PADDING // 2)]
    tops = tops[np.argsort(-power[tops], kind="stable")]
    chosen: list[int] = []
    for top in tops:
        far = all(abs(top - other) > _LOBE * _PADDING for other in chosen)
        if far and len(chosen) < num_peaks and power[top] > floor * power[tops[0]] > 0:
            chosen.append(int(top))
    places = np.array([top + _vertex(np.log(power[top - 1 : top + 2])) for top in chosen])
    return places * (n - 1) / (length * _PADDING * n), np.sqrt(power[chosen])


def _vertex(three: np.ndarray) -> float:
    """Where the parabola through values at -1, 0 and 1 is highest."""
    curvature = three[0] - 2 * three[1] + three[2]
    return 0.5 * (three[0] - three[2]) / curvature if curvature < 0 else 0.0


def mixture_from_data(
    lines: Float[np.ndarray, "b n"],
    length: float,
    scale: float,
    envelope: str = "matern52",
    symbol: Callable[[np.ndarray], np.ndarray] | None = None,
    num_peaks: int = 6,
) -> SpectralMixture:
    """A kernel with one component per wave of the data, and one without a frequency, which is always needed.

    Args:
        lines: data along an axis, one line per row.
        length: of the axis.
        scale: l of every component.
        envelope: of every component.
        symbol: of the operator between solution and data, as a function of the angular wavenumber. With it a weight is
            the amplitude of the wave in the solution, |f| / |symbol|, over the largest; without it all are alike.
        num_peaks: at most so many.

    Raises:
        ValueError: as `SpectralMixture.of`.
    """
    frequencies, amplitudes = spectral_peaks(lines, length, num_peaks)
    if symbol is None:
        weights = np.full(len(frequencies) + 1, 1 / (len(frequencies) + 1))
    else:
        waves = amplitudes / np.maximum(np.abs(symbol(2 * np.pi * frequencies)), 1e-12)
        weights = np.append(waves / waves.max() if len(waves) else waves, 1.0)
    inverse = 1 / scale if envelope != "gaussian" else 1 / (2 * scale**2)
    return SpectralMixture.of(weights.tolist(), inverse, [*frequencies.tolist(), 0.0], envelope)
