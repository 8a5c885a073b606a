"""Pictures of a run: fields, spectra, curves. Drawn without pyplot, so that nothing global is left behind."""

import contextlib
import functools
import io
import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np
from jaxtyping import Array, Float

from data.metadata import FieldMap, Metadata
from data.source import Samples
from spectral.grid import Grid
from spectral.norms import shell_spectrum
from spectral.transforms import rfftn

from .directory import write_bytes
from .jsonl import read_metrics

# Okabe-Ito: told apart by colour-blind readers and in grey.
BLACK, BLUE, ORANGE, GREEN, PURPLE, GREY = "#000000", "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#8A8A8A"
CYCLE = (BLUE, ORANGE, GREEN, PURPLE, BLACK)
PIXELS_PER_INCH = 140
_STYLE: Any = {
    "font.size": 9,
    "axes.titlesize": 9.5,
    "axes.labelsize": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": False,
    "axes.axisbelow": True,
    "grid.color": "#E4E4E4",
    "legend.frameon": False,
    "image.interpolation": "nearest",
    "savefig.dpi": PIXELS_PER_INCH,
}


def fields(path: str | Path, samples: Samples, prediction: Float[np.ndarray, "n *space c"], *, rows: int = 3) -> Path:
    """Input, target, prediction and error side by side; of three-dimensional fields the middle slice.

    Target and prediction share their colours, whose limits are those of the target. One row per sample, or, where
    there are several target channels, per channel of the first sample.

    Args:
        path: where the PNG goes.
        samples: inputs and targets; the first ones belong to the predictions.
        prediction: fields like the targets, for one or more samples.
        rows: at most so many rows.
    """
    count, channels = len(prediction), prediction.shape[-1]
    if channels == 1:
        picks = [(i, 0) for i in range(min(rows, count))]
    else:
        picks = [
            (0, c) for c in np.unique(np.linspace(0, channels - 1, min(rows, channels)).round().astype(int)).tolist()
        ]
    draw = _line_row if samples.metadata.ndim == 1 else _image_row
    with figure_file(path, *_size(samples.metadata, len(picks))) as figure:
        for row, (sample, channel) in enumerate(picks):
            source = min(channel, samples.x.shape[-1] - 1)
            content = _Row(
                samples.x[sample, ..., source],
                samples.y[sample, ..., channel],
                prediction[sample, ..., channel],
                _label(samples.metadata, samples.inputs, source),
                _label(samples.metadata, samples.targets, channel),
                _color_map(samples.x[:count, ..., source]),
                _color_map(samples.y[:count, ..., channel]),
            )
            draw(figure, (len(picks), row), samples.metadata, content)
    return Path(path)


def spectra(path: str | Path, samples: Samples, prediction: Float[np.ndarray, "n *space c"]) -> Path:
    """Mean square by shells of wavenumber, of target, prediction and error, mean over samples, one panel per channel.

    Args:
        path: where the PNG goes.
        samples: the first of them belong to the predictions.
        prediction: fields like the targets.
    """
    metadata, target = samples.metadata, samples.y[: len(prediction)]
    grid = Grid(metadata.shape, metadata.extent)
    channels = range(min(prediction.shape[-1], 4))
    with figure_file(path, 4.6 * len(channels), 3.6) as figure:
        for channel in channels:
            axes = figure.add_subplot(1, len(channels), channel + 1)
            u, v = target[..., channel], prediction[..., channel]
            name, _ = metadata.channels(samples.targets)[channel]
            lines = (
                ("target", u, {"color": BLACK, "linewidth": 2.2}),
                ("prediction", v, {"color": BLUE, "linestyle": "--", "linewidth": 1.8}),
                ("error", v - u, {"color": ORANGE, "linestyle": ":", "linewidth": 1.8}),
            )
            for label, field, style in lines:
                k, energy = _spectrum(field, grid)
                axes.loglog(k, energy, label=label, **style)
            axes.set_title(_label(metadata, samples.targets, channel))
            axes.set_xlabel("wavenumber $|k|$ (rad / length)")
            axes.set_ylabel(f"mean square per shell{_unit(metadata.fields[name].unit, 2)}")
            axes.grid(which="major")
            if channel == 0:
                axes.legend()
    return Path(path)


