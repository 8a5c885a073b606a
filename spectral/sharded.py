"""What transforms do when a device mesh is current (`jax.set_mesh`, Auto axes).

Two mesh axes have a meaning here: "data" spreads the first axis of an array, "space" the first spatial axis.

- FFTs cannot be partitioned by the compiler: alone they gather the whole array, even when only the batch is spread.
  So they run inside `jax.shard_map` over "data", every device on its own samples.
- Matrix products partition by themselves. Along a spread spatial axis every device sums over its own points, and one
  all-reduce of the kept modes adds the sums; the inverse needs no communication. So "auto" means "matmul" there.
"""

from collections.abc import Callable

import jax

DATA, SPACE = "data", "space"


def _size(name: str, manual: bool) -> int:
    """Devices along a mesh axis, if it is one inside `jax.shard_map` (manual) or one outside; else 1."""
    mesh = jax.sharding.get_abstract_mesh()
    if mesh.empty or name not in mesh.axis_names:
        return 1
    is_manual = mesh.axis_types[mesh.axis_names.index(name)] == jax.sharding.AxisType.Manual
    return mesh.shape[name] if is_manual == manual else 1


def _auto_size(name: str) -> int:
    """Devices along a mesh axis that the compiler is free to use; 1 without such an axis."""
    return _size(name, manual=False)


def count_over_devices() -> int:
    """How many devices hold a part of the batch each, where one part is seen here (inside `jax.shard_map`); else 1."""
    return _size(DATA, manual=True)


def mean_over_devices(x: jax.Array) -> jax.Array:
    """The mean of x over the parts of the batch, where this code sees one of them; else x."""
    return x if count_over_devices() == 1 else jax.lax.pmean(x, DATA)


def space_is_sharded() -> bool:
    """Whether the current mesh spreads the first spatial axis."""
    return _auto_size(SPACE) > 1


def spread_space(u: jax.Array, axis: int) -> jax.Array:
    """Keeps a spatial axis of a field spread over "space"; nothing without such a mesh, or where it does not divide."""
    devices = _auto_size(SPACE)
    if devices == 1 or u.shape[axis] % devices:
        return u
    free = jax.sharding.PartitionSpec.UNCONSTRAINED
    return jax.lax.with_sharding_constraint(u, jax.P(*[SPACE if a == axis else free for a in range(u.ndim)]))


def over_batch(transform: Callable[[jax.Array], jax.Array], u: jax.Array, axes: tuple[int, ...]) -> jax.Array:
    """transform(u), run by every device on its own part of the batch when the current mesh has a "data" axis.

    Args:
        transform: acts on `axes` alone, so that it can run on any part of the first axis.
        u: array whose first axis is the batch, or has no batch when 0 is one of `axes`.
        axes: the transformed axes, non-negative.
    """
    devices = _auto_size(DATA)
    # An uneven batch cannot be split by shard_map: still right, but gathered.
    if devices == 1 or 0 in axes or u.shape[0] % devices:
        return transform(u)
    part = jax.P(DATA)
    return jax.shard_map(transform, in_specs=part, out_specs=part, axis_names={DATA})(u)
