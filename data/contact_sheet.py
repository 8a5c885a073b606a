"""The picture of a data set: samples below each other, fields and times side by side, spectra at the end."""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from .inspection import TIMES, Spectrum, spread
from .metadata import Metadata
from .schema import open_file
from .source import read_channels


def contact_sheet(
    path: str | Path, metadata: Metadata, spectra: Mapping[tuple[str, int], Spectrum], samples: int = 4
) -> Path:
    """Draws some samples of a file and their spectra.

    Of three-dimensional fields the middle slice; on one axis a line, or, where there are many times, time upwards over
    space. The colours of a field are the same at all of its times in a sample.

    Args:
        path: where the PNG goes.
        metadata: header of the file.
        spectra: see `inspection.spectra`.
        samples: at most so many rows.
    """
    import matplotlib
    from matplotlib.figure import Figure

    rows = spread(metadata.samples, samples)
    panels = _panels(metadata)
    with matplotlib.rc_context({"font.size": 7, "axes.titlesize": 7, "image.interpolation": "nearest"}):
        figure = Figure(figsize=(1.7 * len(panels) + 4.2, max(1.7 * len(rows), 3.4)), layout="constrained")
        parts: Any = figure.subfigures(1, 2, width_ratios=(1.7 * len(panels), 4.2))
        pictures, curves = parts
        axes = pictures.subplots(len(rows), len(panels), squeeze=False)
        with open_file(metadata.path) as file:
            for line, row in zip(axes, rows, strict=True):
                for axis, (name, times) in zip(line, panels, strict=True):
                    values = read_channels(file, metadata, [(name, time) for time in times], row)
                    _draw(axis, metadata, values, _limits(file, metadata, name, row))
                    stamp = f"t = {metadata.fields[name].times[times[0]]:.4g}" if len(times) == 1 else "over time"
                    axis.set_title(f"{name}, {stamp}" if row == rows[0] else f"sample {row}")
        _draw_spectra(curves.subplots(), spectra, metadata)
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(path, dpi=130)
    return Path(path)


def _panels(metadata: Metadata) -> list[tuple[str, list[int]]]:
    """Field and times of every column: all times in one where they make a picture with the only axis of space."""
    found = []
    for name, field in metadata.fields.items():
        count = len(field.times)
        if metadata.ndim == 1 and count > TIMES:
            found.append((name, list(range(count))))
        else:
            found.extend((name, [time]) for time in spread(count, TIMES))
    return found


def _limits(file: Any, metadata: Metadata, name: str, row: int) -> tuple[float, float]:
    times = spread(len(metadata.fields[name].times), TIMES)
    values = read_channels(file, metadata, [(name, time) for time in times], row)
    return float(np.min(values)), float(np.max(values))


def _draw(axis: Any, metadata: Metadata, values: list[np.ndarray], limits: tuple[float, float]) -> None:
    low, high = limits
    colours = "RdBu_r" if low < 0 < high else "viridis"
    if low < 0 < high:
        high = max(-low, high)
        low = -high
    if metadata.ndim == 1 and len(values) == 1:
        axis.plot(metadata.box.coordinates[0], values[0], linewidth=0.8)
        axis.set_ylim(*_with_margin(low, high))
        axis.tick_params(labelsize=5)
        return
    if metadata.ndim == 1:
        plane, sides = np.stack(values), (1.0, 1.0)
    else:
        plane = values[0] if metadata.ndim == 2 else values[0][..., metadata.shape[-1] // 2]
        plane, sides = plane.T, metadata.extent[:2]
    # Without ticks a box has no place, only sides.
    axis.imshow(plane, origin="lower", cmap=colours, vmin=low, vmax=high, extent=(0, sides[0], 0, sides[1]))
    axis.set_xticks([])
    axis.set_yticks([])


def _with_margin(low: float, high: float) -> tuple[float, float]:
    margin = 0.05 * (high - low) or 1.0
    return low - margin, high + margin


def _draw_spectra(axis: Any, spectra: Mapping[tuple[str, int], Spectrum], metadata: Metadata) -> None:
    for (name, time), one in spectra.items():
        first = time == 0
        k = np.arange(1, len(one.shells))
        label = f"{name}, t = {metadata.fields[name].times[time]:.4g}" if len(spectra) <= 12 or first else None
        axis.loglog(k, np.maximum(one.shells[1:], 1e-300), linewidth=1, label=label)
    largest = max(float(one.shells.max()) for one in spectra.values())
    axis.set_ylim(largest * 1e-16, largest * 3 if largest > 0 and math.isfinite(largest) else 1)
    axis.set_xlabel("periods along the longest side")
    axis.set_ylabel("mean square per shell")
    axis.grid(True, alpha=0.3)
    axis.legend(fontsize=6, frameon=False)
