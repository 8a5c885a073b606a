"""Patches as axes of the device mesh: what an operator on patches does when such a mesh is current.

The mesh axes "patch_x", "patch_y" and "patch_z" spread the spatial axes in this order, an axis "data" the batch. Every
device cuts its own patches out of its part of the field, after its neighbours have sent what its windows reach beyond
that part; parameters are replicated, and their gradients are summed by the transposition of `jax.shard_map`: no
rescaling by hand.
"""

from collections.abc import Callable, Sequence
from typing import TypeVar

import jax
from flax import nnx

_Module = TypeVar("_Module", bound=nnx.Module)

DATA, AXES = "data", ("patch_x", "patch_y", "patch_z")


def mesh_names(patches: Sequence[int]) -> tuple[str | None, ...]:
    """The axis of the current mesh that spreads each spatial axis, None where there is none.

    Args:
        patches: per spatial axis.

    Raises:
        ValueError: where the patches of an axis do not divide over its devices.
    """
    sizes = _sizes()
    names = []
    for count, axis in zip(patches, AXES, strict=False):
        devices = sizes.get(axis, 1)
        if count % devices:
            raise ValueError(f"mesh axis {axis}: got {devices} devices for {count} patches, wanted a divisor of them")
        names.append(axis if devices > 1 else None)
    return tuple(names)


def _sizes() -> dict[str, int]:
    mesh = jax.sharding.get_abstract_mesh()
    return {} if mesh.empty else dict(mesh.shape)


def on_patches(
    function: Callable[[_Module, tuple[jax.Array, ...], tuple[jax.Array, ...]], jax.Array],
    module: _Module,
    fields: tuple[jax.Array, ...],
    lines: tuple[jax.Array, ...],
    names: Sequence[str | None],
) -> jax.Array:
    """function(module, fields, lines), run by every device on its part of the axes that have a mesh axis.

    Args:
        function: maps [b, *space, c] fields to one on the same part of the domain.
        module: its parameters, the same on every device.
        fields: [b, *space, c], on grids that divide over the devices.
        lines: an array for every spatial axis, or none at all, that is spread like it along its first axis.
        names: mesh axis of every spatial axis, see `mesh_names`.
    """
    if not any(names):
        return function(module, fields, lines)
    graph, state = nnx.split(module)
    # A batch that does not divide is computed by all.
    whole = fields[0].shape[0] % _sizes().get(DATA, 1) or DATA not in _sizes()
    part = jax.P(None if whole else DATA, *names)
    return jax.shard_map(
        lambda state, fields, lines: function(nnx.merge(graph, state), fields, lines),
        in_specs=(jax.P(), part, tuple(jax.P(name) for name in names[: len(lines)])),
        out_specs=part,
    )(state, fields, lines)
