"""Batches of a set that does not fit on the devices, read from its file while training."""

import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import h5py
import jax
import numpy as np
from jax.sharding import Mesh, NamedSharding
from jax.sharding import PartitionSpec as P

from .metadata import FieldMap
from .order import batch_rows, check_batches
from .placement import own_rows, place_rows
from .schema import read_metadata
from .source import read_channels


class StreamLoader:
    """Batches read from the file by Grain's prefetching threads: those of `ResidentLoader`, in the same order.

    Threads rather than worker processes: HDF5 decodes nothing here, and a worker takes seconds to start (it imports
    the main script again) and then sends every batch through a pipe. The file is opened in the thread's process when
    it is first read, never before.

    Args:
        path: a file of schema v1.
        batch_size: samples per step, over all devices and processes; each process reads its own rows only.
        seed: of the order.
        inputs: field map of x; the file's own by default.
        targets: field map of y.
        samples: use only the first ones; all by default.
        mesh: devices; None is the default device.
        axis: the mesh axis that batches are split over.
        threads: reading threads.
        prefetch: batches that are ready ahead of the step.

    Raises:
        ValueError: for a batch larger than the set, or one that does not divide over the mesh.
        DataError: for a bad file; while reading, for a damaged chunk or a number that is not finite.
        ImportError: without the extra `stream`.
    """

    resident = False

    def __init__(
        self,
        path: str | Path,
        batch_size: int,
        seed: int,
        inputs: FieldMap | None = None,
        targets: FieldMap | None = None,
        samples: int | None = None,
        mesh: Mesh | None = None,
        axis: str = "data",
        threads: int = 2,
        prefetch: int = 4,
    ):
        _grain()  # an absent extra is an error now, not at the first batch
        self.metadata = read_metadata(path)
        self.num_samples = min(samples or self.metadata.samples, self.metadata.samples)
        self.steps_per_epoch = check_batches(self.num_samples, batch_size, mesh.shape[axis] if mesh else 1)
        self.batch_size, self.seed = batch_size, seed
        self._threads, self._prefetch = threads, prefetch
        maps = inputs or self.metadata.inputs, targets or self.metadata.targets
        self._reader = _Reader(Path(path), tuple(self.metadata.channels(field_map) for field_map in maps))
        self._sharding = NamedSharding(mesh, P(axis)) if mesh else None
        self._own_rows = own_rows(self._sharding, batch_size)

    def indices(self, step: int) -> np.ndarray:
        """Sample indices of a step, int32 [batch]."""
        return batch_rows(self.seed, step, self.num_samples, self.batch_size)

    def batches(self, step: int = 0) -> Iterator[tuple[jax.Array, jax.Array]]:
        """Inputs and targets of step, step + 1, ... without end, on the devices."""
        grain = _grain()
        steps = grain.MapDataset.source(_Steps(step)).map(self._read)
        options = grain.ReadOptions(num_threads=self._threads, prefetch_buffer_size=self._prefetch)
        for x, y in steps.to_iter_dataset(options):
            yield self._place(x), self._place(y)

    def _read(self, step: int) -> tuple[np.ndarray, np.ndarray]:
        return self._reader(self.indices(step)[self._own_rows])

    def _place(self, u: np.ndarray) -> jax.Array:
        return place_rows(u, self._sharding, self.batch_size)


class _Steps:
    """The step numbers from one on, as a source without end."""

    def __init__(self, first: int):
        self._first = first

    def __len__(self) -> int:
        return 2**62

    def __getitem__(self, index: Any) -> int:
        return self._first + int(index)


class _Reader:
    """Reads samples of a file that every process opens for itself."""

    def __init__(self, path: Path, maps: tuple[tuple[tuple[str, int], ...], ...]):
        self._metadata, self._maps = read_metadata(path), maps
        self._open: tuple[int, h5py.File] | None = None
        self._lock = threading.Lock()

    def __getstate__(self) -> dict[str, Any]:
        return {"_metadata": self._metadata, "_maps": self._maps, "_open": None, "_lock": None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state, _lock=threading.Lock())

    def __call__(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        file = self._file()
        result = []
        for channels in self._maps:
            u = np.empty((len(rows), *self._metadata.shape, len(channels)), np.float32)
            for i, row in enumerate(rows):
                for c, values in enumerate(read_channels(file, self._metadata, channels, int(row))):
                    u[i, ..., c] = values
            result.append(u)
        return result[0], result[1]

    def _file(self) -> h5py.File:
        with self._lock:
            if self._open is None or self._open[0] != os.getpid():
                self._open = os.getpid(), h5py.File(self._metadata.path, "r")
            return self._open[1]


def _grain() -> Any:
    try:
        import grain
    except ImportError as error:
        raise ImportError(
            "loader: got stream without the package grain, wanted the extra: pip install 'spectral-operators[stream]', "
            "or choose data.loader=resident"
        ) from error
    return grain
