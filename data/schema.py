"""The HDF5 layout, version 1, with the checks that every file passes before it is used.

    /                   attributes: schema, schema_version, dataset_name, n_trajectories, n_spatial_dims, grid_type,
                        extent, equation, parameters*, generator*, generator_version, revision, seed,
                        compute_dtype, split, inputs*, targets*, content_key   (* JSON text); origin where not zero
    /grid/x y z         float64 (n,)        coordinates of the points
    /grid/t             float64 (times,)    every time at which some field is stored
    /fields/<name>      float32 (trajectory, t, x[, y[, z]]), a chunk per sample, of large samples per time; attributes
                        times, unit, description
    /params/<name>      scalar per physical parameter
    /stats/<name>/      float64 (t,): mean, std (unbiased), min, max over samples and points
    /source/            of a converted set: names, bytes and sha256 of the files it was made from; attribute made*

Names of root attributes follow The Well's where it has them.
"""

import contextlib
import itertools
import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from pdes.generators import FieldInfo

from .errors import DataError
from .guard import check_numbers, inside
from .metadata import FieldStats, Metadata
from .points import GRID_TYPES

SCHEMA = "spectral-operators"
VERSION = 1
AXES = ("x", "y", "z")
STATISTICS = ("mean", "std", "min", "max")
ATTRIBUTES = (
    *("schema_version", "n_trajectories", "n_spatial_dims", "grid_type", "extent", "equation", "parameters"),
    *("generator", "revision", "seed", "compute_dtype", "split", "inputs", "targets", "content_key"),
)
_CHUNK_BYTES = 8 * 2**20
_AGAIN = "delete it and run `python -m data.generate` again, or point to the right file"


def write_header(file: h5py.File, metadata: Metadata) -> None:
    """Writes everything but the samples and their statistics, and allocates the fields."""
    as_json = {name: json.dumps(getattr(metadata, name)) for name in ("parameters", "generator", "inputs", "targets")}
    same = ("equation", "generator_version", "revision", "seed", "compute_dtype", "split", "grid_type", "extent")
    file.attrs.update(
        schema=SCHEMA,
        schema_version=VERSION,
        dataset_name=metadata.equation,
        n_trajectories=metadata.samples,
        n_spatial_dims=metadata.ndim,
        content_key=metadata.content_key,
        **{name: getattr(metadata, name) for name in same},
        **as_json,
    )
    if any(metadata.origin):
        file.attrs["origin"] = metadata.origin
    for name, points in zip(AXES, metadata.box.coordinates, strict=False):
        file[f"grid/{name}"] = points
    file["grid/t"] = sorted({time for field in metadata.fields.values() for time in field.times})
    for name, value in metadata.parameters.items():
        file[f"params/{name}"] = value
    for name, field in metadata.fields.items():
        shape = (metadata.samples, len(field.times), *metadata.shape)
        # A checksum per chunk: a flipped byte would otherwise load as a wrong number.
        data = file.create_dataset(f"fields/{name}", shape, np.float32, chunks=_chunk(shape), fletcher32=True)
        data.attrs.update(times=field.times, unit=field.unit, description=field.description)
        for axis, label in enumerate(("trajectory", "t", *AXES[: metadata.ndim])):
            data.dims[axis].label = label


def _chunk(shape: tuple[int, ...]) -> tuple[int, ...]:
    """What is read at once: a sample, or one time of it where that is large."""
    return (1, *shape[1:]) if 4 * math.prod(shape[1:]) <= _CHUNK_BYTES else (1, 1, *shape[2:])


def read_metadata(path: str | Path) -> Metadata:
    """Reads and checks the header of a data set.

    Args:
        path: an HDF5 file of schema v1.

    Returns:
        the header; no sample is read.

    Raises:
        DataError: for a file that is missing, empty, truncated, of another layout or version, or whose fields do
            not have the shapes its header promises.
    """
    with open_file(path) as file:
        return _metadata(file, Path(path))


@contextlib.contextmanager
def open_file(path: str | Path) -> Iterator[h5py.File]:
    """An HDF5 file open for reading, with errors that say what is wrong with it."""
    path = Path(path)
    if not path.exists():
        raise DataError(f"{path}: got no file, wanted a data set; run `python -m data.generate pde=...` to make it")
    if path.is_dir():
        raise DataError(f"{path}: got a folder, wanted one data set of it: {sorted(p.name for p in path.glob('*.h5'))}")
    if path.stat().st_size == 0:
        raise DataError(f"{path}: got an empty file (0 bytes), wanted HDF5 schema v{VERSION}; {_AGAIN}")
    try:
        # The cache holds a chunk: fields of many times are read one time after the other.
        file = h5py.File(path, "r", rdcc_nbytes=2 * _CHUNK_BYTES)
    except OSError as error:
        what = "a truncated HDF5 file" if "truncated" in str(error) else f"a file HDF5 cannot open ({error})"
        size = path.stat().st_size
        raise DataError(f"{path}: got {what} of {size} bytes, wanted schema v{VERSION}; {_AGAIN}") from error
    with file:
        yield file


def dataset(file: h5py.File | h5py.Group, name: str) -> h5py.Dataset:
    """A dataset of an open file.

    Raises:
        DataError: where there is none of that name, or one that `guard` refuses.
    """
    found, where = inside(file, name), str(file.name).rstrip("/")
    if not isinstance(found, h5py.Dataset):
        raise DataError(
            f"{file.file.filename}: got {'a group' if found is not None else 'nothing'} at {where}/{name}, wanted "
            f"a dataset; {_AGAIN}"
        )
    if found.file.mode == "r":  # what is being written has stored nothing yet
        check_numbers(found)
    return found


