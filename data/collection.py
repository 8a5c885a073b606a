"""Somebody else's files as one data set: chosen, strung together and read piece by piece."""

import contextlib
import dataclasses
import hashlib
import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from pdes.generators import FieldInfo

from .errors import DataError
from .metadata import FieldMap
from .points import Box
from .readers.reader import SPACE, Layout, Reader, Variable

_BLOCK_BYTES = 64 * 2**20


@dataclasses.dataclass(frozen=True)
class Selection:
    """What of some files becomes a data set.

    Args:
        range: first and last but one of the samples, over all files; None for all.
        samples: at most the first so many of them; None for all.
        times: indices of the times that are kept of fields with more than one, rising; None for all.
        stride: every so-manyth point, one number or one per axis.
        fields: names of the fields that are kept; None for all.

    Raises:
        DataError: for values of another form.
    """

    range: tuple[int, int] | None = None
    samples: int | None = None
    times: slice | tuple[int, ...] | None = None
    stride: int | tuple[int, ...] = 1
    fields: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        span = self.range
        if span is not None and not (len(span) == 2 and all(map(_whole, span)) and 0 <= span[0] < span[1]):
            raise DataError(f"range: got {span}, wanted two rising whole numbers, such as [0, 1000]")
        if self.samples is not None and not (_whole(self.samples) and self.samples >= 1):
            raise DataError(f"samples: got {self.samples!r}, wanted a whole number of at least 1, or null for all")
        strides = self.stride if isinstance(self.stride, tuple) else (self.stride,)
        if not strides or not all(_whole(value) and value >= 1 for value in strides):
            raise DataError(f"stride: got {self.stride!r}, wanted whole numbers of at least 1, such as 2 or [2, 4]")
        if isinstance(self.times, tuple):
            whole = bool(self.times) and all(map(_whole, self.times))
            if not whole or self.times[0] < 0 or list(self.times) != sorted(set(self.times)):
                raise DataError(f"times: got {list(self.times)}, wanted rising indices from 0, or '0:50:10'")

    def described(self) -> dict[str, Any]:
        """Plain values, for keys and records."""
        times = self.times
        if isinstance(times, slice):
            times = ":".join("" if v is None else str(v) for v in (times.start, times.stop, times.step))
        return {
            name: list(value) if isinstance(value, tuple) else value
            for name, value in (dataclasses.asdict(self) | {"times": times}).items()
        }


class Piece(NamedTuple):
    """Some samples and times of one field.

    Args:
        name: of the field.
        start: number of the first sample in the set.
        time: index of the first time in the set.
        values: float32 (samples, t, *space).
        file: that they come from.
    """

    name: str
    start: int
    time: int
    values: np.ndarray
    file: Path


class _Part(NamedTuple):
    """One file: how many samples it holds, and the parameters that other files have otherwise."""

    file: Path
    samples: int
    parameters: Mapping[str, float | str]


