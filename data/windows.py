"""Windows of trajectories that begin at a random time, another one every time that a trajectory is seen."""

import dataclasses
import functools
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh
from jaxtyping import Array, Float, Int

from .loader import RESIDENT_SHARE, fits
from .metadata import FieldMap
from .order import batch_rows, check_batches, epoch_order
from .rows import Rows
from .schema import read_metadata
from .source import count_starts, load

Data = tuple[Array, Array, Array]


@dataclasses.dataclass(frozen=True)
class Trajectories:
    """Whole trajectories, and where in them the channels of a window lie that begins with them.

    Args:
        u: float32 (trajectories, *space, all times of every field).
        inputs: places of the input channels in the last axis of u, for the first start.
        targets: the same for the targets.
        starts: how many starts there are; a later start moves all places on.
    """

    u: np.ndarray
    inputs: tuple[int, ...]
    targets: tuple[int, ...]
    starts: int

    def __len__(self) -> int:
        return len(self.u)


def load_trajectories(
    path: str | Path, inputs: FieldMap | None = None, targets: FieldMap | None = None
) -> Trajectories:
    """Reads every stored time of the fields that two maps name.

    Raises:
        DataError: as `data.source.load`.
    """
    metadata = read_metadata(path)
    maps = [metadata.channels(field_map) for field_map in (inputs or metadata.inputs, targets or metadata.targets)]
    names = list(dict.fromkeys(name for side in maps for name, _ in side))
    times = {name: list(range(len(metadata.fields[name].times))) for name in names}
    first = dict(zip(names, np.cumsum([0, *(len(times[name]) for name in names)]), strict=False))
    u = load(path, times, {names[0]: [0]}).x
    x, y = (tuple(int(first[name]) + time for name, time in side) for side in maps)
    return Trajectories(u, x, y, count_starts(metadata, [*maps[0], *maps[1]]))


@functools.lru_cache(maxsize=8)
def epoch_starts(seed: int, epoch: int, samples: int, starts: int) -> np.ndarray:
    """The start of every trajectory in one epoch, int32 [samples], read-only: uniform on 0 .. starts - 1."""
    key = jax.random.fold_in(jax.random.fold_in(jax.random.key(seed), epoch), 1)  # beside the key of the order
    drawn = np.array(jax.random.randint(key, (samples,), 0, starts, jnp.int32))
    drawn.flags.writeable = False
    return drawn


class WindowLoader:
    """`ResidentLoader` for windows with a random start: an epoch sees every trajectory once, from a time of its own.

    Only the trajectories are held, not the many times larger set of their windows. Which trajectories a step sees is
    decided as for any set, and from where by (seed, epoch): a position is one number, the step.

    Args:
        trajectories: the set.
        batch_size: windows per step, over all devices.
        seed: of order and starts.
        mesh: devices; None is the default device.
        axis: the mesh axis that batches are split over.
        replicated: whether every device holds the whole set; by default where it takes little memory.

    Raises:
        ValueError: for a batch larger than the set, or one that does not divide over the mesh.

    Source: the training of Cao et al., Spectral-Refiner, 2025.
    """

    resident = True

    def __init__(
        self,
        trajectories: Trajectories,
        batch_size: int,
        seed: int,
        mesh: Mesh | None = None,
        axis: str = "data",
        replicated: bool | None = None,
    ):
        count = len(trajectories)
        self.steps_per_epoch = check_batches(count, batch_size, mesh.shape[axis] if mesh is not None else 1)
        self.batch_size, self.seed, self.num_samples = batch_size, seed, count
        nbytes = trajectories.u.nbytes
        self.replicated = fits(nbytes, mesh, RESIDENT_SHARE / 4) if replicated is None else replicated
        self._rows = Rows(mesh, axis, self.replicated)
        self._places, self._starts = (trajectories.inputs, trajectories.targets), trajectories.starts
        self._trajectories = self._rows.place(trajectories.u)
        self._drawn: tuple[int, Array, Array] | None = None

    def indices(self, step: int) -> np.ndarray:
        """Trajectories of a step, int32 [batch]."""
        return batch_rows(self.seed, step, self.num_samples, self.batch_size)

    def starts(self, step: int) -> np.ndarray:
        """Where their windows begin, int32 [batch]."""
        epoch = step // self.steps_per_epoch
        return epoch_starts(self.seed, epoch, self.num_samples, self._starts)[self.indices(step)]

    def data(self, step: int) -> Data:
        """All trajectories, and order and starts of the epoch that a step belongs to, on the devices."""
        epoch = step // self.steps_per_epoch
        if self._drawn is None or self._drawn[0] != epoch:
            order = epoch_order(self.seed, epoch, self.num_samples)
            starts = epoch_starts(self.seed, epoch, self.num_samples, self._starts)
            self._drawn = epoch, self._rows.share(order), self._rows.share(starts)
        return self._trajectories, *self._drawn[1:]

    def fetch(
        self, data: Data, step: int | Int[Array, ""]
    ) -> tuple[Float[Array, "b ... ci"], Float[Array, "b ... co"]]:
        """Inputs and targets of a step, gathered from the data of its epoch, an argument of the jitted function."""
        trajectories, order, starts = data
        first = step % self.steps_per_epoch * self.batch_size
        rows = jax.lax.dynamic_slice_in_dim(order, first, self.batch_size)
        u, begin = self._rows.take(trajectories, rows), jnp.take(starts, rows)
        x, y = (self._rows.map(functools.partial(_window, places), u, begin) for places in self._places)
        return x, y


def _window(places: tuple[int, ...], u: Array, begin: Array) -> Array:
    wanted = begin[:, None] + jnp.asarray(places, jnp.int32)[None]
    return jnp.take_along_axis(u, wanted.reshape(len(wanted), *[1] * (u.ndim - 2), -1), axis=-1)
