"""A picture of a refinement: fields before and after beside the truth, errors over time, the course of the estimate."""

import math
from pathlib import Path
from typing import Any

import numpy as np

from data.source import Samples

from .plots import BLACK, BLUE, GREEN, ORANGE, figure_file, limits, set_ticks


def draw(path: Path, samples: Samples, outcome: Any) -> None:
    """The last snapshot of the first sample above, all samples below; of three dimensions the middle slice.

    Args:
        path: where the PNG goes.
        samples: names, times and box.
        outcome: see `training.refinement.Outcome`.
    """
    fields = [values[0, ..., -1] for values in (outcome.prediction, outcome.refined, outcome.truth)]
    with figure_file(path, 13.0, 5.6 if samples.metadata.ndim > 1 else 6.4) as figure:
        rows = figure.add_gridspec(2, 1, height_ratios=(1, 1.1))
        (_images if samples.metadata.ndim > 1 else _lines)(figure, rows[0], samples, fields)
        below = rows[1].subgridspec(1, 2)
        _errors(figure.add_subplot(below[0]), samples, outcome)
        _course(figure.add_subplot(below[1]), outcome.history)


def _images(figure: Any, place: Any, samples: Samples, fields: list[np.ndarray]) -> None:
    """Three fields in the colours of the truth, and two errors in those of the first."""
    if samples.metadata.ndim == 3:
        fields = [field[:, :, field.shape[2] // 2] for field in fields]
    prediction, refined, truth = fields
    errors = prediction - truth, refined - truth
    panels = (
        ("prediction", prediction, truth, "RdBu_r"),
        ("refined", refined, truth, "RdBu_r"),
        ("truth", truth, truth, "RdBu_r"),
        (f"prediction: error {_relative(prediction, truth):.2%}", errors[0], errors[0], "PuOr_r"),
        (f"refined: error {_relative(refined, truth):.2%}", errors[1], errors[0], "PuOr_r"),
    )
    columns = place.subgridspec(1, 5)
    extent = samples.metadata.extent
    for column, (title, field, scale, colors) in enumerate(panels):
        axes = figure.add_subplot(columns[column])
        low, high = limits(scale, colors)
        box = (0, extent[0], 0, extent[1])
        image = axes.imshow(field.T, origin="lower", extent=box, cmap=colors, vmin=low, vmax=high)
        axes.set_title(title)
        set_ticks(axes.xaxis, extent[0])
        set_ticks(axes.yaxis, extent[1], labels=column == 0)
        if column in (2, 4):
            figure.colorbar(image, ax=axes, shrink=0.8, aspect=18)


def _lines(figure: Any, place: Any, samples: Samples, fields: list[np.ndarray]) -> None:
    """The fields, and their errors, over x."""
    box = samples.metadata.box
    x = box.coordinates[0] - box.origin[0]
    prediction, refined, truth = fields
    columns = place.subgridspec(1, 2)
    axes = figure.add_subplot(columns[0])
    for label, field, style in (
        ("truth", truth, {"color": BLACK, "lw": 2}),
        ("prediction", prediction, {"color": ORANGE, "ls": "--"}),
        ("refined", refined, {"color": BLUE, "ls": ":"}),
    ):
        axes.plot(x, field, label=label, **style)
    axes.legend()
    axes = figure.add_subplot(columns[1])
    for label, field, color in (("prediction", prediction, ORANGE), ("refined", refined, BLUE)):
        axes.semilogy(x, np.abs(field - truth), color=color, label=f"|{label} $-$ truth|")
    axes.legend()
    for panel in figure.axes:
        panel.set_xlabel("$x$")
        set_ticks(panel.xaxis, samples.metadata.extent[0])
        panel.grid()


def _errors(axes: Any, samples: Samples, outcome: Any) -> None:
    """Relative L2 error at every output, of every sample; windows begin at times of their own."""
    name = next(iter(samples.targets))
    of_field = samples.metadata.fields[name].times
    times = [of_field[i] - of_field[samples.inputs[name][-1]] for i in samples.targets[name]]
    for who, values, color in (("prediction", outcome.prediction, ORANGE), ("refined", outcome.refined, BLUE)):
        for sample, (u, v) in enumerate(zip(values, outcome.truth, strict=True)):
            # The first field, whose times are the first channels.
            curve = [_relative(u[..., i], v[..., i]) for i in range(len(times))]
            axes.semilogy(times, curve, "o-", ms=3, lw=1, color=color, label=who if sample == 0 else None)
    axes.set(xlabel="time after the last input", ylabel="relative L2 error", title="every sample")
    axes.grid(which="major")
    axes.legend()


def _course(axes: Any, history: np.ndarray) -> None:
    for course in history:
        axes.semilogy(np.arange(len(course)), course, color=GREEN, lw=1)
    axes.set(xlabel="step of the refinement", ylabel="estimate / that of persistence", title="what is made smaller")
    axes.grid(which="major")


def _relative(u: np.ndarray, v: np.ndarray) -> float:
    norm = float(np.linalg.norm(v))
    return float(np.linalg.norm(u - v)) / norm if norm else math.nan