def curves(path: str | Path, metrics: str | Path) -> Path:
    """Training loss, evaluation metrics and learning rate over steps.

    Args:
        path: where the PNG goes.
        metrics: a `metrics.jsonl`; splits other than `train` are evaluations.
    """
    series = _series(metrics)
    loss = {name: data for (split, name), data in series.items() if split == "train" and name == "loss"}
    rate = {name: data for (split, name), data in series.items() if split == "train" and name == "lr"}
    # A single point (a final test) is a number for the table, not a curve.
    # Scores of pictures have units of their own.
    titles, errors = {"psnr": "PSNR, dB", "ssim": "SSIM"}, ("training loss", "evaluation")
    evaluations: dict[str, dict[str, Any]] = {"evaluation": {}}
    for (split, name), data in series.items():
        if split != "train" and len(data) > 1:
            evaluations.setdefault(titles.get(name, "evaluation"), {})[f"{split} {name}"] = data
    everything = {"training loss": loss, **evaluations, "learning rate": rate}
    panels = [(title, group) for title, group in everything.items() if group]
    with figure_file(path, 4.2 * max(len(panels), 1), 3.2) as figure:
        for index, (title, group) in enumerate(panels):
            axes = figure.add_subplot(1, len(panels), index + 1)
            for (label, data), color in zip(group.items(), CYCLE, strict=False):
                steps, values = np.array(data).T
                marker = "o" if title in evaluations and len(steps) < 60 else None
                line = {"color": color, "label": label, "linewidth": 1.4, "marker": marker, "markersize": 3}
                if len(steps) > 100 and np.all(values > 0) and title in errors:
                    axes.plot(steps, values, color=color, linewidth=0.7, alpha=0.35)
                    steps, values = _smooth(steps, values)
                axes.plot(steps, values, **line)
            if title in errors and all(value > 0 for data in group.values() for _, value in data):
                axes.set_yscale("log")
            axes.set_ylabel(title)
            axes.set_xlabel("optimizer step")
            axes.grid(which="major")
            if len(group) > 1:
                axes.legend()
    return Path(path)


@contextlib.contextmanager
def figure_file(path: str | Path, width: float, height: float) -> Iterator[Any]:
    """A figure in our style (inches), saved on leaving and then forgotten."""
    # Takes most of a second: only runs that plot pay for it.
    import matplotlib
    from matplotlib.figure import Figure

    with matplotlib.rc_context(_STYLE):
        figure = Figure(figsize=(width, height), layout="constrained")
        yield figure
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        # No version in the file: the same data give the same bytes.
        picture = io.BytesIO()
        figure.savefig(picture, format="png", metadata={"Software": None})
        write_bytes(Path(path), picture.getvalue())


