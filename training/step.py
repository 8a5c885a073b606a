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


# Of every step.
METRICS = ("loss", "grad_norm", "param_norm")


class TrainState(NamedTuple):
    """Everything that changes while training: what a checkpoint holds.

    Args:
        step: optimizer steps done; it also fixes the position in the data.
        params: trainable parameters.
        opt_state: state of the optax transformation.
        ema: exponential moving average of the parameters, or None.
        statistics: running statistics of the operator's batch norms, or None where it has none.
        balance: state of the balance of a loss of several terms, or None.
        growth: how many modes take part, where they grow while training, or None.
    """

    step: Int32[Array, ""]
    params: PyTree
    opt_state: PyTree
    ema: PyTree
    statistics: PyTree = None
    balance: PyTree = None
    growth: Growth | None = None


def init_state(
    params: PyTree,
    optimizer: optax.GradientTransformation,
    ema: bool,
    *,
    statistics: PyTree = None,
    balance: PyTree = None,
    growing: Growing | None = None,
) -> TrainState:
    """The state before the first step."""
    growth = None
    if growing is not None:
        growth = growing.init()
        params = growing.mask(params, growth)
    average = jax.tree.map(jnp.array, params) if ema else None
    return TrainState(jnp.zeros((), jnp.int32), params, optimizer.init(params), average, statistics, balance, growth)


def make_update(
    model_of: Callable[..., Callable[[Array], Array]],
    loss: Loss | Objective,
    optimizer: optax.GradientTransformation,
    mesh: Mesh,
    *,
    encode: Callable[[Array], Array] = lambda x: x,
    call: Callable[[Any, Array], Array] = lambda model, x: model(x),
    accumulate: int = 1,
    ema_decay: float | None = None,
    growing: Growing | None = None,
    coarsen: Callable[[Array], Array] = lambda v: v,
) -> Callable[[TrainState, Batch], tuple[TrainState, dict[str, Array]]]:
    """The map (state, batch) -> (state, metrics) of one optimizer step, parallel over the mesh.

    The loss is averaged over the devices *inside* the differentiated function, so that the gradient arrives
    already reduced; the transforms of each device see their own samples only, which keeps the step free of
    gathers. On a mesh with further axes the operator spreads samples and patches by itself, and the compiler divides
    the loss as it finds the prediction.

    Args:
        model_of: parameters -> function of inputs [b, *space, c]; where the state holds running statistics, a function
            of parameters and statistics that makes an operator, whose statistics the call brings up to date.
        loss: (prediction, target) -> one value per sample, or an objective of several terms.
        optimizer: the optax transformation.
        mesh: mesh with the data axis; others spread the patches of the operator.
        encode: applied to the inputs first.
        call: (model, encoded inputs) -> prediction, where that is not the model's own call.
        accumulate: micro-batches per step, computed one after the other.
        ema_decay: decay of the moving average of the parameters, or None; at step t no more than (1 + t) / (10 + t).
        growing: lets modes take part one after the other; None for all of them at once.
        coarsen: puts inputs and targets on the grid that this step is trained on.
    """
    objective = loss if isinstance(loss, Objective) else single(loss)

    def batch_terms(params, statistics, step, x, y):
        model = model_of(params) if statistics is None else model_of(params, statistics)
        terms = objective.terms(lambda v: call(model, encode(v)), coarsen(x), coarsen(y), step)
        terms = jax.tree.map(jnp.mean, terms)
        if statistics is None:
            return terms, None
        assert isinstance(model, nnx.Module)
        return terms, statistics_of(model)

    def mean_loss(params, statistics, balance, step, x, y):
        if accumulate == 1:
            terms, statistics = batch_terms(params, statistics, step, x, y)
        else:
            # Every accumulate-th sample, so that each portion lies on all devices like the batch.
            portions = tuple(jnp.moveaxis(v.reshape(-1, accumulate, *v.shape[1:]), 1, 0) for v in (x, y))
            # Rematerialised: only one micro-batch's activations are alive at a time.
            micro_terms = jax.checkpoint(
                lambda statistics, portion: batch_terms(params, statistics, step, *portion)[::-1]
            )
            statistics, values = jax.lax.scan(micro_terms, statistics, portions)
            terms = jax.tree.map(lambda of_portions: jnp.mean(of_portions, axis=0), values)
        terms = jax.lax.pmean(terms, DATA) if by_hand else terms
        value, (report, balance) = objective.weigh(terms, balance, step)
        return value, (report, balance, statistics)

    # On one device the reduction would copy every gradient.
    by_hand = mesh.size > 1 and mesh.axis_names == (DATA,)
    gradient = jax.value_and_grad(mean_loss, has_aux=True)
    if by_hand:
        gradient = jax.shard_map(
            gradient,
            mesh=mesh,
            in_specs=(*[PartitionSpec()] * 4, PartitionSpec(DATA), PartitionSpec(DATA)),
            out_specs=PartitionSpec(),
        )
    elif mesh.size > 1:
        gradient = _with_mesh(gradient, mesh)

    def update(state: TrainState, batch: Batch) -> tuple[TrainState, dict[str, Array]]:
        (value, (report, balance, statistics)), grads = gradient(
            state.params, state.statistics, state.balance, state.step, *batch
        )
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
        metrics = {"loss": value, "grad_norm": optax.tree.norm(grads), "param_norm": optax.tree.norm(params)} | report
        if growing is not None and growth is not None:
            metrics |= growing.report(growth)
            growth = growing.advance(growth, state.step, value, params)
        return TrainState(state.step + 1, params, opt_state, ema, statistics, balance, growth), metrics

    return update


