"""Batches of samples that are made while training and seen once."""

import contextlib
import itertools
from collections.abc import Iterator

import jax
import numpy as np
from jax.sharding import Mesh, NamedSharding
from jax.sharding import PartitionSpec as P

from pdes.generators import Generator

from .metadata import FieldMap, channels_of
from .order import check_batches
from .parallel import in_order
from .placement import own_rows, place_rows
from .solving import Shape, Solver
from .splits import SplitSpec


class OnlineLoader:
    """The samples of a split without end, never stored: step i takes those of numbers i B, ..., (i + 1) B - 1.

    Sample n is that of the file that `data.generate` makes of the split, bit for bit, and beyond its last one the
    numbers go on. So a batch is a function of (seed of the split, step), and the samples of a test set, which has
    another seed, are never among them. The next samples are made while a step runs, on the same devices; beside a TPU
    on the CPU of its host. Each process makes its own rows of a batch only.

    Args:
        generator: solver of the samples.
        split: its `samples` are those of one epoch.
        batch_size: samples per step, over all devices and processes.
        inputs: field map of x; the generator's own by default.
        targets: field map of y.
        mesh: devices; None is the default device.
        axis: the mesh axis that batches are split over.

    Raises:
        ValueError: for a batch larger than an epoch, or one that does not divide over the mesh.
        DataError: for a field or time that the generator does not make.
        FloatingPointError: while training, where the solver left the finite numbers; names the sample.
    """

    resident = False

    def __init__(
        self,
        generator: Generator,
        split: SplitSpec,
        batch_size: int,
        inputs: FieldMap | None = None,
        targets: FieldMap | None = None,
        mesh: Mesh | None = None,
        axis: str = "data",
    ):
        self.num_samples, self.batch_size = split.samples, batch_size
        self.steps_per_epoch = check_batches(split.samples, batch_size, mesh.shape[axis] if mesh else 1)
        maps = inputs or generator.inputs, targets or generator.targets
        self._channels = tuple(channels_of(field_map, generator.fields, "data") for field_map in maps)
        self._shape: Shape = split.resolutions[0]
        self._solver = Solver(generator, split.seed, (self._shape,))
        self._sharding = NamedSharding(mesh, P(axis)) if mesh else None
        self._own_rows = own_rows(self._sharding, batch_size)
        self._rows = len(self._own_rows)

    def indices(self, step: int) -> np.ndarray:
        """Sample numbers of a step, [batch]."""
        return np.arange(step * self.batch_size, (step + 1) * self.batch_size)

    def batches(self, step: int = 0) -> Iterator[tuple[jax.Array, jax.Array]]:
        """Inputs and targets of step, step + 1, ... without end, on the devices."""
        rows = self._rows
        # Rounds begin at multiples of their size wherever a run resumes. One of them serves several small batches.
        first, skipped = divmod(step * rows, self._solver.count)
        with contextlib.closing(in_order(self._round, itertools.count(first), self._solver.threads)) as rounds:
            waiting = [u[skipped:] for u in next(rounds)]
            while True:
                while len(waiting[0]) < rows:
                    waiting = [np.concatenate(parts) for parts in zip(waiting, next(rounds), strict=True)]
                x, y = (place_rows(u[:rows], self._sharding, self.batch_size) for u in waiting)
                waiting = [u[rows:] for u in waiting]
                yield x, y

    def _round(self, number: int) -> tuple[np.ndarray, np.ndarray]:
        """The inputs and targets of `count` samples, in the order in which this process needs them."""
        step, row = np.divmod(np.arange(number * self._solver.count, (number + 1) * self._solver.count), self._rows)
        made = self._solver(step * self.batch_size + self._own_rows[row])[self._shape]
        x, y = (np.stack([made[name][:, time] for name, time in channels], axis=-1) for channels in self._channels)
        return x, y
