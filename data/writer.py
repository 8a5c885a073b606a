"""Writing a data set so that a kill, a full disk or a second writer loses nothing.

Finished samples are appended to a log beside the file they will become (`<file>.partial`: fixed-size records, a
checksum each). When all are there the log is streamed into HDF5 under a temporary name, synced, renamed, and only
then removed. So a data set exists whole or not at all, and whatever interrupts the work, the log continues.
"""

import contextlib
import errno
import fcntl
import os
import shutil
import sys
import tempfile
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path

import h5py
import numpy as np

from .errors import StorageError
from .metadata import FieldStats, Metadata
from .moments import Moments
from .schema import dataset, write_header

_BLOCK_BYTES = 64 * 2**20
_MANY_TIMES = 4000  # of which a list as an attribute would be above 64 kB, or nearly


class SampleLog:
    """Append-only file of finished samples; a torn or damaged tail is cut off when it is opened.

    Args:
        path: the data set it will become; the log is `<path>.partial`.
        shapes: field to shape (t, *space) of one sample.
    """

    def __init__(self, path: Path, shapes: Mapping[str, tuple[int, ...]]):
        self.target = path
        self.path = log_path(path)
        self.shapes = dict(shapes)
        self._record = np.dtype([*((name, "<f4", shape) for name, shape in shapes.items()), ("crc", "<u4")])
        self.samples = self._sound_records()

    @property
    def sample_bytes(self) -> int:
        return self._record.itemsize

    def append(self, fields: Mapping[str, np.ndarray]) -> None:
        """Adds samples: every field as float32 (samples, t, *space). On return they are on the disk."""
        count = len(next(iter(fields.values())))
        records = np.zeros(count, self._record)
        for name, values in fields.items():
            records[name] = values
        for record in records:
            record["crc"] = self._checksum(record)
        with explain_full_disk(self.path, records.nbytes), open(self.path, "ab") as file:
            file.truncate(self.samples * self.sample_bytes)
            file.write(records.tobytes())
            file.flush()
            os.fsync(file.fileno())
        self.samples += count

    def truncate(self, samples: int) -> None:
        """Forgets all but the first `samples`."""
        if samples < self.samples:
            os.truncate(self.path, samples * self.sample_bytes)
            self.samples = samples

    def finish(self, metadata: Metadata) -> None:
        """Turns the log into the data set.

        Args:
            metadata: its header, without statistics.

        Raises:
            StorageError: on a full disk; the log stays and a second call continues from it.
        """
        needed = self.samples * (self.sample_bytes + 128) + 2**16  # chunk index and header included
        wide = any(len(field.times) > _MANY_TIMES for field in metadata.fields.values())
        with whole_file(self.target, needed, wide) as file:
            write_header(file, metadata)
            self._copy(file)
        self.path.unlink()

    def _copy(self, file: h5py.File) -> None:
        moments = {name: Moments(axes=(0, *range(2, 1 + len(shape)))) for name, shape in self.shapes.items()}
        block = max(1, _BLOCK_BYTES // self.sample_bytes)
        for start in range(0, self.samples, block):
            records = self._read(start, min(start + block, self.samples))
            for name in self.shapes:
                dataset(file, f"fields/{name}")[start : start + len(records)] = records[name]
                moments[name].update(records[name])
        write_stats(file, {name: moment.stats() for name, moment in moments.items()})

    def _sound_records(self) -> int:
        if not self.path.exists():
            return 0
        count = self.path.stat().st_size // self.sample_bytes
        block = max(1, _BLOCK_BYTES // self.sample_bytes)
        for start in range(0, count, block):
            for offset, record in enumerate(self._read(start, min(start + block, count))):
                if record["crc"] != self._checksum(record):
                    return start + offset
        return count

    def _read(self, start: int, stop: int) -> np.ndarray:
        return np.fromfile(self.path, self._record, stop - start, offset=start * self.sample_bytes)

    def _checksum(self, record: np.void) -> int:
        return zlib.crc32(record.tobytes()[: -np.dtype("<u4").itemsize])


def write_stats(file: h5py.File, stats: Mapping[str, FieldStats]) -> None:
    """The statistics of every field."""
    for name, found in stats.items():
        for statistic, values in vars(found).items():
            file[f"stats/{name}/{statistic}"] = values


@contextlib.contextmanager
def whole_file(target: Path, needed: int, wide: bool = False) -> Iterator[h5py.File]:
    """An HDF5 file to write to, under a temporary name; it becomes `target` at the end, or nothing is left.

    Args:
        target: the file to make, in a folder that is made where it lacks.
        needed: bytes that it will take.
        wide: for attributes above 64 kB, in the layout of HDF5 1.8, which notes the time of day: its bytes are not
            those of the next such file, though the numbers are.

    Raises:
        StorageError: for a folder that cannot be written, or a full disk.
    """
    temporary = target.with_name(target.name + ".tmp")
    # Before HDF5 starts: after a failed write at its own close it may take the process down.
    prepare_folder(target.parent, needed)
    try:
        with explain_full_disk(target, needed):
            with h5py.File(temporary, "w", libver=("v108", "latest") if wide else None) as file:
                yield file
            _sync(temporary)
            os.replace(temporary, target)
            _sync(target.parent)
    finally:
        temporary.unlink(missing_ok=True)


def log_path(path: Path) -> Path:
    """Where the finished samples of an unfinished data set are."""
    return path.with_name(path.name + ".partial")


def prepare_folder(
    folder: Path, needed: int, fix: str = "point SPECTRAL_DATA or `data.root=` to another folder or a larger disk"
) -> None:
    """Makes sure that a folder exists, takes files and has `needed` bytes free.

    Args:
        folder: made where it lacks.
        needed: bytes.
        fix: what to do otherwise.

    Raises:
        StorageError: names the folder, the bytes needed and the bytes free.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise StorageError(
            error.errno,
            f"{folder}: got a folder that cannot be written ({error.strerror}), wanted room for {needed:,} bytes; "
            f"{fix}",
        ) from error
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise StorageError(
            errno.ENOSPC,
            f"{folder}: got {free:,} bytes free, wanted {needed:,} (the samples and the file made from them); free "
            f"some space, or {fix}",
        )


@contextlib.contextmanager
def explain_full_disk(path: Path, needed: int) -> Iterator[None]:
    """Turns a failed write into an error that names the path, the bytes needed and the bytes free."""
    try:
        yield
    except StorageError:
        raise
    except OSError as error:
        free = shutil.disk_usage(path.parent).free
        raise StorageError(
            error.errno or errno.EIO,
            f"{path}: got a failed write ({error}), wanted {needed:,} bytes with {free:,} free; free some space and "
            "run the same command again: finished samples are kept",
        ) from error


@contextlib.contextmanager
def exclusive(folder: Path, wait: bool = True) -> Iterator[None]:
    """Holds the folder for one writer among all processes; a killed holder frees it.

    Args:
        folder: that exists.
        wait: for another holder to finish.

    Raises:
        BlockingIOError: where another process holds it, without `wait`.
        StorageError: on a file system without locks, where two writers could not be told apart.
    """
    with open(folder / ".lock", "ab") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if not wait:
                raise
            print(f"{folder}: another process is generating here, waiting for it", file=sys.stderr, flush=True)
            fcntl.flock(file, fcntl.LOCK_EX)
        except OSError as error:
            raise StorageError(
                error.errno or errno.EIO,
                f"{folder}: got a file system without locks ({error.strerror}), wanted one; point SPECTRAL_DATA to "
                "another, or generate there once and copy the files here",
            ) from error
        yield


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
