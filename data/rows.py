"""An array that lies on the devices, rows of which are gathered inside a jitted step."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, NamedSharding
from jax.sharding import PartitionSpec as P
from jaxtyping import Array, Float, Int

from .placement import place


class Rows:
    """Where an array [n, *space, c] lies on a mesh, and how a batch of its rows is gathered there.

    With several devices the rows are split over the data axis and a batch travels by one reduce-scatter, or,
    `replicated`, every device holds all of them and nothing travels. The batches are the same bits. Further axes of
    the mesh split the spatial axes, in order.

    Args:
        mesh: devices; None is the default device.
        axis: the mesh axis that batches are split over.
        replicated: whether every device holds all rows.
    """

    def __init__(self, mesh: Mesh | None, axis: str, replicated: bool):
        self._mesh, self._axis, self.replicated = mesh, axis, replicated
        self._shards = mesh.shape[axis] if mesh is not None else 1
        self._space = tuple(name for name in mesh.axis_names if name != axis) if mesh is not None else ()

    def place(self, u: np.ndarray) -> Array:
        """The array on the devices, with rows behind the last that are never drawn."""
        if self._mesh is None:
            return jnp.asarray(u)
        if self.replicated:
            return place(u, NamedSharding(self._mesh, P(None, *self._space)))
        filler = -len(u) % self._shards
        u = np.concatenate([u, np.zeros((filler, *u.shape[1:]), u.dtype)]) if filler else u
        return place(u, NamedSharding(self._mesh, P(self._axis, *self._space)))

    def share(self, u: np.ndarray) -> Array:
        """A small array that every device holds."""
        return jnp.asarray(u) if self._mesh is None else place(u, NamedSharding(self._mesh, P()))

    def take(self, u: Float[Array, "n ..."], rows: Int[Array, "b"]) -> Float[Array, "b ..."]:
        """Rows of an array that `place` has made, split over the data axis."""
        if self._mesh is None:
            return jnp.take(u, rows, axis=0)
        batch = P(self._axis, *self._space)
        held, taken = (P(None, *self._space), P(self._axis)) if self.replicated else (batch, P())
        gather = jax.shard_map(
            self._take_local, mesh=self._mesh, in_specs=(held, taken), out_specs=batch, check_vma=False
        )
        return gather(u, rows)

    def map(
        self, function: Callable[[Array, Array], Array], u: Float[Array, "b ..."], numbers: Int[Array, "b"]
    ) -> Array:
        """function(u, numbers) of a batch and one number per row of it, by every device for its own rows."""
        if self._mesh is None:
            return function(u, numbers)
        batch = P(self._axis, *self._space)
        return jax.shard_map(function, mesh=self._mesh, in_specs=(batch, P(self._axis)), out_specs=batch)(u, numbers)

    def _take_local(self, u: Array, rows: Array) -> Array:
        if self.replicated:
            return jnp.take(u, rows, axis=0)
        # Every row is on one device: the others add zeros, and the sum arrives already split.
        local = rows - jax.lax.axis_index(self._axis) * u.shape[0]
        mine = (local >= 0) & (local < u.shape[0])
        picked = jnp.take(u, jnp.clip(local, 0, u.shape[0] - 1), axis=0)
        picked = jnp.where(mine.reshape(-1, *[1] * (u.ndim - 1)), picked, 0)
        return jax.lax.psum_scatter(picked, self._axis, tiled=True)
