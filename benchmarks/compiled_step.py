"""One training step of an operator, compiled and not run: what it would take is read off the program."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import optax
from flax import nnx
from jax.sharding import Mesh, NamedSharding

from operators.base import Operator
from training.losses import RelativeH1
from training.sharding import replicated
from training.step import init_state, make_update, split_operator, statistics_of


def compiled_step(make: Callable[[], Operator], shape: tuple[int, ...], samples: int, mesh: Mesh):
    """The program of one step on a mesh: forward, backward and Adam, with the H1 loss, of one channel in and out.

    Args:
        make: makes the operator; called in the abstract.
        shape: grid of the samples.
        samples: batch size.
        mesh: devices.
    """
    operator = nnx.eval_shape(make)
    model_of, params = split_operator(operator)
    optimizer = optax.adam(1e-3)
    state = jax.eval_shape(
        lambda params, statistics: init_state(params, optimizer, False, statistics=statistics),
        params,
        statistics_of(operator),
    )
    state = jax.tree.map(lambda s: jax.ShapeDtypeStruct(s.shape, s.dtype, sharding=replicated(mesh)), state)
    spread = NamedSharding(mesh, jax.P(*mesh.axis_names))
    field = jax.ShapeDtypeStruct((samples, *shape, 1), jnp.float32, sharding=spread)
    update = make_update(model_of, RelativeH1((1.0,) * len(shape)), optimizer, mesh)
    return jax.jit(update, donate_argnums=0).lower(state, (field, field)).compile()
