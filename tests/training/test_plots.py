"""Plots: what is drawn is what was given, with the limits, labels and orientation that are promised."""

import math
import sys
from pathlib import Path

import matplotlib
import numpy as np
import pytest
from matplotlib.figure import Figure

from data.metadata import Metadata
from data.source import Samples
from pdes.generators import FieldInfo
from spectral.grid import Grid
from training import plots
from training.jsonl import JsonLines


def make_samples(shape, extent=None, channels=1, unit="1/s"):
    extent = extent or (2 * math.pi,) * len(shape)
    mesh = Grid(shape, extent).mesh
    wave = np.sin(2 * math.pi * 3 * mesh[0] / extent[0]).astype(np.float32)
    y = np.stack([wave * (c + 1) for c in range(channels)], axis=-1)[None].repeat(2, axis=0)
    metadata = Metadata(
        path=Path("test.h5"),
        equation="waves",
        parameters={},
        generator={},
        revision="",
        seed=0,
        compute_dtype="float64",
        split="test",
        samples=2,
        shape=shape,
        extent=extent,
        grid_type="periodic",
        fields={
            "forcing": FieldInfo((0.0,), "1", "forcing"),
            "vorticity": FieldInfo(tuple(5.0 + c for c in range(channels)), unit, "vorticity"),
        },
        stats={},
        inputs={"forcing": (0,)},
        targets={"vorticity": tuple(range(channels))},
        content_key="",
    )
    return Samples(y[..., :1] ** 2, y, metadata, metadata.inputs, metadata.targets)


@pytest.fixture
def drawn(monkeypatch):
    """The figures that were saved, coarsely to be quick."""
    figures, save = [], Figure.savefig

    def keep(figure, path, **options):
        figures.append(figure)
        save(figure, path, **options, dpi=20)

    monkeypatch.setattr(Figure, "savefig", keep)
    return figures


def test_images(tmp_path, drawn):
    samples = make_samples((16, 8), (2 * math.pi, 1.0))
    path = plots.fields(tmp_path / "new" / "f.png", samples, 1.5 * samples.y)
    assert path.read_bytes().startswith(b"\x89PNG")
    panels = [axes for axes in drawn[0].axes if axes.images]
    assert len(panels) == 8  # two samples
    source, target, prediction, error = (axes.images[0] for axes in panels[:4])
    assert target.get_clim() == prediction.get_clim() == pytest.approx((-1, 1), abs=0.01)
    assert error.get_clim() == pytest.approx((-0.5, 0.5), abs=0.01)
    assert source.get_cmap().name == "cividis" and target.get_cmap().name == "RdBu_r"  # of one sign, of both
    # x to the right, y upwards, in physical units.
    np.testing.assert_array_equal(target.get_array(), samples.y[0, ..., 0].T)
    assert target.get_extent() == pytest.approx([0, 2 * math.pi, 0, 1]) and target.origin == "lower"
    assert [text.get_text() for text in panels[0].get_xticklabels()] == ["0", r"$\pi$", r"$2\pi$"]
    assert panels[3].get_title() == "error (relative L2 50.00%)"
    labels = {axes.get_ylabel() for axes in drawn[0].axes}
    assert {"forcing, $t = 0$", "vorticity, $t = 5$ [1/s]"} <= labels


def test_lines_and_channels(tmp_path, drawn):
    samples = make_samples((32,), (1.0,), channels=5, unit="m^2/s")
    plots.fields(tmp_path / "f.png", samples, samples.y + 1)
    figure = drawn[0]
    assert len(figure.axes) == 9  # first, middle and last channel
    assert figure.axes[7].get_ylabel() == r"vorticity, $t = 9$ [$\mathrm{m^2/s}$]"
    target, prediction = figure.axes[7].lines
    np.testing.assert_allclose(target.get_xdata(), np.arange(32) / 32)
    np.testing.assert_allclose(prediction.get_ydata() - target.get_ydata(), 1, rtol=1e-6)  # one rounding of float32


def test_slice_of_a_volume(tmp_path, drawn):
    samples = make_samples((8, 6, 4))
    prediction = samples.y.copy()
    prediction[:, :, :, 2] *= 2  # the slice that is shown
    plots.fields(tmp_path / "f.png", samples, prediction, rows=1)
    panels = [axes for axes in drawn[0].axes if axes.images]
    assert panels[0].get_title() == "input, slice at $z = 3.14$"
    np.testing.assert_array_equal(panels[2].images[0].get_array(), prediction[0, :, :, 2, 0].T)
    assert panels[3].get_title() == "error (relative L2 50.00%)"  # of the volume: sqrt(1 / 4)


def test_spectra(tmp_path, drawn):
    samples = make_samples((16, 24), (2.0, 3.0))
    plots.spectra(tmp_path / "s.png", samples, 2 * samples.y)
    axes = drawn[0].axes[0]
    target, prediction, error = axes.lines
    wavenumber = 2 * math.pi * 3 / 2.0
    for line, square in ((target, 0.5), (prediction, 2.0), (error, 0.5)):
        k, power = line.get_data()
        peak = np.argmax(power)
        # The shell that holds the wave: half a fundamental wavenumber wide to both sides.
        assert abs(k[peak] - wavenumber) <= math.pi / 3.0 * (1 + 1e-6)
        assert power[peak] == pytest.approx(square, rel=1e-5)
    assert axes.get_ylabel() == r"mean square per shell [$(\mathrm{1/s})^2$]"
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["target", "prediction", "error"]


def test_curves(tmp_path, drawn):
    rows = JsonLines(tmp_path / "metrics.jsonl")
    for step in range(1, 301):
        rows.log(step, "train", {"loss": math.nan if step == 7 else 1 / step, "lr": 1e-3, "epoch": step / 100}, {})
        if step % 100 == 0:
            rows.log(step, "valid", {"rel_l2": 2 / step, "rel_h1": 3 / step}, {})
    rows.log(300, "test", {"rel_l2": 0.5}, {})
    rows.close()
    plots.curves(tmp_path / "c.png", tmp_path / "metrics.jsonl")
    loss, evaluation, rate = drawn[0].axes
    assert [axes.get_ylabel() for axes in (loss, evaluation, rate)] == ["training loss", "evaluation", "learning rate"]
    raw, smooth = loss.lines
    assert len(raw.get_xdata()) == 299 and loss.get_yscale() == "log"
    # On 1/step the geometric running mean over five points stays within their range.
    x, y = smooth.get_data()
    assert np.all(y <= 1 / (x - 2.9)) and np.all(y >= 1 / (x + 2.9))
    assert [line.get_label() for line in evaluation.lines] == ["valid rel_l2", "valid rel_h1"]
    np.testing.assert_array_equal(evaluation.lines[0].get_data(), [[100, 200, 300], [0.02, 0.01, 2 / 300]])


def test_nothing_is_left_behind(tmp_path):
    pyplot, settings = "matplotlib.pyplot" in sys.modules, dict(matplotlib.rcParams)
    samples = make_samples((16,))
    first = plots.fields(tmp_path / "a.png", samples, samples.y).read_bytes()
    # Over itself, where a run is started again: the same bytes.
    assert first == plots.fields(tmp_path / "a.png", samples, samples.y).read_bytes()
    assert [path.name for path in tmp_path.iterdir()] == ["a.png"]
    assert ("matplotlib.pyplot" in sys.modules) == pyplot and dict(matplotlib.rcParams) == settings
