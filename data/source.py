"""Reading a data set into input and target arrays."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path

import h5py
import numpy as np

from .errors import DataError
from .metadata import FieldMap, Metadata
from .schema import dataset, open_file, read_metadata

_BLOCK_BYTES = 64 * 2**20


@dataclasses.dataclass(frozen=True)
class Samples:
    """Input and target fields of a data set, channels last.

    Args:
        x: float32 (samples, *space, input channels).
        y: float32 (samples, *space, target channels).
        metadata: header of the file they come from.
        inputs: the field map behind the channels of x.
        targets: the field map behind the channels of y.
    """

    x: np.ndarray
    y: np.ndarray
    metadata: Metadata
    inputs: FieldMap
    targets: FieldMap

    def __len__(self) -> int:
        return len(self.x)

    @property
    def nbytes(self) -> int:
        return self.x.nbytes + self.y.nbytes

    def take(self, rows: slice | Sequence[int] | np.ndarray) -> "Samples":
        """Some of the samples."""
        return dataclasses.replace(self, x=self.x[rows], y=self.y[rows])


def load(
    path: str | Path,
    inputs: FieldMap | None = None,
    targets: FieldMap | None = None,
    samples: slice | None = None,
    *,
    windows: bool = False,
) -> Samples:
    """Reads a data set, stacks the asked fields and times as channels and checks that every number is finite.

    Args:
        path: a file of schema v1.
        inputs: field to time indices of x, in channel order; the file's own map by default.
        targets: the same for y.
        samples: which samples, all by default.
        windows: a sample for every start in time: both maps moved on by 0, 1, .. as far as times are stored, the starts
            of a trajectory next to each other.

    Returns:
        arrays in host memory.

    Raises:
        DataError: for a bad file (see `read_metadata`), a field or time that is not stored, a damaged chunk, or a
            number that is not finite: names the field and the sample.
    """
    metadata = read_metadata(path)
    inputs, targets = inputs or metadata.inputs, targets or metadata.targets
    rows = range(metadata.samples)[samples or slice(None)]
    if not rows or rows.step != 1:
        raise DataError(
            f"{path}: got samples {samples}, wanted a slice of step 1 that takes some of {metadata.samples}"
        )
    channels = [metadata.channels(field_map) for field_map in (inputs, targets)]
    starts = _starts(metadata, [*channels[0], *channels[1]]) if windows else 1
    moved = [[[(name, time + start) for name, time in side] for start in range(starts)] for side in channels]
    with open_file(path) as file:
        x, y = (_windows([_stack(file, metadata, shifted, rows) for shifted in side]) for side in moved)
    return Samples(x, y, metadata, inputs, targets)


def _starts(metadata: Metadata, channels: Sequence[tuple[str, int]]) -> int:
    """Starts in time from which all channels are stored."""
    return min(len(metadata.fields[name].times) - time for name, time in channels)


def _windows(parts: list[np.ndarray]) -> np.ndarray:
    """The samples of every start, those of one trajectory next to each other."""
    return parts[0] if len(parts) == 1 else np.stack(parts, axis=1).reshape(-1, *parts[0].shape[1:])


def _stack(file: h5py.File, metadata: Metadata, channels: Sequence[tuple[str, int]], rows: range) -> np.ndarray:
    result = np.empty((len(rows), *metadata.shape, len(channels)), np.float32)
    block = max(1, _BLOCK_BYTES // (result[0].nbytes or 1))
    for start in range(rows.start, rows.stop, block):
        part = slice(start, min(start + block, rows.stop))
        for channel, values in enumerate(read_channels(file, metadata, channels, part)):
            result[part.start - rows.start : part.stop - rows.start, ..., channel] = values
    return result


def read_channels(
    file: h5py.File, metadata: Metadata, channels: Sequence[tuple[str, int]], rows: slice | int
) -> list[np.ndarray]:
    """Reads channels of some samples, each (samples, *space), or (*space) for one sample.

    Raises:
        DataError: for a damaged chunk or a number that is not finite.
    """
    result = []
    for name, time in channels:
        try:
            values = dataset(file, f"fields/{name}")[rows, time]
        except OSError as error:
            raise DataError(
                f"{metadata.path}: got damaged data in field {name!r}, samples {rows} ({error}), wanted chunks that "
                "match their checksum; delete the file and generate it again"
            ) from error
        if not np.isfinite(values).all():
            first = rows.start if isinstance(rows, slice) else rows
            bad = first if isinstance(rows, int) else first + int(np.argwhere(~np.isfinite(values))[0][0])
            raise DataError(
                f"{metadata.path}: got a number that is not finite in field {name!r}, sample {bad}, time index {time}, "
                "wanted finite numbers; generate the set again with a smaller time step, or mend the file"
            )
        result.append(values)
    return result
