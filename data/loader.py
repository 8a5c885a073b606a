"""Batches: from the devices' own memory, or streamed; the same ones in the same order."""

import jax
import numpy as np
from jax.experimental import multihost_utils
from jax.sharding import Mesh
from jaxtyping import Array, Float, Int

from .order import batch_rows, check_batches, epoch_order
from .rows import Rows
from .source import Samples

# What of one device's memory a resident set may take; the rest is for the model and its activations.
RESIDENT_SHARE = 0.25

Data = tuple[Array, Array, Array]


class ResidentLoader:
    """A whole data set in device memory; batches are gathered inside the jitted step.

        loader = ResidentLoader(samples, batch_size=16, seed=0, mesh=mesh)

        @jax.jit
        def step(state, data, i):
            x, y = loader.fetch(data, i)     # global arrays, split over the mesh along the batch
            ...

        state = step(state, loader.data(i), i)  # data is an argument: closed over, it would be a constant

    Step i takes part i % steps_per_epoch of the permutation of (seed, i // steps_per_epoch): i is the whole position.
    The permutation is drawn once an epoch, outside the jitted step, and is a part of the data.
    With several devices the set is split over the data axis and batches travel, or, `replicated`, every device holds
    all of it; see `Rows`.

    Args:
        samples: the set.
        batch_size: samples per step, over all devices.
        seed: of the order.
        mesh: devices; None is the default device.
        axis: the mesh axis that batches are split over.
        replicated: whether every device holds the whole set; by default where it takes little memory.

    Raises:
        ValueError: for a batch larger than the set, or one that does not divide over the mesh.
    """

    resident = True

    def __init__(
        self,
        samples: Samples,
        batch_size: int,
        seed: int,
        mesh: Mesh | None = None,
        axis: str = "data",
        replicated: bool | None = None,
    ):
        shards = mesh.shape[axis] if mesh is not None else 1
        self.steps_per_epoch = check_batches(len(samples), batch_size, shards)
        self.batch_size, self.seed, self.num_samples = batch_size, seed, len(samples)
        replicated = fits(samples.nbytes, mesh, RESIDENT_SHARE / 4) if replicated is None else replicated
        self.replicated, self._rows = replicated, Rows(mesh, axis, replicated)
        self._fields = self._rows.place(samples.x), self._rows.place(samples.y)
        self._order: tuple[int, Array] | None = None

    def indices(self, step: int) -> np.ndarray:
        """Sample indices of a step, int32 [batch]."""
        return batch_rows(self.seed, step, self.num_samples, self.batch_size)

    def data(self, step: int) -> Data:
        """Inputs and targets of all samples and the order of the epoch that a step belongs to, on the devices."""
        epoch = step // self.steps_per_epoch
        if self._order is None or self._order[0] != epoch:
            order = epoch_order(self.seed, epoch, self.num_samples)
            self._order = epoch, self._rows.share(order)
        return *self._fields, self._order[1]

    def fetch(
        self, data: Data, step: int | Int[Array, ""]
    ) -> tuple[Float[Array, "b ... ci"], Float[Array, "b ... co"]]:
        """Inputs and targets of a step, gathered from the data of its epoch, an argument of the jitted function."""
        start = step % self.steps_per_epoch * self.batch_size
        rows = jax.lax.dynamic_slice_in_dim(data[2], start, self.batch_size)
        return self._rows.take(data[0], rows), self._rows.take(data[1], rows)


def fits(nbytes: int, mesh: Mesh | None = None, share: float = RESIDENT_SHARE) -> bool:
    """Whether `nbytes` on one device are at most that share of its memory (on a CPU: of 8 GiB).

    Collective: of several processes all must ask, and all hear the answer of the one with the least memory.
    """
    memory = _memory(mesh)
    if jax.process_count() > 1:
        memory = int(np.min(multihost_utils.process_allgather(np.float32(memory))))
    return nbytes <= share * memory


def _memory(mesh: Mesh | None) -> int:
    device = jax.local_devices()[0] if mesh is None else mesh.local_devices[0]
    return (device.memory_stats() or {}).get("bytes_limit", 8 * 2**30)
