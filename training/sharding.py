"""The device mesh of a run and how its arrays lie on it."""

import math
import re
from collections.abc import Sequence

import jax
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec

from operators.layers.patch_mesh import AXES as PATCH_AXES

DATA = "data"
_KINDS = ("all-reduce", "all-gather", "all-to-all", "collective-permute", "reduce-scatter")
_COLLECTIVE = re.compile(rf"= (.*?) ({'|'.join(_KINDS)})(?:-start)?\(")


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
            f"mesh: got {count} devices with {jax.process_count()} processes, wanted {available}: all of them have some"
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
    return {kind: len(sizes) for kind, sizes in traffic(hlo).items()}


def traffic(hlo: str) -> dict[str, list[int]]:
    """Bytes on one device of what every collective of a compiled program gives, by kind."""
    found: dict[str, list[int]] = {}
    for shapes, kind in _COLLECTIVE.findall(hlo):
        arrays = re.findall(r"([a-z]+)(\d+)?[a-z\d]*\[([\d,]*)\]", shapes)
        sizes = [math.prod(map(int, filter(None, shape.split(",")))) * int(bits or 8) // 8 for _, bits, shape in arrays]
        found.setdefault(kind, []).append(sum(sizes))
    return found
