"""`data=foreign`: published files in the place of a generator."""

import dataclasses
import functools
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pdes.generators import FieldInfo
from spectral.grid import Grid

from .collection import Collection, Selection, fingerprint
from .conversion import find_or_convert
from .errors import DataError
from .metadata import FieldMap, channels_of
from .points import Box
from .readers.reader import Reader
from .readers.registry import build_reader
from .splits import SplitSpec, check_keys

_KEYS = ("source", "options", "times", "stride", "fields")
_SELECTION = ("range", "samples", "times", "stride", "fields")
_SPLIT_KEYS = ("paths", "options", *_SELECTION)
# What generated splits have, and the debug configs set: files bring their own.
_GENERATED = ("seed", "generator", "resolutions")


@dataclasses.dataclass(frozen=True)
class Foreign:
    """The files of one split. Has what training asks of a generator before there are data.

    Args:
        reader: of their format.
        paths: files, or folders of them.
        selection: what of them is kept.
    """

    reader: Reader
    paths: tuple[Path, ...]
    selection: Selection

    @property
    def collection(self) -> Collection:
        """The files as one set; looked into once, and again when one of them changed."""
        files = [file for path in self.paths for file in self.reader.files(path)]
        return _survey(self.reader, self.paths, self.selection, tuple(fingerprint(self.reader, files)))

    @property
    def name(self) -> str:
        return self.collection.equation

    @property
    def fields(self) -> Mapping[str, FieldInfo]:
        return self.collection.fields

    @property
    def inputs(self) -> FieldMap:
        return self.collection.inputs

    @property
    def targets(self) -> FieldMap:
        return self.collection.targets

    @property
    def box(self) -> Box:
        return self.collection.box

    @property
    def grid(self) -> Grid:
        """The grid that difference quotients see."""
        return Grid(self.box.shape, self.box.span)

    @property
    def grid_type(self) -> str:
        return self.box.grid_type

    def parameters(self) -> Mapping[str, float | str]:
        return self.collection.parameters

    def ensure(self, root: str | Path | None = None) -> dict[tuple[int, ...], Path]:
        """Shape to the converted file, which is made where it is not there yet: see `data.conversion`."""
        return {self.box.shape: find_or_convert(self.reader, self.paths, self.selection, root)}


@functools.lru_cache(maxsize=32)
def _survey(reader: Reader, paths: tuple[Path, ...], selection: Selection, stamps: tuple) -> Collection:
    return Collection(reader, paths, selection)


def plan_foreign(data: Mapping[str, Any]) -> dict[str, tuple[Foreign, SplitSpec]]:
    """The files and the size of every split of a config with `source`.

    Args:
        data: `source`, `options`, `times`, `stride` and `fields` for all splits; `splits`: name to paths, range,
            samples and what a split has otherwise. A split that is null, or has no paths, is left out.

    Raises:
        DataError: for an unknown key, a value of a wrong form, files that are not what the source says, a field map
            that they do not serve, or a training sample that is in another split too.
    """
    check_keys(data, _KEYS)
    splits = {
        str(name): values
        for name, values in (data.get("splits") or {}).items()
        if values is not None and not (isinstance(values, Mapping) and values.get("paths") is None)
    }
    result = {}
    for name, values in splits.items():
        where = f"data.splits.{name}"
        foreign = _build(data, values, where)
        for key in ("inputs", "targets"):
            if data.get(key) is not None:
                channels_of(data[key], foreign.fields, f"data.{key}")
        result[name] = foreign, SplitSpec(name, foreign.collection.samples, 0, (foreign.box.shape,))
    if not result:
        raise DataError("data.splits: got none, wanted at least one, such as {train: {paths: [set.mat]}}")
    _check_apart({name: foreign for name, (foreign, _) in result.items()})
    return result


def selection_of(values: Mapping[str, Any], where: str = "") -> Selection:
    """A selection from the values of a config or a command; null is the default.

    Raises:
        DataError: for a value of another form.
    """
    dot = f"{where}." if where else ""
    given = {name: value for name, value in values.items() if value is not None}
    for name in ("range", "stride", "fields", "times"):
        if isinstance(given.get(name), (list, tuple)):
            given[name] = tuple(given[name])
    if isinstance(given.get("times"), str):
        given["times"] = _slice(given["times"], f"{dot}times")
    forms = {"range": tuple, "fields": tuple, "times": (tuple, slice), "stride": (int, tuple)}
    for name, form in forms.items():
        if name in given and not isinstance(given[name], form):
            examples = {"range": "[0, 1000]", "fields": "[velocity_x]", "times": "'0:50:10'", "stride": "2"}
            raise DataError(f"{dot}{name}: got {given[name]!r}, wanted a value such as {examples[name]}")
    try:
        return Selection(**given)
    except DataError as error:
        raise DataError(f"{dot}{error}") from error


def _build(data: Mapping[str, Any], values: Any, where: str) -> Foreign:
    if not isinstance(values, Mapping):
        raise DataError(f"{where}: got {values!r}, wanted {{paths: [..]}}")
    for key in _GENERATED:
        if values.get(key) and values[key] != [None]:
            fix = "; see data.stride" if key == "resolutions" else ""
            raise DataError(f"{where}.{key}: got {values[key]!r}, wanted none: files have their own{fix}")
    unknown = sorted(set(values) - {*_SPLIT_KEYS, *_GENERATED})
    if unknown:
        raise DataError(f"{where}: got unknown keys {unknown}, wanted some of {', '.join(_SPLIT_KEYS)}")
    paths = values.get("paths")
    if not isinstance(paths, (list, tuple)) or not paths or not all(isinstance(path, str) for path in paths):
        raise DataError(f"{where}.paths: got {paths!r}, wanted files or folders, such as [{where.split('.')[-1]}.mat]")
    options = {**(data.get("options") or {}), **(values.get("options") or {})}
    chosen = {name: values.get(name) if values.get(name) is not None else data.get(name) for name in _SELECTION}
    return Foreign(
        build_reader(data.get("source"), options),
        tuple(Path(path).expanduser() for path in paths),
        selection_of(chosen, where),
    )


def _check_apart(splits: Mapping[str, Foreign]) -> None:
    """Refuses splits that share samples with the training set: their errors would say nothing."""
    train = splits.get("train")
    for name, other in splits.items():
        if train is None or other is train:
            continue
        shared = _samples_by_file(train) & _samples_by_file(other)
        if shared:
            path, row = min(shared)
            raise DataError(
                f"data.splits.{name}: got sample {row} of {path}, which is in the training set, wanted others; choose "
                "`range` of the two apart"
            )


def _samples_by_file(foreign: Foreign) -> set[tuple[str, int]]:
    """Every sample as (file, row in it)."""
    found, before = set(), 0
    collection = foreign.collection
    for file, count in zip(collection.files, collection.counts, strict=True):
        rows = range(max(collection.rows.start - before, 0), min(collection.rows.stop - before, count))
        found |= {(str(file.resolve()), row) for row in rows}
        before += count
    return found


def _slice(text: str, where: str) -> slice:
    try:
        parts = [int(part) if part else None for part in text.split(":")]
        if not 2 <= len(parts) <= 3 or (parts[2:] and parts[2] is not None and parts[2] < 1):
            raise ValueError
    except ValueError as error:
        raise DataError(
            f"{where}: got {text!r}, wanted FIRST:END or FIRST:END:STEP, rising, such as '0:50:10'"
        ) from error
    return slice(*parts)
