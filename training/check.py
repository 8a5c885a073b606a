"""Every component is built in the abstract, and bad keys refused, before data are made."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from data.normalizer import Normalizer
from data.splits import SplitSpec
from operators.base import Operator
from operators.interpolation import Interpolation
from operators.rollout import Rollout

from . import build
from .build_spectral import build_k_space
from .component import named
from .config import Run
from .metrics import standard_metrics
from .objective import Physics
from .problem import Problem, problem_of_generator
from .refinement import check_refinement
from .step import split_operator


def check_components(run: Run) -> None:
    """Build every component in the abstract, so that a bad key stops the run before data is generated.

    Raises:
        ValueError: names the group, what was got and what its constructor takes.
    """
    for group in ("operator", "pde", "data", "loss", "optimizer"):
        if not getattr(run, group) and not (group == "pde" and run.data.get("source") is not None):
            raise ValueError(f"{group}: got nothing, wanted one: choose {group}=<name> on the command line")
    splits = build.build_splits(run)
    generator, split = splits["train"]
    shape = split.resolutions[0]
    problem = problem_of_generator(generator, run.data.get("inputs"), run.data.get("targets"))
    operator = _check_operator(run, shape, problem)
    _check_growing(run, operator)
    stages = build.build_stages(run, operator, shape, generator.grid_type == "periodic")
    _check_loss(run, operator, problem, stages)
    _check_optimizer(run)
    if run.data.get("loader", "auto") not in ("auto", "resident", "stream", "online", "inline"):
        raise ValueError(f"data.loader: got {run.data['loader']!r}, wanted auto, resident, stream, online or inline")
    if run.data.get("windows") not in (None, False, True, "random"):
        raise ValueError(f"data.windows: got {run.data['windows']!r}, wanted true, random, or null for one start")
    if build.has_windows(run) and run.data.get("loader", "auto") not in ("auto", "resident"):
        raise ValueError(
            f"data.windows: got {run.data['windows']} with data.loader={run.data['loader']}, wanted auto or resident"
        )
    if build.is_online(run) and run.data.get("source") is not None:
        raise ValueError(f"data.loader: got {run.data['loader']} for files of others, wanted auto, resident or stream")
    _check_normalizers(run, splits)
    _check_frames(run, operator)
    if run.refine:
        sets = [(m, size) for n, (m, s) in splits.items() if n not in ("train", "valid") for size in s.resolutions]
        check_refinement(run.refine, operator, sets, run.data, run.allow)
    tests = set()
    for name, (_, split) in splits.items():
        if name not in ("train", "valid"):
            tests |= {build.test_name(name, size, shape) for size in split.resolutions}
        elif len(split.resolutions) > 1:
            raise ValueError(
                f"data.splits.{name}.resolutions: got {[list(size) for size in split.resolutions]}, wanted one: "
                "training and validation use one grid, other sets take several"
            )
    # A checkpoint is ranked when it is saved: only the validation set has been looked at by then.
    for key, metric, names in (
        ("objective", run.objective, tests | {"valid"}),
        ("checkpoint.best_metric", run.checkpoint.best_metric, {"valid"}),
    ):
        known = sorted(f"{name}/{score}" for name in names for score in standard_metrics(problem.extent))
        if metric not in known:
            raise ValueError(f"{key}: got {metric!r}, wanted one of {', '.join(known)}")


def _check_operator(run: Run, shape: tuple[int, ...], problem: Problem) -> Operator:
    """Build the operator and apply it, in the abstract: some arguments show only in a call that they do not fit."""
    channels = len(problem.inputs), len(problem.targets)
    _, operator = build.build_operator(run, shape, channels)
    graph, state = nnx.split(operator)
    with named("operator", run.operator):
        u = jax.ShapeDtypeStruct((1, *shape, channels[0]), np.float32)
        output = jax.eval_shape(lambda state, u: nnx.merge(graph, state)(u), state, u)
    if output.shape != (1, *shape, channels[1]):
        raise ValueError(
            f"operator: got output on {output.shape[1:-1]} for input on {shape}, wanted the grid of the targets, which "
            "is that of the inputs; make the product of the operator's scaling factors 1"
        )
    return operator


def _check_growing(run: Run, operator: Operator) -> None:
    """One abstract epoch of the rule."""
    model_of, params = split_operator(operator)
    growing = build.build_growing(run, operator, model_of, steps_per_epoch=1)
    if growing is not None:
        with named("growth", run.growth):
            jax.eval_shape(lambda p: growing.advance(growing.init(), jnp.int32(0), jnp.float32(1), p), params)


def _check_loss(run: Run, operator: Operator, problem: Problem, stages: list[tuple[int, ...]]) -> None:
    """Evaluate the loss in the abstract on every grid of the run, and differentiate it where it asks for the equation.

    Not every layer has the forward derivative that a residual takes.
    """
    same = Normalizer.identity(len(problem.inputs)), Normalizer.identity(len(problem.targets))

    def samples(stage):
        return (jax.ShapeDtypeStruct((1, *stage, len(channels.mean)), np.float32) for channels in same)

    k_space = build_k_space(run, problem, operator, stages[-1], same, cached=False)
    if k_space is not None:
        with named("loss", run.loss):
            terms = k_space.objective().terms

            def predict(model, x, y):
                return terms(lambda z: k_space.call(model, z), x, y, jnp.int32(0))

            nnx.eval_shape(predict, operator, *samples(stages[-1]))
        return
    objective = build.build_objective(run, problem, same[1])
    residual = isinstance(build.build_loss(run, problem), Physics)
    graph, state = nnx.split(operator)

    def total(state, x, y):
        # A loss of prediction and target sees two targets.
        model, x = (nnx.merge(graph, state), x) if residual else (lambda v: v, y)
        terms = {name: jnp.mean(term) for name, term in objective.terms(model, x, y, jnp.int32(0)).items()}
        return objective.weigh(terms, objective.init(), jnp.int32(0))[0]

    call = jax.grad(total) if residual else total
    fix = "a residual needs the forward derivative of every layer: spectral_dtype=f32, a norm other than batch_norm"
    with named("loss", run.loss, fix if run.loss.get("residuals") else ""):
        for stage in stages:
            jax.eval_shape(call, state, *samples(stage))


def _check_optimizer(run: Run) -> None:
    """Two abstract steps: a wrong type shows itself where the numbers are used, not where they are given."""
    params = {"weight": jax.ShapeDtypeStruct((2,), np.float32)}
    optimizer, _ = build.build_optimizer(run, total_steps=2)
    with named("optimizer", run.optimizer):
        jax.eval_shape(lambda p: optimizer.update(p, optimizer.init(p), p), params)


def _check_normalizers(run: Run, splits: dict[str, tuple[Any, SplitSpec]]) -> None:
    shapes = {shape for _, split in splits.values() for shape in split.resolutions}
    for key in ("normalize_inputs", "normalize_targets"):
        mode = run.data.get(key)
        if mode not in (None, False, "channel", "field", "pixel"):
            raise ValueError(f"data.{key}: got {mode!r}, wanted channel, field, pixel or null")
        if mode in ("channel", "pixel") and build.random_windows(run):
            raise ValueError(
                f"data.{key}: got {mode} with data.windows=random, wanted field or null: a channel is another time in "
                "every window"
            )
        if mode == "pixel" and len(shapes) > 1:
            raise ValueError(
                f"data.{key}: got pixel for sets of shapes {sorted(shapes)}, wanted one shape: its statistics belong "
                "to one grid; use channel, or store the test sets at the training resolution"
            )


def _check_frames(run: Run, operator: Operator) -> None:
    """A rollout or an interpolation that sees, makes or adds several frames of a field has them in one unit."""
    if not isinstance(operator, Rollout | Interpolation):
        return
    frames = operator.in_channels // operator.fields, operator.out_channels // operator.fields
    keys = "normalize_inputs", "normalize_targets"
    modes = tuple(run.data.get(key) or None for key in keys)
    # One frame to another one, not added to it, may have a unit each.
    if (frames == (1, 1) and operator.order == 0) or (modes[0] == modes[1] and modes[0] in (None, "field")):
        return
    names = ["null" if mode is None else mode for mode in modes]
    raise ValueError(
        f"data.normalize_inputs, data.normalize_targets: got {names[0]}, {names[1]} for a map from {frames[0]} to "
        f"{frames[1]} frames of order {operator.order}, wanted field or null for both: frames in other units do not "
        "continue each other; set data.normalize_inputs=field data.normalize_targets=field"
    )
