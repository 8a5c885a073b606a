"""The device mesh of a run and how its arrays lie on it."""

import re

import jax
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec

DATA = "data"


def make_mesh(data: int = -1) -> Mesh:
    """A one-axis mesh named `data` over the devices of every process.

    Args:
        data: number of devices; -1 for all.

    Raises:
        ValueError: where more devices are asked for than there are.
    """
    available = jax.device_count()
    count = available if data == -1 else data
    if not 1 <= count <= available:
        raise ValueError(f"mesh.data: got {data}, wanted 1 to {available} devices, or -1 for all")
    if jax.process_count() > 1 and count < available:
        raise ValueError(
            f"mesh.data: got {data} with {jax.process_count()} processes, wanted -1: all of them have devices"
        )
    # Auto axes: JAX's default of explicit ones refuses ordinary array code.
    return jax.make_mesh((count,), (DATA,), axis_types=(AxisType.Auto,), devices=jax.devices()[:count])


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
