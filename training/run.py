"""A run from its config to its result: the whole control flow on one screen."""

import contextlib
import dataclasses
import functools
import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jax.sharding import Mesh
from omegaconf import DictConfig

from data.order import check_batches
from operators.base import Operator
from spectral.filters import resize

from . import build, directory, distributed
from .build_spectral import adapted, build_k_space
from .check import check_components
from .checkpoint import Checkpointer
from .config import Run, parse
from .evaluator import Evaluator
from .floor import Floor
from .jsonl import read_metrics
from .k_space import KSpace
from .logging import RunLogger, quiet_libraries
from .loop import fit, resident_train, staged, stream_train
from .metrics import standard_metrics
from .preemption import stop_on_signal
from .problem import problem_of_file
from .refinement import refine_sets
from .sharding import DATA, collectives, make_mesh, over_samples, replicated
from .step import (
    TrainState,
    init_state,
    make_chunk,
    make_update,
    parameter_table,
    split_operator,
    statistics_of,
)
from .trained import Trained, read_settings, restore_weights
from .units import check_units


def run(cfg: DictConfig) -> float | None:
    """Train, evaluate and report one composed config; resume where its run directory holds a checkpoint.

    Args:
        cfg: a config composed from `configs/train.yaml`.

    Returns:
        The metric named `objective`, for a sweeper; None where the run has none of that name.

    Raises:
        ValueError: for bad settings, before anything is computed.
        NonFiniteLoss: where training diverged.
    """
    settings, config = parse(cfg)
    with distributed.run_settings(settings.compile_cache, settings.trainer.matmul_precision):
        return _run(settings, config).get(settings.objective)


def _run(settings: Run, config: dict[str, Any]) -> dict[str, Any]:
    begin = time.perf_counter()
    quiet_libraries()

    settings, config, mesh, folder = _prepare(settings, config)
    main, batch_size = distributed.is_main(), settings.data["batch_size"]

    with contextlib.ExitStack() as stack:
        # Whatever the first process alone can fail at, all of them learn of.
        distributed.together(lambda: main and stack.enter_context(directory.held(folder)))
        logger = distributed.together(
            lambda: stack.enter_context(RunLogger(folder, config, settings.logger, enabled=main))
        )
        logger.message(f"run {folder}")
        sets = build.build_datasets(settings)
        # From here on a signal is answered with a checkpoint; data that are being made it may end at once.
        stop_requested = stack.enter_context(stop_on_signal())
        normalizers = build.build_normalizers(settings, sets.train)

        key = jax.random.key(settings.seed)
        program = _build_program(settings, sets.train, normalizers, key, mesh, logger)
        distributed.together(lambda: main and _write_description(folder, normalizers, program.table))

        def validate(state: TrainState) -> dict[str, float]:
            assert sets.valid is not None
            return program.evaluator(_averaged(state), sets.valid)

        # Restore, or begin; then the loop.
        with Checkpointer(
            folder / "checkpoints",
            keep_latest=settings.checkpoint.keep_latest,
            keep_best=settings.checkpoint.keep_best,
            best_metric=settings.checkpoint.best_metric if sets.valid and settings.trainer.eval_every else None,
            config=config,
        ) as checkpointer:
            units = functools.partial(check_units, normalizers=normalizers, fields=sets.train.field_counts)
            begin_with = functools.partial(_fresh, settings, units, program.make_state, mesh)
            state, resumed_from = _restore_or_begin(checkpointer, begin_with, program.make_state, key, mesh, logger)
            named = ({"valid": sets.valid} if sets.valid else {}) | sets.test
            for name, value in _floors(program, state, named).items():
                logger.message(f"{name} {value:.3g}: the modes left out, which nothing learnt on the others mends")
            state = fit(
                state,
                program.train,
                steps_per_epoch=program.steps_per_epoch,
                epochs=settings.trainer.epochs,
                steps_per_dispatch=settings.trainer.steps_per_dispatch,
                rate=program.rate,
                evaluate=validate if sets.valid else None,
                eval_every=settings.trainer.eval_every,
                checkpoint_every=settings.checkpoint.every_epochs,
                checkpointer=checkpointer,
                logger=logger,
                stop_requested=stop_requested,
            )

        result = _floors(program, state, named) | _scores(program.evaluator, state, named, logger)
        result |= _refined(settings, program, state, sets.test, folder, logger)
        result |= {
            "num_params": program.num_params,
            "steps": int(state.step),
            "resumed_from_step": resumed_from,
            **_timings(folder, batch_size, resumed_from or 0, int(state.step), time.perf_counter() - begin),
            "devices": f"{mesh.size} x {jax.devices()[0].device_kind}",
            **directory.environment(),
        }
        _record(folder, result, program.evaluator, state, named, settings.plots)
        logger.result(result)
    return result


