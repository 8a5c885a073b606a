"""Patches as axes of the device mesh: what an operator on patches does when such a mesh is current.

The mesh axes "patch_x", "patch_y" and "patch_z" spread the spatial axes in this order. Every device cuts its own
patches out of its part of the field, after its neighbours have sent what its windows reach beyond that part; parameters
are replicated, and their gradients are summed by the transposition of `jax.shard_map`: no rescaling by hand.
"""

from collections.abc import Callable, Sequence

import jax
from flax import nnx

AXES = ("patch_x", "patch_y", "patch_z")


def mesh_names(patches: int, ndim: int) -> tuple[str | None, ...]:
    """The mesh axis that spreads each spatial axis, None where there is none.

    Raises:
        ValueError: where the patches of an axis do not divide over its devices.
    """
    mesh = jax.sharding.get_abstract_mesh()
    names = []
    for axis in AXES[:ndim]:
        devices = 1 if mesh.empty else dict(mesh.shape).get(axis, 1)
        if patches % devices:
            raise ValueError(f"mesh axis {axis}: got {devices} devices for {patches} patches, wanted a divisor of them")
        names.append(axis if devices > 1 else None)
    return tuple(names)


def on_patches(
    function: Callable[[nnx.Module, tuple[jax.Array, ...]], jax.Array],
    module: nnx.Module,
    fields: tuple[jax.Array, ...],
    names: Sequence[str | None],
) -> jax.Array:
    """function(module, fields), run by every device on its part of the spatial axes that have a mesh axis.

    Args:
        function: maps [b, *space, c] fields to one on the same part of the domain.
        module: its parameters, the same on every device.
        fields: [b, *space, c], on grids that divide over the devices.
        names: mesh axis of every spatial axis, see `mesh_names`.
    """
    if not any(names):
        return function(module, fields)
    graph, state = nnx.split(module)
    part = jax.P(None, *names)
    return jax.shard_map(
        lambda state, fields: function(nnx.merge(graph, state), fields),
        in_specs=(jax.P(), part),
        out_specs=part,
        axis_names={name for name in names if name},
    )(state, fields)
