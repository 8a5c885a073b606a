"""One optimizer step, and many of them in one compiled call."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from flax import nnx
from jax.sharding import Mesh, PartitionSpec
from jaxtyping import Array, Int32

from .incremental import Growing, Growth
from .objective import Loss, Objective, single
from .sharding import DATA

PyTree = Any
Batch = tuple[Array, Array]


class TrainState(NamedTuple):
    """Everything that changes while training: what a checkpoint holds.

    Args:
        step: optimizer steps done; it also fixes the position in the data.
        params: trainable parameters.
        opt_state: state of the optax transformation.
        ema: exponential moving average of the parameters, or None.
        balance: state of the balance of a loss of several terms, or None.
        growth: how many modes take part, where they grow while training, or None.
    """

    step: Int32[Array, ""]
    params: PyTree
    opt_state: PyTree
    ema: PyTree
    balance: PyTree = None
    growth: Growth | None = None


def init_state(
    params: PyTree,
    optimizer: optax.GradientTransformation,
    ema: bool,
    balance: PyTree = None,
    growing: Growing | None = None,
) -> TrainState:
    """The state before the first step."""
    growth = None
    if growing is not None:
        growth = growing.init()
        params = growing.mask(params, growth)
    average = jax.tree.map(jnp.array, params) if ema else None
    return TrainState(jnp.zeros((), jnp.int32), params, optimizer.init(params), average, balance, growth)


def make_update(
    model_of: Callable[[PyTree], Callable[[Array], Array]],
    loss: Loss | Objective,
    optimizer: optax.GradientTransformation,
    mesh: Mesh,
    *,
    accumulate: int = 1,
    ema_decay: float | None = None,
    growing: Growing | None = None,
    coarsen: Callable[[Array], Array] = lambda v: v,
) -> Callable[[TrainState, Batch], tuple[TrainState, dict[str, Array]]]:
    """The map (state, batch) -> (state, metrics) of one optimizer step, data-parallel over the mesh.

    The loss is averaged over the devices *inside* the differentiated function, so that the gradient arrives
    already reduced; the transforms of each device see their own samples only, which keeps the step free of
    gathers.

    Args:
        model_of: parameters -> function of inputs [b, *space, c].
        loss: (prediction, target) -> one value per sample, or an objective of several terms.
        optimizer: the optax transformation.
        mesh: mesh with the data axis.
        accumulate: micro-batches per step, computed one after the other.
        ema_decay: decay of the moving average of the parameters, or None; at step t no more than (1 + t) / (10 + t).
        growing: lets modes take part one after the other; None for all of them at once.
        coarsen: puts inputs and targets on the grid that this step is trained on.
    """

    objective = loss if isinstance(loss, Objective) else single(loss)

    def batch_terms(params, x, y):
        return jax.tree.map(jnp.mean, objective.terms(model_of(params), coarsen(x), coarsen(y)))

    def mean_loss(params, balance, step, x, y):
        if accumulate == 1:
            terms = batch_terms(params, x, y)
        else:
            portions = [v.reshape(accumulate, -1, *v.shape[1:]) for v in (x, y)]
            # Rematerialised: only one micro-batch's activations are alive at a time.
            micro_terms = jax.checkpoint(lambda portion: batch_terms(params, *portion))
            terms = jax.tree.map(jnp.mean, jax.lax.map(micro_terms, tuple(portions)))
        # On one device the reduction would copy every gradient.
        return objective.weigh(terms if mesh.size == 1 else jax.lax.pmean(terms, DATA), balance, step)

    gradient = jax.value_and_grad(mean_loss, has_aux=True)
    if mesh.size > 1:
        whole, split = PartitionSpec(), PartitionSpec(DATA)
        gradient = jax.shard_map(gradient, mesh=mesh, in_specs=(whole, whole, whole, split, split), out_specs=whole)

    def update(state: TrainState, batch: Batch) -> tuple[TrainState, dict[str, Array]]:
        (value, (report, balance)), grads = gradient(state.params, state.balance, state.step, *batch)
        growth = state.growth
        if growing is not None and growth is not None:
            grads = growing.mask(grads, growth)
        updates, opt_state = optimizer.update(grads, state.opt_state, state.params)
        params = optax.apply_updates(state.params, updates)
        ema = state.ema
        if ema_decay is not None:
            # Shorter at first: the random initial parameters would weigh on the average of a short run.
            step = state.step.astype(jnp.float32)
            decay = jnp.minimum(ema_decay, (1 + step) / (10 + step))
            ema = optax.incremental_update(params, ema, 1 - decay)
        metrics = {"loss": value, "grad_norm": optax.tree.norm(grads)} | report
        if growing is not None and growth is not None:
            metrics |= growing.report(growth)
            growth = growing.advance(growth, state.step, value, params)
        return TrainState(state.step + 1, params, opt_state, ema, balance, growth), metrics

    return update


def make_chunk(update, fetch: Callable[[PyTree, Array], Batch], length: int, metrics: tuple[str, ...] = ()):
    """Up to `length` steps in one compiled call: (state, data, n) -> (state, metrics of shape [length]).

    Small operators are bound by dispatch, so several steps share one. The count n is traced: a shorter chunk at
    the end of an epoch runs the same program. A chunk lies within one epoch, whose order is a part of the data.

    Args:
        update: see `make_update`.
        fetch: (data, step) -> the batch of that step, gathered on the device.
        length: size of the metric buffers.
        metrics: what `update` reports besides the loss and the norm of its gradient.
    """
    names = ("loss", "grad_norm", *metrics)

    def chunk(state: TrainState, data: PyTree, n: Int32[Array, ""]):
        def body(i, carry):
            state, buffers = carry
            state, new = update(state, fetch(data, state.step))
            return state, jax.tree.map(lambda buffer, value: buffer.at[i].set(value), buffers, new)

        empty = {name: jnp.full((length,), jnp.nan, jnp.float32) for name in names}
        return jax.lax.fori_loop(0, n, body, (state, empty))

    return jax.jit(chunk, donate_argnums=0)


def split_operator(operator: nnx.Module) -> tuple[Callable[[PyTree], nnx.Module], PyTree]:
    """Parameters of an operator as a pure dictionary, and the function that puts an operator back around them.

    Raises:
        ValueError: where the operator holds state besides parameters, which a training step would lose.
    """
    graph, params, rest = nnx.split(operator, nnx.Param, ...)
    if jax.tree.leaves(rest):
        raise ValueError(
            f"operator: got state besides parameters, {sorted(map(str, nnx.to_flat_state(rest)))}, wanted none; use "
            "a normalisation without running statistics"
        )
    template = params

    def model_of(values: PyTree) -> nnx.Module:
        state = jax.tree.map(lambda leaf: leaf, template)
        nnx.replace_by_pure_dict(state, values)
        return nnx.merge(graph, state, rest)

    return model_of, nnx.to_pure_dict(params)


def parameter_table(params: PyTree) -> dict[str, tuple[int, ...]]:
    """Name -> shape of every parameter array, names joined by slashes."""
    leaves, _ = jax.tree_util.tree_flatten_with_path(params)
    return {jax.tree_util.keystr(path, simple=True, separator="/"): tuple(leaf.shape) for path, leaf in leaves}