def _prepare(settings: Run, config: dict[str, Any]) -> tuple[Run, dict[str, Any], Mesh, Path]:
    """Processes, devices, components in the abstract, run directory: what can be refused is, before data are made.

    Settings and config come back as they are on this mesh.
    """
    distributed.start(settings.distributed)
    distributed.agree(config)
    mesh = make_mesh(settings.mesh.data, settings.mesh.patches)
    settings = build.for_devices(settings, mesh.shape[DATA])
    # With trainer.per_device the mesh is part of what the run is.
    config = config | {"data": settings.data}
    check_components(settings)
    num_samples = build.build_splits(settings)["train"][1].samples
    check_batches(num_samples, settings.data["batch_size"], mesh.shape[DATA], settings.trainer.accumulate)
    main = distributed.is_main()
    folder = distributed.together(lambda: directory.open_directory(settings, config, write=main))
    return settings, config, mesh, folder


class Program(NamedTuple):
    """The compiled parts of a run.

    Args:
        make_state: key -> the state before the first step, on the mesh.
        train: see `fit`.
        rate: step -> learning rate.
        steps_per_epoch: optimizer steps in one pass over the training set.
        evaluator: mean errors of a set.
        trained: parameters and running statistics -> the operator between physical fields.
        floor: the least errors that the operator's modes allow; None where they bound nothing.
        table: name -> shape of every parameter.
        num_params: numbers in all of them.
    """

    make_state: Callable[[jax.Array], TrainState]
    train: Callable
    rate: Callable
    steps_per_epoch: int
    evaluator: Evaluator
    trained: Callable[..., Trained]
    floor: Floor | None
    table: dict[str, tuple[int, ...]]
    num_params: int


def _build_program(settings: Run, train_set, normalizers, key: jax.Array, mesh, logger: RunLogger) -> Program:
    """Operator, loader, optimizer, loss and step; the loss sees normalised fields, the metrics physical ones."""
    # Shapes first: parameters are made on the devices.
    grid = train_set.metadata.shape
    create, abstract = build.build_operator(settings, grid, train_set.channels)
    create = adapted(create, abstract, train_set, normalizers)
    model_of, shapes = split_operator(abstract)
    table = parameter_table(shapes)
    num_params = sum(math.prod(shape) for shape in table.values())
    logger.message(f"{settings.operator['_target_']}: {num_params:,} parameters on {mesh.size} device(s)")
    inputs, targets = normalizers
    problem = problem_of_file(train_set.metadata, train_set.inputs, train_set.targets, settings.allow)
    k_space = build_k_space(settings, problem, abstract, grid, normalizers, train_set.samples is not None)
    if k_space is not None and train_set.samples is not None:
        train_set = dataclasses.replace(train_set, samples=k_space.cache(train_set.samples))
    loader = build.build_loader(settings, train_set, mesh)
    optimizer, rate = build.build_optimizer(settings, loader.steps_per_epoch * settings.trainer.epochs, abstract)
    objective = k_space.objective() if k_space else build.build_objective(settings, problem, targets)
    growing = build.build_growing(settings, abstract, model_of, loader.steps_per_epoch)
    stages = build.build_stages(settings, abstract, grid, problem.periodic)

    def fresh_state(key: jax.Array) -> TrainState:
        operator = create(key)
        params = nnx.to_pure_dict(nnx.state(operator, nnx.Param))
        return init_state(
            params,
            optimizer,
            settings.trainer.ema_decay is not None,
            statistics=statistics_of(operator),
            balance=objective.init(),
            growing=growing,
        )

    make_state = jax.jit(fresh_state, out_shardings=replicated(mesh))
    shape = jax.eval_shape(make_state, key)
    metrics = (*objective.metrics, *(growing.metrics if growing else ()))

    def train_on(stage: tuple[int, ...]) -> Callable:
        update = make_update(
            model_of,
            objective,
            optimizer,
            mesh,
            **_representation(k_space, inputs.encode, stage),
            accumulate=settings.trainer.accumulate,
            ema_decay=settings.trainer.ema_decay,
            growing=growing,
        )
        train, report = _compile(update, loader, shape, metrics, settings, mesh)
        logger.message(f"{'x'.join(map(str, stage))} points: {report}")
        return train

    steps_per_stage = settings.trainer.epochs_per_stride * loader.steps_per_epoch
    metrics_of_set = standard_metrics(problem.extent, problem.periodic, problem.parameters.get("white"))
    over = over_samples(mesh), settings.trainer.eval_batch_size or settings.data["batch_size"]
    evaluator = Evaluator(
        lambda values, x: targets.decode(model_of(*values, evaluate=True)(inputs.encode(x))), metrics_of_set, *over
    )
    bounded = getattr(abstract, "truncation", None) is not None
    floor = Floor(model_of, targets, metrics_of_set, *over) if bounded else None
    train = staged([train_on(stage) for stage in stages], steps_per_stage)

    def trained(params, statistics) -> Trained:
        operator = model_of(params, statistics, evaluate=True)
        assert isinstance(operator, Operator)
        return Trained(operator, inputs, targets, loader.steps_per_epoch * settings.trainer.epochs)

    return Program(make_state, train, rate, loader.steps_per_epoch, evaluator, trained, floor, table, num_params)


