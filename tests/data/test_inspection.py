"""What `data.inspect` prints of a file whose numbers are known."""

import hashlib
import sys

import matplotlib.image
import numpy as np
import pytest
from foreign_files import pdearena

from data import inspect
from data.collection import Selection
from data.conversion import find_or_convert
from data.inspection import describe_header, spectrum, spread
from data.readers.registry import build_reader
from data.schema import read_metadata


def fields(metadata, function):
    half = 0.0 if metadata.periodic else 0.5
    axes = [(np.arange(n) + half) / n * length for n, length in zip(metadata.shape, metadata.extent, strict=True)]
    return function(*np.meshgrid(*axes, indexing="ij"))[None]


def changed(metadata, **values):
    return metadata.__class__(**{**vars(metadata), **values})


def test_shells_and_tail_of_waves(files):
    """cos 2x + 1/2 cos 5y + 1/10 cos 11x on 24 x 20 points: the last is in the outermost tenth, the mean nowhere."""
    metadata = read_metadata(files[24, 20])
    u = fields(metadata, lambda x, y: 3 + np.cos(2 * x) + np.cos(5 * y) / 2 + np.cos(11 * x + 1) / 10)
    found = spectrum(u, metadata)
    wanted = np.zeros(len(found.shells))
    wanted[[2, 5, 11]] = 1 / 2, 1 / 8, 1 / 200
    np.testing.assert_allclose(found.shells, wanted, atol=1e-7)  # squares in float32
    assert found.tail == pytest.approx(np.sqrt(1 / 200 / wanted.sum()), rel=1e-5)
    np.testing.assert_allclose(found.octaves[:4], np.array([0, 1 / 2, 1 / 8, 1 / 200]) / wanted.sum(), atol=1e-6)


def test_a_box_that_is_longer_one_way(files):
    """The longest side sets the unit: a wave along the short one has more periods in it."""
    metadata = changed(read_metadata(files[24, 20]), extent=(2 * np.pi, np.pi))
    found = spectrum(fields(metadata, lambda x, y: np.cos(2 * y)), metadata)
    assert np.argmax(found.shells) == 2 and found.shells[2] == pytest.approx(1 / 2, rel=1e-6)


def test_cosines_on_cells(files):
    """Between walls half a period is a wave too, and a ramp has no jump."""
    metadata = changed(read_metadata(files[24, 20]), extent=(1.0, 1.0), grid_type="cell")
    found = spectrum(fields(metadata, lambda x, y: np.cos(np.pi * x)), metadata)
    assert found.shells[1] == pytest.approx(1 / 2, rel=1e-6) and found.tail < 1e-6
    ramp = fields(metadata, lambda x, y: x)
    assert spectrum(ramp, metadata).tail < 0.02 < spectrum(ramp, changed(metadata, grid_type="periodic")).tail


def test_spread():
    assert spread(10, 4) == [0, 3, 6, 9] and spread(2, 6) == [0, 1] and spread(5, 1) == [0]


def test_a_converted_set_says_what_it_was_made_from(tmp_path):
    (path,) = pdearena(tmp_path).paths
    options = {"extent": [1, 2]}
    made = find_or_convert(build_reader("pdearena", options), [path], Selection(samples=2), tmp_path / "data")
    metadata = read_metadata(made)
    said = "\n".join(describe_header(metadata))
    assert "seed" not in said and "made by" not in said and "2 samples\n" in said
    assert "source      pdearena, options extent=[1, 2], selection samples=2, stride=1" in said
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    assert f"{path.name}, {path.stat().st_size:,} bytes, sha256 {digest}" in said
    moved = changed(metadata, origin=(-0.5, 0.0))
    assert "on a box of 1 x 2 from (-0.5, 0)" in "\n".join(describe_header(moved))


def test_door(files, monkeypatch, capsys, tmp_path):
    monkeypatch.chdir(tmp_path)
    path = files[24, 20]
    monkeypatch.setattr(sys, "argv", ["inspect", str(path), "--samples", "2"])
    inspect.main()
    said = capsys.readouterr().out
    assert "22 samples of seed 7" in said and "HeatFlow(shape=[24, 20]" in said and "24x20 points (periodic)" in said
    assert "temperature: resolved" in said and "temperature[0] -> temperature[-1]" in said
    moments = read_metadata(path).stats["temperature"]
    assert f"{moments.std[1]:11.4g}" in said
    picture = matplotlib.image.imread(tmp_path / f"{path.stem}.png")
    assert picture.shape[0] > 200 and picture[..., :3].std() > 0.05

    monkeypatch.setattr(sys, "argv", ["inspect", "nowhere.h5"])
    with pytest.raises(SystemExit, match=r"error: nowhere.h5: got no file"):
        inspect.main()
