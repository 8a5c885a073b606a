"""Whether the header of a file says what the generator that it names says."""

import math
from collections.abc import Iterator, Mapping
from typing import Any

import h5py
import numpy as np

from pdes.generators import FieldInfo, Generator

from .errors import DataError
from .guard import inside
from .instantiate import describe
from .metadata import Metadata
from .schema import AXES, open_file
from .splits import SplitSpec, content_key
from .verification import FAILS, HOLDS, UNDECIDED, Finding

# Numbers of a header are stored in float64, and computed again by code of another day.
_CLOSE = 1e-9

# What it is, what the file says, what was wanted.
Difference = tuple[str, Any, Any]


def check_header(metadata: Metadata, generator: Generator | None) -> Iterator[Finding]:
    """Every statement of a file about itself against the others, and against the generator that it names.

    Names, /params and /grid repeat what the attributes say. The generator knows the equation, its parameters, the box
    and the kind of points, the fields with their times and units, and the default map; with seed, split and version
    the content key follows. A file of another version of the generator may differ in all of these.

    Args:
        metadata: of the file.
        generator: the one that the file names; None where it names none.
    """
    wrong = list(_against_itself(metadata))
    undecided, other = [], False
    if generator is not None:
        other = generator.version != metadata.generator_version
        (undecided if other else wrong).extend(_against(metadata, generator))
        if other:
            made, now = metadata.generator_version, generator.version
            detail = f"made by version {made} of {generator.name}, this is version {now}; generate it again"
            yield Finding("header, version", UNDECIDED, detail)
    for verdict, found in ((FAILS, wrong), (UNDECIDED, undecided)):
        for what, got, wanted in found:
            yield Finding(f"header, {what}", verdict, f"got {_short(got)}, wanted {_short(wanted)}")
    if not wrong and not undecided and not other:
        known = "names, numbers and coordinates agree" if generator is None else "says what its generator says"
        yield Finding("header", HOLDS, known)


def _against_itself(metadata: Metadata) -> Iterator[Difference]:
    with open_file(metadata.path) as file:
        yield from _different("dataset_name", file.attrs.get("dataset_name"), metadata.equation)
        held = {str(name): _value(inside(file, f"params/{name}")) for name in inside(file, "params") or ()}
        yield from _mappings("/params", held, metadata.parameters)
        for name, points in zip(AXES, metadata.box.coordinates, strict=False):
            stored = np.asarray(_value(inside(file, f"grid/{name}")), np.float64)
            off = float(np.max(np.abs(stored - points))) if stored.shape == points.shape else math.inf
            if not off <= 1e-6 * (abs(points[-1] - points[0]) + abs(points[0])):
                yield f"/grid/{name}", _ends(stored), _ends(points)
        times = sorted({time for field in metadata.fields.values() for time in field.times})
        yield from _different("/grid/t", tuple(np.ravel(_value(inside(file, "grid/t"))).tolist()), tuple(times))


def _against(metadata: Metadata, generator: Generator) -> Iterator[Difference]:
    yield from _different("equation", metadata.equation, generator.name)
    yield from _mappings("parameters", metadata.parameters, generator.parameters())
    yield from _different("grid_type", metadata.grid_type, generator.grid_type)
    yield from _different("extent", metadata.extent, tuple(generator.grid.extent))
    yield from _different("origin", metadata.box.origin, (0.0,) * metadata.ndim)
    yield from _mappings("fields", _stated(metadata.fields), _stated(generator.fields))
    for name in ("inputs", "targets"):
        maps = ({k: list(v) for k, v in getattr(side, name).items()} for side in (metadata, generator))
        yield from _mappings(name, *maps)
    # A class that has gained an argument since, with a default as before, gives the same samples another key.
    known = set(describe(generator)) == set(metadata.generator)
    if known and generator.version == metadata.generator_version:
        try:
            split = SplitSpec(metadata.split, metadata.samples, metadata.seed, (metadata.shape,))
            key = content_key(generator, split, metadata.shape)
        except DataError as error:
            yield "split", metadata.split, str(error)
        else:
            yield from _different("content_key (of generator, split, samples, seed, shape)", metadata.content_key, key)


def _stated(fields: Mapping[str, FieldInfo]) -> dict[str, tuple]:
    """What is compared of fields; their descriptions are prose."""
    return {name: (tuple(map(float, field.times)), field.unit) for name, field in fields.items()}


def _mappings(what: str, got: Mapping[str, Any], wanted: Mapping[str, Any]) -> Iterator[Difference]:
    for name in sorted({*got, *wanted}):
        yield from _different(f"{what}: {name}", got.get(name), wanted.get(name))


def _different(what: str, got: Any, wanted: Any) -> Iterator[Difference]:
    if not _same(got, wanted):
        yield what, got, wanted


def _same(a: Any, b: Any) -> bool:
    if isinstance(a, (list, tuple)) and isinstance(b, (list, tuple)):
        return len(a) == len(b) and all(map(_same, a, b))
    if isinstance(a, (int, float)) and isinstance(b, (int, float)):
        return math.isclose(a, b, rel_tol=_CLOSE, abs_tol=1e-300)
    return a == b


def _value(data: Any) -> Any:
    if not isinstance(data, h5py.Dataset):
        return None
    value = data.asstr()[()] if h5py.check_string_dtype(data.dtype) else data[()]
    return value.item() if isinstance(value, np.generic) else value


def _ends(points: np.ndarray) -> str:
    ends = f"{points.flat[0]:g} .. {points.flat[-1]:g}" if points.size else "none"
    return f"{points.size} points {ends}"


def _short(value: Any) -> str:
    text = "nothing" if value is None else str(value)
    return text if len(text) <= 120 else f"{text[:117]}..."
