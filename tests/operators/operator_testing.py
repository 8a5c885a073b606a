"""What the tests of this folder share."""

import jax
import jax.numpy as jnp
import numpy as np
from numpy_weights import build

__all__ = ["QUICK", "apply", "apply_to", "build", "sample"]

# For programs that run once: the shortest compilation.
QUICK = {"xla_backend_optimization_level": 0}

# One jitted call for all: the module is an argument, so equal structures and shapes share a compiled program.
apply = jax.jit(lambda module, u: module(u))
apply_to = jax.jit(lambda module, u, shape: module(u, shape), static_argnums=2)


def sample(*shape: int, seed: int = 0) -> jax.Array:
    """Standard normal numbers."""
    return jnp.asarray(np.random.default_rng(seed).normal(size=shape), jnp.float32)