class Collection:
    """The chosen samples of some files of one layout, in the order of the files.

    Every file is looked into once, for its layout; samples are read by `pieces` alone.

    Args:
        reader: of the format.
        paths: files, or folders of them.
        selection: what is kept.

    Raises:
        DataError: for a file that the reader refuses, files of different layouts, or a selection that they do not hold.
    """

    def __init__(self, reader: Reader, paths: Sequence[Path], selection: Selection):
        self.reader, self.selection = reader, selection
        self.files = tuple(file for path in paths for file in reader.files(path))
        parts, first = [], None
        for file in self.files:
            with opened(reader, file) as layout:
                if first is None:
                    first = file, layout
                else:
                    _check_same(*first, file, layout)
                if layout.samples < 1:
                    raise DataError(f"{file}: got no sample, wanted at least one; leave the file out or fetch it again")
                parts.append(_Part(file, layout.samples, layout.parameters))
        if first is None:
            raise DataError("paths: got none, wanted at least one file")
        self._parts, (where, layout) = tuple(parts), first
        self._where = str(where)
        names = sorted({name for part in parts for name in part.parameters})
        same = {name for name in names if len({part.parameters.get(name) for part in parts}) == 1}
        self._varying = [name for name in names if name not in same]
        self._check_varying()
        self.equation = layout.equation
        self.parameters = {name: layout.parameters[name] for name in names if name in same}
        self._strides = self._stride_per_axis(layout)
        self.box: Box = layout.box.every(self._strides, self._where)
        self.fields = self._chosen_fields(layout)
        self.inputs, self.targets = (self._kept(field_map) for field_map in (layout.inputs, layout.targets))
        self.rows = self._chosen_rows()

    @property
    def samples(self) -> int:
        return len(self.rows)

    @property
    def counts(self) -> tuple[int, ...]:
        """Samples of every file, chosen or not."""
        return tuple(part.samples for part in self._parts)

    @property
    def sample_bytes(self) -> int:
        """Of all fields of a sample, in float32."""
        return 4 * math.prod(self.box.shape) * sum(len(field.times) for field in self.fields.values())

    def pieces(self, budget: int = _BLOCK_BYTES) -> Iterator["Piece"]:
        """Every number of the set once, sample after sample, in arrays of at most so many bytes.

        A piece holds some samples of one field, with all of its times. Where a single sample is larger than the budget,
        it is cut in time, at the same places in every sample; one time of a field is the least that is read.
        """
        count = max(1, budget // self.sample_bytes)
        chunk = None if self.sample_bytes <= budget else max(1, budget // (4 * math.prod(self.box.shape)))
        before = 0
        for part in self._parts:
            begin, end = max(self.rows.start - before, 0), min(self.rows.stop - before, part.samples)
            if begin < end:
                with opened(self.reader, part.file) as layout:
                    variables = self._with_parameters(part, layout)
                    for start in range(begin, end, count):
                        rows = slice(start, min(start + count, end))
                        for name, variable in ((name, variables[name]) for name in self.fields):
                            for times in _cut(self._times(len(variable.info.times)), chunk):
                                values = self._read(part, layout, name, variable, rows, times[1])
                                yield Piece(name, before + start - self.rows.start, times[0], values, part.file)
            before += part.samples

    def _read(
        self, part: _Part, layout: Layout, name: str, variable: Variable, rows: slice, times: Sequence[int]
    ) -> np.ndarray:
        space = {letter: slice(None, None, step) for letter, step in zip(SPACE, self._strides, strict=False)}
        try:
            values = variable.read(layout.letters, {"n": rows, "t": _as_slice(times), **space})
        except OSError as error:
            raise DataError(
                f"{part.file}: got damaged data in samples {rows.start} to {rows.stop - 1} ({error}), wanted whole "
                "ones; fetch it again"
            ) from error
        except OverflowError as error:
            raise DataError(
                f"{part.file}: got {error} in field {name!r}, samples {rows.start} to {rows.stop - 1}, wanted numbers "
                "that float32 holds, below 3.4e38; leave the samples out with range, or the field with fields"
            ) from error
        return np.broadcast_to(values, (rows.stop - rows.start, len(times), *self.box.shape))

    def _with_parameters(self, part: _Part, layout: Layout) -> dict[str, Variable]:
        """The variables of a file, and its own values of the parameters that differ between files."""
        info = _constant(layout.fields)
        extra = {name: Variable(np.asarray(part.parameters[name]), "", info) for name in self._varying}
        return {**layout.variables, **extra}

    def _check_varying(self) -> None:
        for part in self._parts:
            for name in self._varying:
                value = part.parameters.get(name)
                if not isinstance(value, (int, float)):
                    raise DataError(
                        f"{part.file}: got parameter {name} = {value!r}, which other files have otherwise, wanted a "
                        "number in each; convert the files apart"
                    )

    def _chosen_fields(self, layout: Layout) -> dict[str, FieldInfo]:
        known = self._with_parameters(self._parts[0], layout)
        names = self.selection.fields or tuple(known)
        unknown = [name for name in names if name not in known]
        if unknown:
            raise DataError(f"{self._where}: got fields {unknown} in the selection, wanted some of {', '.join(known)}")
        result = {}
        for name in names:
            info = known[name].info
            kept = tuple(info.times[i] for i in self._times(len(info.times)))
            result[name] = dataclasses.replace(info, times=kept)
        return result

    def _times(self, count: int) -> Sequence[int]:
        """The indices that are kept of so many times."""
        asked = self.selection.times
        if asked is None or count == 1:
            return range(count)
        if isinstance(asked, tuple):
            if asked[-1] >= count:
                raise DataError(f"{self._where}: got times {list(asked)} in the selection, wanted less than {count}")
            return asked
        found = range(count)[asked]
        if not found or found.step < 1:
            text = self.selection.described()["times"]
            raise DataError(f"{self._where}: got times {text} in the selection, wanted some of {count}, rising")
        return found

    def _stride_per_axis(self, layout: Layout) -> tuple[int, ...]:
        ndim, stride = len(layout.box.shape), self.selection.stride
        strides = stride if isinstance(stride, tuple) else (stride,) * ndim
        if len(strides) != ndim:
            raise DataError(f"{self._where}: got stride {list(strides)}, wanted one for each of {ndim} axes, or one")
        return strides

    def _kept(self, field_map: FieldMap) -> FieldMap:
        """The map of the format among the fields that are kept; all of them where it has none of those."""
        kept = {name: tuple(times) for name, times in field_map.items() if name in self.fields}
        return kept or {name: (0,) for name in self.fields}

    def _chosen_rows(self) -> range:
        total = sum(part.samples for part in self._parts)
        start, stop = self.selection.range or (0, total)
        count = self.selection.samples
        if stop > total or (count is not None and count > stop - start):
            asked = f"range {[start, stop]}" if stop > total else f"{count} samples of {stop - start}"
            held = f"{len(self.files)} file(s) of {total} samples"
            raise DataError(f"{self._where}: got {asked} from {held}, wanted no more than there are; choose fewer")
        return range(start, stop if count is None else start + count)


@contextlib.contextmanager
def opened(reader: Reader, file: Path) -> Iterator[Layout]:
    """`reader.open`, where whatever a malformed file leads to is one error.

    Raises:
        DataError: for a file that is not laid out as its source says.
    """
    try:
        with reader.open(file) as layout:
            yield layout
    except (DataError, OSError):
        raise
    except Exception as error:  # what a reader runs into depends on what is wrong with the file
        raise DataError(
            f"{file}: got a file that is not laid out as those of {reader.source} are ({type(error).__name__}: "
            f"{error}), wanted one that is; choose the source that wrote it, or fetch it again"
        ) from error


def fingerprint(reader: Reader, files: Sequence[Path]) -> list[tuple[str, int, int]]:
    """Path, bytes and time of change of everything that is read, without opening it."""
    stats = [(content, content.stat()) for file in files for content in reader.contents(file)]
    return [(str(content.resolve()), stat.st_size, stat.st_mtime_ns) for content, stat in stats]


def digest(reader: Reader, file: Path) -> tuple[int, str]:
    """Bytes and SHA-256 of what lies on the disk for one file of a reader; of several, the hash of their hashes."""
    hashes, size = [], 0
    for content in reader.contents(file):
        with open(content, "rb") as stream:
            hashes.append(hashlib.file_digest(stream, "sha256").hexdigest())
        size += content.stat().st_size
    return size, hashes[0] if len(hashes) == 1 else hashlib.sha256("".join(hashes).encode()).hexdigest()


def _check_same(first: Path, wanted: Layout, file: Path, got: Layout) -> None:
    """Refuses a file of another layout than the first."""
    differing = [
        (name, a, b)
        for name, a, b in (
            ("equation", got.equation, wanted.equation),
            ("points", got.box.shape, wanted.box.shape),
            ("kind of grid", got.box.grid_type, wanted.box.grid_type),
            ("fields", sorted(got.variables), sorted(wanted.variables)),
            ("number of times", _counts(got), _counts(wanted)),
        )
        if a != b
    ]
    for name, a, b in differing[:1]:
        raise DataError(f"{file}: got {name} {a}, wanted {b} as in {first}; convert files of one layout together")
    pairs = [("box", [*got.box.extent, *got.box.origin], [*wanted.box.extent, *wanted.box.origin])]
    pairs += [(f"times of {name}", got.fields[name].times, wanted.fields[name].times) for name in wanted.variables]
    for name, a, b in pairs:
        if not np.allclose(a, b, rtol=1e-5, atol=1e-8):
            raise DataError(f"{file}: got {name} {list(a)[:6]}, wanted {list(b)[:6]} as in {first}; convert them apart")


def _counts(layout: Layout) -> list[int]:
    return [len(field.times) for field in layout.fields.values()]


def _constant(fields: Mapping[str, FieldInfo]) -> FieldInfo:
    first = min(time for field in fields.values() for time in field.times)
    return FieldInfo((first,), "1", "parameter of a file, constant in space and time")


def _cut(times: Sequence[int], chunk: int | None) -> Iterator[tuple[int, Sequence[int]]]:
    """Times in portions, each with the place of its first."""
    size = chunk or len(times)
    for start in range(0, len(times), size):
        yield start, times[start : start + size]


def _as_slice(indices: Sequence[int]) -> slice | list[int]:
    """Rising indices as a slice where they are equally far apart: HDF5 reads that faster."""
    step = indices[1] - indices[0] if len(indices) > 1 else 1
    if list(indices) == list(range(indices[0], indices[-1] + 1, step)):
        return slice(indices[0], indices[-1] + 1, step)
    return list(indices)


def _whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)
