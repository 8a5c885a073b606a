"""The device mesh of a run and how its arrays lie on it."""

import math
import re
from collections.abc import Sequence

import jax
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec

from operators.layers.patch_mesh import AXES as PATCH_AXES

DATA = "data"


def make_mesh(data: int = -1, patches: Sequence[int] = ()) -> Mesh:
    """A mesh over the devices of every process: the axis `data`, then one for every spatial axis spread in patches.

    Args:
        data: number of devices that samples are split over; -1 for as many as there are.
        patches: devices along every spatial axis.

    Raises:
        ValueError: where more devices are asked for than there are, or of several processes not all are used.
    """
    available, each = jax.device_count(), math.prod(patches)
    rows = max(available // each, 1) if data == -1 else data
    count = rows * each
    if not 1 <= count <= available:
        also = f" x mesh.patches={list(patches)}" if patches else ""
        raise ValueError(f"mesh.data: got {data}{also}, wanted 1 to {available} devices, or -1 for all")
    if jax.process_count() > 1 and count < available:
        raise ValueError(
            f"mesh: got {count} devices with {jax.process_count()} processes, wanted all {available}: every process has some"
        )
    sizes, names = (rows, *patches), (DATA, *PATCH_AXES[: len(patches)])
    # Auto axes: JAX's default of explicit ones refuses ordinary array code.
    return jax.make_mesh(sizes, names, axis_types=(AxisType.Auto,) * len(names), devices=jax.devices()[:count])


def over_samples(mesh: Mesh) -> Mesh:
    """The same devices with all of them on the data axis, on which any grid can be evaluated."""
    return Mesh(mesh.devices.reshape(-1), (DATA,), axis_types=(AxisType.Auto,))


def replicated(mesh: Mesh) -> NamedSharding:
    """Every device holds the whole array: parameters, optimizer state, resident data."""
    return NamedSharding(mesh, PartitionSpec())


def batch_sharded(mesh: Mesh) -> NamedSharding:
    """The leading axis is split over the data axis: batches."""
    return NamedSharding(mesh, PartitionSpec(DATA))


def collectives(hlo: str) -> dict[str, int]:
    """How many collectives of each kind a compiled program holds."""
    kinds = ("all-reduce", "all-gather", "all-to-all", "collective-permute", "reduce-scatter")
    counts = {kind: len(re.findall(rf" {kind}(?:-start)?\(", hlo)) for kind in kinds}
    return {kind: count for kind, count in counts.items() if count}