def _smooth(steps: np.ndarray, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Geometric running mean over a fiftieth of the points."""
    window = len(steps) // 50
    kernel = np.full(window, 1 / window)
    return np.convolve(steps, kernel, "valid"), np.exp(np.convolve(np.log(values), kernel, "valid"))


class _Row(NamedTuple):
    """What one row shows."""

    source: np.ndarray
    target: np.ndarray
    prediction: np.ndarray
    source_label: str
    target_label: str
    source_map: str
    target_map: str

    @property
    def error_title(self) -> str:
        norm = float(np.linalg.norm(self.target))
        relative = float(np.linalg.norm(self.prediction - self.target)) / norm if norm else math.nan
        return f"error (relative L2 {relative:.2%})"


def _size(metadata: Metadata, rows: int) -> tuple[float, float]:
    if metadata.ndim == 1:
        return 11.0, 2.4 * rows + 0.2
    aspect = min(max(metadata.extent[1] / metadata.extent[0], 0.35), 1.6)
    width = 12.0 / max(aspect, 1.0) ** 0.7
    return width, width * (0.205 * aspect + 0.04) * rows + 0.2


def _line_row(figure: Any, place: tuple[int, int], metadata: Metadata, content: _Row) -> None:
    """Input | target with prediction | error, over x."""
    rows, row = place
    source, target, prediction = content[:3]
    length = metadata.extent[0]
    x = metadata.box.coordinates[0] - metadata.box.origin[0]
    panels = (
        (content.source_label, "input", ((source, {"color": GREY}),)),
        (
            content.target_label,
            "target and prediction",
            (
                (target, {"color": BLACK, "label": "target"}),
                (prediction, {"color": BLUE, "ls": "--", "label": "prediction"}),
            ),
        ),
        ("prediction $-$ target", content.error_title, ((prediction - target, {"color": ORANGE}),)),
    )
    for column, (ylabel, title, lines) in enumerate(panels):
        axes = figure.add_subplot(rows, 3, 3 * row + column + 1)
        for values, style in lines:
            axes.plot(x, values, linewidth=1.5, **style)
        axes.set_ylabel(ylabel)
        axes.grid()
        set_ticks(axes.xaxis, length)
        axes.set_xlim(0, length)
        if row == 0 or column == 2:
            axes.set_title(title)
        if row == rows - 1:
            axes.set_xlabel("$x$")
        if row == 0 and column == 1:
            axes.legend()


def _image_row(figure: Any, place: tuple[int, int], metadata: Metadata, content: _Row) -> None:
    """Input | target | prediction | error as images."""
    rows, row = place
    source, target, prediction = content[:3]
    where = ""
    if metadata.ndim == 3:
        middle = metadata.shape[2] // 2
        source, target, prediction = (field[:, :, middle] for field in (source, target, prediction))
        where = f", slice at $z = {middle / metadata.shape[2] * metadata.extent[2]:.3g}$"
    error = prediction - target
    # Target and prediction have the limits of the target.
    panels = (
        (f"input{where}", source, content.source_map, source, content.source_label),
        ("target", target, content.target_map, target, None),
        ("prediction", prediction, content.target_map, target, content.target_label),
        (content.error_title, error, "PuOr_r", error, "prediction $-$ target"),
    )
    previous = None
    for column, (title, field, cmap, scale, label) in enumerate(panels):
        low, high = limits(scale, cmap)
        axes = figure.add_subplot(rows, 4, 4 * row + column + 1)
        box = (0, metadata.extent[0], 0, metadata.extent[1])
        image = axes.imshow(field.T, origin="lower", extent=box, cmap=cmap, vmin=low, vmax=high)
        axes.spines[:].set_visible(True)
        set_ticks(axes.xaxis, metadata.extent[0])
        set_ticks(axes.yaxis, metadata.extent[1], labels=column == 0)
        if row == 0 or column == 3:
            axes.set_title(title)
        if row == rows - 1:
            axes.set_xlabel("$x$")
        if column == 0:
            axes.set_ylabel("$y$")
        if label:
            # One bar for target and prediction, whose colours mean the same.
            shared = [previous, axes] if title == "prediction" else [axes]
            outside = title == "prediction" and (prediction.min() < low or prediction.max() > high)
            figure.colorbar(
                image, ax=shared, shrink=0.85, aspect=18, extend="both" if outside else "neither"
            ).set_label(label)
        previous = axes


def _color_map(fields: np.ndarray) -> str:
    """Diverging for fields of both signs, else sequential; both are safe for colour-blind readers."""
    low, high = float(fields.min()), float(fields.max())
    return "RdBu_r" if min(-low, high) > 0.1 * max(-low, high) else "cividis"


def limits(field: np.ndarray, cmap: str) -> tuple[float, float]:
    """Symmetric about zero for a diverging map."""
    low, high = float(field.min()), float(field.max())
    if cmap != "cividis":
        high = max(-low, high) or 1.0
        return -high, high
    return low, high if high > low else low + 1.0


def _label(metadata: Metadata, field_map: FieldMap, channel: int) -> str:
    """Name, time and unit of a channel; "1" is the unit of dimensionless fields."""
    name, index = metadata.channels(field_map)[channel]
    field = metadata.fields[name]
    return f"{name.replace('_', ' ')}, $t = {field.times[index]:g}${_unit(field.unit)}"


def _unit(unit: str, power: int = 1) -> str:
    if unit in ("", "1"):
        return ""
    if power != 1:
        return rf" [$(\mathrm{{{unit}}})^{power}$]"
    return rf" [$\mathrm{{{unit}}}$]" if "^" in unit else f" [{unit}]"


def set_ticks(axis: Any, length: float, labels: bool = True) -> None:
    """Both ends and the middle, in units of pi where the length is a multiple of it."""
    turns = length / math.pi
    if turns > 0.5 and abs(turns - round(turns)) < 1e-6:
        texts = ["0", _pi(turns / 2), _pi(turns)]
    else:
        texts = [f"{value:g}" for value in (0.0, length / 2, length)]
    axis.set_ticks([0.0, length / 2, length], texts if labels else [""] * 3)


def _pi(turns: float) -> str:
    return r"$\pi$" if turns == 1 else rf"${turns:g}\pi$"


def _spectrum(field: np.ndarray, grid: Grid) -> tuple[np.ndarray, np.ndarray]:
    """Mean over samples of every shell that holds something and lies inside the square of kept wavenumbers."""
    power = np.asarray(_power(field, grid)).mean(0)
    k = np.arange(len(power)) * 2 * math.pi / max(grid.extent)
    largest = min(math.pi / h for h in grid.spacing) * (1 + 1e-6)
    keep = (k > 0) & (k <= largest) & (power > 0)
    return k[keep], power[keep]


@functools.partial(jax.jit, static_argnums=1)
def _power(field: Float[Array, "n *space"], grid: Grid) -> Float[Array, "n shell"]:
    return shell_spectrum(rfftn(field, range(1, field.ndim)), grid)


def _series(path: str | Path) -> dict[tuple[str, str], Sequence[tuple[int, float]]]:
    """(split, name) -> finite values over steps."""
    series: dict[tuple[str, str], list[tuple[int, float]]] = {}
    for row in read_metrics(path):
        for name, value in row["metrics"].items():
            if math.isfinite(value):
                series.setdefault((row["split"], name), []).append((row["step"], value))
    return dict(series)