def _representation(k_space: KSpace | None, encode: Callable, stage: tuple[int, ...]) -> dict[str, Callable]:
    """What happens to samples between the loader and the operator on a stage's grid, as arguments of `make_update`."""
    if k_space is not None:
        return {"call": k_space.call}

    def coarsen(v: jax.Array) -> jax.Array:
        return v if v.shape[1:-1] == stage else resize(v, stage, range(1, v.ndim - 1))

    return {"encode": encode, "coarsen": coarsen}


def _compile(update, loader, state, metrics: tuple[str, ...], settings: Run, mesh):
    """The `train` function of the loop, compiled ahead for resident data, and one line about the program."""
    if not loader.resident:
        step = jax.jit(update, donate_argnums=0)
        return stream_train(step, loader.batches), "data come batch by batch: the step is compiled at the first one"
    begin = time.perf_counter()
    chunk = make_chunk(update, loader.fetch, settings.trainer.steps_per_dispatch, metrics)
    shape = jax.tree.map(lambda s: jax.ShapeDtypeStruct(s.shape, s.dtype, sharding=replicated(mesh)), state)
    program = chunk.lower(shape, loader.data(0), np.int32(1)).compile()
    memory = program.memory_analysis()
    used = f"{memory.temp_size_in_bytes / 2**20:.0f} MiB of temporaries" if memory else "memory unknown"
    report = (
        f"compiled {settings.trainer.steps_per_dispatch} steps per dispatch in {time.perf_counter() - begin:.1f} s: "
        f"{used}, collectives {collectives(program.as_text() or '') or 'none'}"
    )
    return resident_train(program, loader.data), report


def _fresh(settings: Run, check: Callable[[Path], None], make_state, mesh: Mesh, key: jax.Array) -> TrainState:
    """The state before the first step, with the parameters of another run where the settings name one in our units."""
    state = make_state(key)
    if settings.start_from is None:
        return state
    folder = Path(settings.start_from).expanduser().resolve()
    found = restore_weights(read_settings(folder, settings.allow), folder, "latest", mesh)
    wanted = parameter_table(state.params)
    if parameter_table(found.params) != wanted:
        raise ValueError(
            f"start_from: got {settings.start_from} with parameters {parameter_table(found.params)}, wanted those of "
            f"this run, {wanted}; take the operator of that run"
        )
    check(folder)
    ema = None if state.ema is None else jax.tree.map(jnp.array, found.params)
    statistics = state.statistics if found.statistics is None else found.statistics
    return state._replace(params=found.params, ema=ema, statistics=statistics)


