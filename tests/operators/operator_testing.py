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
    return module


def sample(*shape: int, seed: int = 0) -> jax.Array:
    """Standard normal numbers."""
    return jnp.asarray(np.random.default_rng(seed).normal(size=shape), jnp.float32)