def _with_mesh(function: Callable, mesh: Mesh) -> Callable:
    """The function, traced with the mesh current, so that operators find its axes."""

    def call(*args):
        with jax.sharding.use_abstract_mesh(mesh.abstract_mesh):
            return function(*args)

    return call


def make_chunk(update, fetch: Callable[[PyTree, Array], Batch], length: int, metrics: tuple[str, ...] = ()):
    """Up to `length` steps in one compiled call: (state, data, n) -> (state, metrics of shape [length]).

    Small operators are bound by dispatch, so several steps share one. The count n is traced: a shorter chunk at
    the end of an epoch runs the same program. A chunk lies within one epoch, whose order is a part of the data. One
    step has no loop around it: on CPUs XLA compiles convolutions inside a loop to code that is several times slower.

    Args:
        update: see `make_update`.
        fetch: (data, step) -> the batch of that step, gathered on the device.
        length: size of the metric buffers.
        metrics: what `update` reports besides `METRICS`.
    """

    def chunk(state: TrainState, data: PyTree, n: Int32[Array, ""]):
        def body(i, carry):
            state, buffers = carry
            state, new = update(state, fetch(data, state.step))
            return state, jax.tree.map(lambda buffer, value: buffer.at[i].set(value), buffers, new)

        if length == 1:
            state, new = update(state, fetch(data, state.step))
            return state, {name: value.astype(jnp.float32)[None] for name, value in new.items()}
        empty = {name: jnp.full((length,), jnp.nan, jnp.float32) for name in (*METRICS, *metrics)}
        return jax.lax.fori_loop(0, n, body, (state, empty))

    return jax.jit(chunk, donate_argnums=0)


def split_operator(operator: nnx.Module) -> tuple[Callable[..., nnx.Module], PyTree]:
    """Parameters of an operator as a pure dictionary, and the function that puts an operator back around them.

    Returns:
        `model_of(params, statistics=None, evaluate=False)`, which needs the running statistics where the operator has
        some (`statistics_of`), and with `evaluate` makes the operator use them instead of those of the batch; and
        the parameters.

    Raises:
        ValueError: where the operator holds state besides parameters and running statistics (`nnx.BatchStat`), which
            a training step would lose.
    """
    graph, *templates, rest = nnx.split(operator, nnx.Param, nnx.BatchStat, ...)
    if jax.tree.leaves(rest):
        raise ValueError(
            f"operator: got state besides parameters and running statistics, "
            f"{sorted(map(str, nnx.to_flat_state(rest)))}, wanted none; keep such state in nnx.BatchStat variables"
        )

    def model_of(params: PyTree, statistics: PyTree = None, *, evaluate: bool = False) -> nnx.Module:
        states = [jax.tree.map(lambda leaf: leaf, template) for template in templates]
        for state, values in zip(states, (params, statistics or {}), strict=True):
            nnx.replace_by_pure_dict(state, values)
        model = nnx.merge(graph, *states, rest)
        if evaluate:
            model.eval()
        return model

    return model_of, nnx.to_pure_dict(templates[0])


def statistics_of(operator: nnx.Module) -> PyTree:
    """Running statistics of an operator as a pure dictionary, or None where it has none."""
    return nnx.to_pure_dict(nnx.state(operator, nnx.BatchStat)) or None


def parameter_table(params: PyTree) -> dict[str, tuple[int, ...]]:
    """Name -> shape of every parameter array, names joined by slashes."""
    leaves, _ = jax.tree_util.tree_flatten_with_path(params)
    return {jax.tree_util.keystr(path, simple=True, separator="/"): tuple(leaf.shape) for path, leaf in leaves}
