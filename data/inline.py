"""Batches of samples that are made inside the training step."""

import itertools
import operator

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, NamedSharding
from jax.sharding import PartitionSpec as P
from jaxtyping import Array, Float, Int, UInt32

from pdes.generators import Generator

from .metadata import FieldMap, channels_of
from .order import check_batches
from .splits import SplitSpec


class InlineLoader:
    """The samples of a split without end, made by the program of the step itself and never stored.

    For generators that cost no more than the step does, such as points of a domain with what is known there: neither
    the host nor a file takes part, and many steps share one dispatch. Step i takes the samples of numbers i B, ...,
    (i + 1) B - 1, sample n being that of `fold_in(key(seed), n)`. They are computed in float32: those that a file
    holds, which is solved in float64, to the rounding of float32 where the generator draws its numbers in float32. The
    program sees one step and one seed, so that the batch of a step is the same bits whenever a run is resumed.

    Args:
        generator: of the samples; a function that JAX can trace in float32.
        split: its `samples` are those of one epoch.
        batch_size: samples per step, over all devices and processes.
        inputs: field map of x; the generator's own by default.
        targets: field map of y.
        mesh: devices; None is the default device.
        axis: the mesh axis that batches are split over.

    Raises:
        ValueError: for a batch larger than an epoch, or one that does not divide over the mesh.
        DataError: for a field or time that the generator does not make.
    """

    resident = True

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
        self._generator, self._shape, self._seed = generator, split.resolutions[0], np.asarray(split.seed, np.uint32)
        maps = inputs or generator.inputs, targets or generator.targets
        self._channels = tuple(channels_of(field_map, generator.fields, "data") for field_map in maps)
        self._sharding = NamedSharding(mesh, P(axis)) if mesh else None

    def indices(self, step: int) -> np.ndarray:
        """Sample numbers of a step, [batch]."""
        return np.arange(step * self.batch_size, (step + 1) * self.batch_size)

    def data(self, step: int) -> UInt32[np.ndarray, ""]:
        """What `fetch` needs beside the step: the seed."""
        del step
        return self._seed

    def fetch(
        self, data: UInt32[Array | np.ndarray, ""], step: int | Int[Array, ""]
    ) -> tuple[Float[Array, "b ... ci"], Float[Array, "b ... co"]]:
        """Inputs and targets of a step, inside a jitted function."""
        numbers = jnp.asarray(step, jnp.uint32) * self.batch_size + jnp.arange(self.batch_size, dtype=jnp.uint32)
        if self._sharding is not None:
            numbers = jax.lax.with_sharding_constraint(numbers, self._sharding)
        key = jax.random.key(data)
        return jax.vmap(lambda n: self._sample(jax.random.fold_in(key, n)))(numbers)

    def _sample(self, key: jax.Array) -> tuple[Array, Array]:
        made = self._generator(key)
        fields = {name: self._generator.restrict(u, self._shape) for name, u in made.items()}
        x, y = (_stack(fields, channels) for channels in self._channels)
        return x, y


def _stack(fields: dict[str, Array], channels: tuple[tuple[str, int], ...]) -> Float[Array, "... c"]:
    """Channels last; the times of a field by one gather, for there may be thousands."""
    parts = [
        fields[name][np.array([time for _, time in group])]
        for name, group in itertools.groupby(channels, key=operator.itemgetter(0))
    ]
    return jnp.moveaxis(jnp.concatenate(parts), 0, -1).astype(jnp.float32)
