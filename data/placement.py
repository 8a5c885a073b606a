"""Arrays onto the devices of a mesh, of one process or of several."""

import jax
import numpy as np
from jax.sharding import Sharding


def place(u: np.ndarray, sharding: Sharding) -> jax.Array:
    """An array that every process holds, over the devices of all: each places its part, and hosts compare nothing."""
    return jax.make_array_from_callback(u.shape, sharding, lambda index: u[index])


def own_rows(sharding: Sharding | None, batch_size: int) -> np.ndarray:
    """The rows of a batch that live on this process's devices; all without a sharding."""
    if sharding is None:
        return np.arange(batch_size)
    parts = sharding.addressable_devices_indices_map((batch_size,)).values()
    return np.unique(np.concatenate([np.arange(batch_size)[part] for part in parts]))


def place_rows(u: np.ndarray, sharding: Sharding | None, batch_size: int) -> jax.Array:
    """A batch of which every process holds its own rows, over the devices of all."""
    if sharding is None:
        return jax.device_put(u)
    return jax.make_array_from_process_local_data(sharding, u, (batch_size, *u.shape[1:]))