def _group(file: h5py.File, name: str) -> h5py.Group:
    found = inside(file, name)
    if not isinstance(found, h5py.Group):
        raise DataError(f"{file.filename}: got no group /{name}, wanted it; {_AGAIN}")
    return found


def _metadata(file: h5py.File, path: Path) -> Metadata:
    attributes: dict[str, Any] = dict(file.attrs.items())
    if attributes.get("schema") != SCHEMA:
        raise DataError(
            f"{path}: got an HDF5 file of another layout (root holds {sorted(file)[:8]}, attributes "
            f"{sorted(attributes)[:8]}), wanted schema {SCHEMA!r} v{VERSION}; convert it: `python -m data.convert`"
        )
    if attributes.get("schema_version") != VERSION:
        raise DataError(
            f"{path}: got schema version {attributes.get('schema_version')}, wanted {VERSION}; "
            "read it with the release that wrote it, or generate it again"
        )
    lacking = [name for name in ATTRIBUTES if name not in attributes]
    if lacking:
        raise DataError(f"{path}: got a header without {lacking}, wanted a complete one; {_AGAIN}")
    try:
        metadata = _header(file, path, attributes)
    except (TypeError, ValueError, OverflowError) as error:
        if isinstance(error, DataError):
            raise
        raise DataError(f"{path}: got a header of wrong types ({error}), wanted that of schema v1; {_AGAIN}") from error
    _check_header(metadata)
    _check_fields(file, metadata)
    return metadata


def _header(file: h5py.File, path: Path, attributes: dict[str, Any]) -> Metadata:
    maps = {name: _mapping(attributes[name], name, path) for name in ("parameters", "generator", "inputs", "targets")}
    fields, stats = _group(file, "fields"), _group(file, "stats")
    return Metadata(
        path=path,
        equation=str(attributes["equation"]),
        revision=str(attributes["revision"]),
        seed=int(attributes["seed"]),
        compute_dtype=str(attributes["compute_dtype"]),
        split=str(attributes["split"]),
        samples=int(attributes["n_trajectories"]),
        shape=tuple(len(dataset(file, f"grid/{name}")) for name in AXES[: attributes["n_spatial_dims"]]),
        extent=tuple(float(length) for length in attributes["extent"]),
        grid_type=str(attributes["grid_type"]),
        fields={name: _field(dataset(fields, name)) for name in map(str, fields)},
        stats={name: _stats(_group(file, f"stats/{name}")) for name in map(str, stats)},
        content_key=str(attributes["content_key"]),
        # Absent in files made before versions were counted.
        generator_version=int(attributes.get("generator_version", 1)),
        origin=tuple(float(start) for start in attributes.get("origin", ())),
        **maps,
    )


def _check_header(metadata: Metadata) -> None:
    sides = metadata.extent
    sound = metadata.samples > 0 and metadata.grid_type in GRID_TYPES and len(sides) == metadata.ndim > 0
    if not 0 <= metadata.seed < 2**32:
        raise DataError(f"{metadata.path}: got seed {metadata.seed}, wanted 0 .. 2^32 - 1; {_AGAIN}")
    if not sound or not all(0 < side < math.inf for side in sides):
        raise DataError(
            f"{metadata.path}: got {metadata.samples} samples, {metadata.grid_type!r} points, sides {sides} of "
            f"{metadata.ndim} axes, wanted samples, one of {', '.join(GRID_TYPES)}, and a positive side per axis; "
            f"{_AGAIN}"
        )


def _mapping(text: Any, name: str, path: Path) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except (TypeError, ValueError) as error:
        raise DataError(f"{path}: got attribute {name} = {text!r}, wanted JSON text ({error}); {_AGAIN}") from error
    if not isinstance(found, dict):
        raise DataError(f"{path}: got attribute {name} = {text!r}, wanted a JSON object; {_AGAIN}")
    return found


def _field(data: h5py.Dataset) -> FieldInfo:
    attributes: dict[str, Any] = dict(data.attrs.items())
    times = tuple(float(time) for time in attributes.get("times", ()))
    return FieldInfo(times, str(attributes.get("unit", "1")), str(attributes.get("description", "")))


def _stats(group: h5py.Group) -> FieldStats:
    found = {name: tuple(float(v) for v in dataset(group, name)[()]) for name in STATISTICS}
    if not all(map(math.isfinite, itertools.chain(*found.values()))) or min(found["std"], default=0) < 0:
        raise DataError(f"{group.file.filename}: got {found} in {group.name}, wanted finite numbers; {_AGAIN}")
    return FieldStats(**found)


def _check_fields(file: h5py.File, metadata: Metadata) -> None:
    for name, field in metadata.fields.items():
        if not all(map(math.isfinite, field.times)) or list(field.times) != sorted(field.times):
            raise DataError(f"{metadata.path}: got times {field.times} of {name}, wanted rising ones; {_AGAIN}")
        data = dataset(file, f"fields/{name}")
        wanted = (metadata.samples, len(field.times), *metadata.shape)
        if data.shape != wanted or data.dtype != np.float32:
            raise DataError(
                f"{metadata.path}: got fields/{name} {data.dtype} {data.shape}, wanted float32 {wanted} "
                f"(trajectory, t, {', '.join(AXES[: metadata.ndim])}); {_AGAIN}"
            )
    if set(metadata.stats) != set(metadata.fields):
        raise DataError(
            f"{metadata.path}: got statistics of {sorted(metadata.stats)}, wanted {sorted(metadata.fields)}; {_AGAIN}"
        )
    metadata.channels(metadata.inputs)
    metadata.channels(metadata.targets)
