"""What the tests of this folder share."""

from collections.abc import Callable
from typing import TypeVar

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

Module = TypeVar("Module", bound=nnx.Module)

# For programs that run once: the shortest compilation.
QUICK = {"xla_backend_optimization_level": 0}

# One jitted call for all: the module is an argument, so equal structures and shapes share a compiled program.
apply = jax.jit(lambda module, u: module(u))
apply_to = jax.jit(lambda module, u, shape: module(u, shape), static_argnums=2)


def build(make: Callable[[], Module], *, seed: int = 0, scale: float = 0.4) -> Module:
    """A module with NumPy's random numbers for parameters: its own initialisers take seconds to compile."""
    rng = np.random.default_rng(seed)
    module = nnx.eval_shape(make)
    state = jax.tree.map(
        lambda leaf: jnp.asarray(scale * rng.normal(size=leaf.shape), leaf.dtype), nnx.state(module, nnx.Param)
    )
    nnx.update(module, state)
    # Running statistics as before training; counted things, such as chosen modes, one after the other.
    nnx.update(module, jax.tree.map(_statistic, nnx.state(module, nnx.BatchStat)))
    return module


def _statistic(leaf: jax.ShapeDtypeStruct) -> jax.Array:
    if jnp.issubdtype(leaf.dtype, jnp.integer):
        return jnp.arange(leaf.size, dtype=leaf.dtype).reshape(leaf.shape)
    return jnp.ones(leaf.shape, leaf.dtype)


def sample(*shape: int, seed: int = 0) -> jax.Array:
    """Standard normal numbers."""
    return jnp.asarray(np.random.default_rng(seed).normal(size=shape), jnp.float32)
