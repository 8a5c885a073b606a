import json

import h5py
import numpy as np
import pytest

from data.errors import DataError
from data.instantiate import instantiate
from data.schema import read_metadata
from data.source import load
from spectral.grid import Grid


def test_round_trip(heat, split, files):
    metadata = read_metadata(files[12, 10])
    assert (metadata.samples, metadata.shape, metadata.extent) == (22, (12, 10), heat.grid.extent)
    assert (metadata.seed, metadata.split, metadata.compute_dtype) == (7, "train", "float64")
    assert metadata.fields["temperature"].times == (0.0, 1.0)
    assert metadata.parameters == heat.parameters()
    assert metadata.channels(metadata.inputs) == (("temperature", 0),)
    assert metadata.channels(metadata.targets) == (("temperature", 1),)
    assert instantiate(metadata.generator) == heat


def test_file_explains_itself(heat, files):
    """A reader without this library finds axes, units and provenance."""
    with h5py.File(files[12, 10]) as file:
        data = file["fields/temperature"]
        assert data.dtype == np.float32 and data.shape == (22, 2, 12, 10) and data.chunks == (1, 2, 12, 10)
        assert [dim.label for dim in data.dims] == ["trajectory", "t", "x", "y"]
        np.testing.assert_allclose(file["grid/y"], Grid((12, 10), heat.grid.extent).points[1])
        np.testing.assert_array_equal(file["grid/t"], [0, 1])
        assert file["params/diffusivity"][()] == heat.diffusivity
        assert json.loads(file.attrs["generator"])["_target_"] == "data.synthetic.HeatFlow"
        u = data[()].astype(np.float64)
        for name, value in {
            "mean": u.mean((0, 2, 3)),
            "std": u.std((0, 2, 3), ddof=1),
            "min": u.min((0, 2, 3)),
            "max": u.max((0, 2, 3)),
        }.items():
            # Two orders of summation in float64.
            np.testing.assert_allclose(file[f"stats/temperature/{name}"], value, rtol=1e-12)


def damage(path, **kinds):
    (kind,) = kinds
    if kind == "missing":
        path.unlink()
    elif kind == "empty":
        path.write_bytes(b"")
    elif kind == "truncated":
        path.write_bytes(path.read_bytes()[:-3000])
    elif kind == "text":
        path.write_text("not HDF5 at all, but long enough to look like something" * 100)
    elif kind == "foreign":
        with h5py.File(path, "w") as file:
            file["tensor"] = np.zeros((3, 4))
    else:
        with h5py.File(path, "r+") as file:
            kinds[kind](file)


def replace(name, make):
    def edit(file):
        values = file[name][()]
        attributes = dict(file[name].attrs)
        del file[name]
        file[name] = make(values)
        file[name].attrs.update(attributes)

    return edit


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ({"missing": 1}, "got no file"),
        ({"empty": 1}, "empty file"),
        ({"truncated": 1}, "truncated HDF5"),
        ({"text": 1}, "cannot open"),
        ({"foreign": 1}, "another layout.*tensor"),
        ({"version": lambda f: f.attrs.__setitem__("schema_version", 99)}, "schema version 99"),
        ({"header": lambda f: f.attrs.__delitem__("content_key")}, "without.*content_key"),
        ({"json": lambda f: f.attrs.__setitem__("inputs", "{temp")}, "attribute inputs = '{temp', wanted JSON text"),
        ({"list": lambda f: f.attrs.__setitem__("generator", "[1]")}, "attribute generator = .*wanted a JSON object"),
        ({"number": lambda f: f.attrs.__setitem__("parameters", 3)}, "attribute parameters = .*wanted JSON text"),
        ({"group": lambda f: f.__delitem__("stats")}, "no group /stats"),
        ({"coordinate": lambda f: f.__delitem__("grid/y")}, r"got nothing at /grid/y, wanted a dataset"),
        ({"renamed": lambda f: f.move("fields/temperature", "fields/heat")}, "statistics of|field 'temperature'"),
        ({"shape": replace("fields/temperature", lambda u: u[:, :, :-1])}, r"\(22, 2, 11, 10\), wanted"),
        ({"samples": replace("fields/temperature", lambda u: u[:-1])}, r"\(21, 2, 12, 10\), wanted"),
        ({"dtype": replace("fields/temperature", lambda u: u.astype(np.float64))}, "float64"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_bad_file(copy, kind, message):
    damage(copy, **kind)
    with pytest.raises(DataError, match=message) as caught:
        load(copy)
    assert "wanted" in str(caught.value) and str(copy) in str(caught.value)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_not_finite(copy, value):
    damage(copy, nan=lambda f: f["fields/temperature"].__setitem__((17, 1, 3, 4), value))
    with pytest.raises(DataError, match=r"not finite in field 'temperature', sample 17, time index 1"):
        load(copy)
    load(copy, samples=slice(0, 17))  # the others are good


def test_flipped_byte(copy):
    with h5py.File(copy) as file:
        offset = file["fields/temperature"].id.get_chunk_info(5).byte_offset
    content = bytearray(copy.read_bytes())
    content[offset + 100] ^= 1
    copy.write_bytes(content)
    with pytest.raises(DataError, match="damaged data in field 'temperature'"):
        load(copy)


def test_folder_instead_of_file(files):
    with pytest.raises(DataError, match="got a folder"):
        load(files[12, 10].parent)