def _restore_or_begin(checkpointer: Checkpointer, begin, make_state, key, mesh, logger: RunLogger):
    """The newest good checkpoint, or fresh parameters; rows of the log past that step are dropped."""
    template = jax.tree.map(
        lambda s: jax.ShapeDtypeStruct(s.shape, s.dtype, sharding=replicated(mesh)), jax.eval_shape(make_state, key)
    )
    restored = checkpointer.restore(template._asdict())
    step = restored.step if restored else 0
    logger.resume(step)
    if restored is None:
        return begin(key), None
    logger.message(f"resuming from step {step}")
    return TrainState(**restored.state), step


def _floors(program: Program, state: TrainState, named) -> dict[str, float]:
    """The least mean errors on every set that the modes allow; trained modes change them."""
    return program.floor(_averaged(state), named) if program.floor else {}


def _scores(evaluator: Evaluator, state: TrainState, named, logger: RunLogger) -> dict[str, Any]:
    """Mean errors on every set, at every resolution."""
    result: dict[str, Any] = {}
    for name, samples in named.items():
        scores = evaluator(_averaged(state), samples)
        if name != "valid":  # the loop has logged that one
            logger.log(int(state.step), name, scores)
        result |= {f"{name}/{metric}": value for metric, value in scores.items()}
    return result


def _refined(settings: Run, program: Program, state: TrainState, sets, folder: Path, logger) -> dict[str, float]:
    """The test sets refined by their equation where the config asks for it: on the first process, the others wait."""
    if not settings.refine:
        return {}
    trained = program.trained(*_averaged(state))
    portion = settings.trainer.eval_batch_size or settings.data["batch_size"]
    arguments = sets, portion, settings.allow, folder if settings.plots else None, logger.message
    main = distributed.is_main()
    return distributed.together(lambda: refine_sets(settings.refine, trained, *arguments) if main else {})


def _averaged(state: TrainState):
    """What is evaluated: the parameters, their moving average where one is kept, and the running statistics."""
    return (state.params if state.ema is None else state.ema), state.statistics


def _timings(folder: Path, batch_size: int, resumed_from: int, steps: int, total: float) -> dict[str, float | None]:
    """What the run took in all its lives: this one, and the training steps of those before.

    Where the same command came again and had nothing left to do, the numbers of the first time stay.
    """
    names = ("seconds_total", "seconds_per_step", "samples_per_second")
    log, result = folder / "metrics.jsonl", folder / "result.json"
    if resumed_from == steps and (before := directory.read_json(result)):
        return {name: before.get(name) for name in names}
    rows = [row for row in read_metrics(log) if row["split"] == "train"] if log.exists() else []
    last = [0, *(row["step"] for row in rows)]
    seconds = [row["wall"]["seconds_per_step"] for row in rows]
    earlier = sum(s * (b - a) for s, a, b in zip(seconds, last, last[1:], strict=False) if b <= resumed_from)
    step = float(np.median(seconds)) if seconds else None
    return dict(zip(names, (earlier + total, step, batch_size / step if step else None), strict=True))


def _write_description(folder: Path, normalizers, table: dict[str, tuple[int, ...]]) -> None:
    """What a prediction needs beside the parameters, and what those are."""
    directory.write_normalizers(folder, *normalizers)
    directory.write_json(folder / "parameters.json", table)


def _record(folder: Path, result: dict[str, Any], evaluator: Evaluator, state: TrainState, sets, plots: bool) -> None:
    """The result, and pictures of every set, the curves and the report; every process predicts, the first writes."""
    main = distributed.is_main()
    distributed.together(lambda: main and directory.write_json(folder / "result.json", result))
    if not plots:
        return
    predictions = {name: evaluator.predict(_averaged(state), samples, 3) for name, samples in sets.items()}
    if main:
        _draw(folder, sets, predictions)


def _draw(folder: Path, sets, predictions) -> None:
    """Pictures of every test set, the curves, and the report."""
    from . import plots, report

    for name, prediction in predictions.items():
        if sets[name].metadata.grid_type == "cloud":  # no point has neighbours to draw it beside
            continue
        plots.fields(folder / "plots" / f"{name}_fields.png", sets[name], prediction)
        if sets[name].metadata.periodic:  # the Fourier series of another field would show its boundary
            plots.spectra(folder / "plots" / f"{name}_spectra.png", sets[name], prediction)
    plots.curves(folder / "plots" / "curves.png", folder / "metrics.jsonl")
    report.write_report(folder)
