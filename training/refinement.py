"""Predictions of a trained operator refined by the equation behind its data, beside a serial solver's."""

import dataclasses
import math
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jaxtyping import Array

from data.instantiate import instantiate
from data.sets import Maker
from data.source import Samples
from operators import STFNO
from operators.base import Operator
from operators.layers.arguments import items, refusal, whole, whole_numbers
from operators.layers.space_time_output import OutputOperator
from operators.refiner import LBFGS, REASONS, Adam, Newton, Refined, Refiner, Shooting, Stopping
from operators.refiner.estimator import Residual
from operators.refiner.flow import Stepper, count_fields
from pdes.generators import Generator
from pdes.steppers import cn_rk4

from .component import named
from .metrics import standard_metrics
from .refinement_plots import draw
from .trained import Trained
from .trajectory import Trajectory, trajectory_ahead, trajectory_of

# Errors this close are equal: what is left of both is often the truncation of the data.
EQUAL = 1.01


@dataclasses.dataclass(frozen=True)
class Refinement:
    """How predictions are refined, and what they are measured against.

    Args:
        residual: (equation, interval) -> `operators.refiner.Differences` or `Shooting`; a partial of it.
        optimizer: `Adam`, `LBFGS`, or `Newton` with `Shooting`.
        stopping: when to end before all steps are taken.
        floor_steps: also end at the estimate of a serial solution with so many steps of `solver` per snapshot, the
            lowest among the samples: below it differences in time measure themselves. The solution is no part of
            the seconds that the refinement is said to take. Where that solver is unstable, on any of the samples, there
            is no floor. None for `stopping` alone.
        output_layer: modes per axis of an enlarged output layer of an STFNO, whose parameters are then changed, one
            set per sample, as in the published method; None changes the outputs themselves, of any operator.
        samples: so many of every test set, at even stride over it: neighbours are often windows of one trajectory;
            None for all.
        solver: stepper of the serial solutions beside the refinement.
        solver_steps: their steps per snapshot, ascending.

    Raises:
        ValueError: for samples or steps that are no whole numbers of at least 1, a floor beside that of `stopping`,
            Newton of an output layer, steps that are not ascending, or a solver that is none.
    """

    residual: Callable[..., Residual]
    optimizer: Adam | LBFGS | Newton = dataclasses.field(default_factory=Adam)
    stopping: Stopping = dataclasses.field(default_factory=Stopping)
    floor_steps: int | None = None
    output_layer: tuple[int, ...] | None = None
    samples: int | None = None
    solver: Stepper = cn_rk4
    solver_steps: tuple[int, ...] = (1, 2, 4)

    def __post_init__(self) -> None:
        for name in ("samples", "floor_steps"):
            if getattr(self, name) is not None:
                whole(name, getattr(self, name))
        if self.floor_steps is not None and self.stopping.floor > 0:
            raise ValueError(
                f"floor_steps: got {self.floor_steps} and stopping.floor {self.stopping.floor:g}, wanted one floor; "
                "floor_steps=null takes that of stopping"
            )
        if self.output_layer is not None and isinstance(self.optimizer, Newton):
            raise ValueError(
                f"output_layer: got {list(self.output_layer)} with optimizer Newton, wanted Adam or LBFGS: Newton "
                "changes the outputs themselves; output_layer=null does that"
            )
        if not callable(self.solver):
            raise refusal("solver", self.solver, "(equation, dt) -> step", "such as pdes.steppers.cn_rk4 itself")
        steps = whole_numbers(items(self.solver_steps))
        if steps is None or steps[0] < 1 or list(steps) != sorted(set(steps)):
            raise refusal("solver_steps", self.solver_steps, "ascending whole numbers of steps", "such as [1, 2, 4]")

    def rows(self, count: int) -> np.ndarray:
        """Which of a set's samples are refined."""
        taken = min(count, self.samples or count)
        return np.arange(taken) * count // taken

    def refiner(self, trajectory: Trajectory) -> Refiner:
        """The refiner for the equation and the interval of a set."""
        residual = self.residual(trajectory.equation, trajectory.interval)
        return Refiner(residual, self.optimizer, self.stopping)


def build_refinement(config: Mapping[str, Any], allow: Sequence[str] = ()) -> Refinement:
    """The refinement that a config describes; `allow` as for `data.instantiate.instantiate`.

    Raises:
        ValueError: for a component of another kind, or arguments that it does not take.
    """
    with named("refine", config):
        found = instantiate(config, allow=(*allow, "training.refinement.", "pdes.steppers."), where="refine")
    if not isinstance(found, Refinement):
        raise ValueError(f"refine: got {config.get('_target_')}, wanted training.refinement.Refinement")
    return found


def check_refinement(
    config: Mapping[str, Any], operator: Operator, sets: Sequence[tuple[Maker, tuple[int, ...]]], data: Any, allow: Any
) -> None:
    """Refuses what cannot refine the sets that a config will make: the residual is measured in the abstract.

    Args:
        config: of the refinement.
        operator: of the run, may be abstract.
        sets: what makes every test set, and its shape.
        data: of the config; its `inputs` and `targets` are used.
        allow: as for `build_refinement`.

    Raises:
        ValueError: as `build_refinement` and `training.trajectory.trajectory_of`; for an output layer where the
            operator has none.
    """
    refinement = build_refinement(config, allow)
    with named("refine", config):
        for maker, shape in sets:
            if not isinstance(maker, Generator):
                raise ValueError("got files of others, wanted data of pde=..., whose equation is known; refine=null")
            ahead = trajectory_ahead(maker, shape, data.get("inputs"), data.get("targets"), what="refine")
            _check(refinement, operator, ahead, shape)


def check_samples(config: Mapping[str, Any], operator: Operator, sets: Sequence[Samples], allow: Any) -> None:
    """The same of sets that are there, before anything is computed.

    Raises:
        ValueError: as `check_refinement`.
    """
    refinement = build_refinement(config, allow)
    with named("refine", config):
        for samples in sets:
            _check(refinement, operator, trajectory_of(samples, allow, what="refine"), samples.x.shape[1:-1])


def _check(refinement: Refinement, operator: Operator, trajectory: Trajectory, shape: tuple[int, ...]) -> None:
    if refinement.output_layer is not None:
        nnx.eval_shape(lambda operator: _output_layer(refinement, operator), operator)
    channels = (operator.in_channels, operator.out_channels)
    history, prediction = (jax.ShapeDtypeStruct((*shape, c), np.float32) for c in channels)
    jax.eval_shape(refinement.refiner(trajectory).estimate_one, prediction, history)


class Outcome(NamedTuple):
    """A set before and after refinement.

    Args:
        scores: of "predicted", "refined" and every solver: metric -> mean over the samples. `estimate` is relative to
            that of the last input held, `seconds` are per sample on one device without compilation, of "refined" those
            of the prediction it begins with included. "refined" has the share of samples that ended for each reason,
            `ended_<reason>` (`operators.refiner.REASONS`).
        prediction, refined, truth: fields [n, *space, c].
        history: relative estimate at every step, [n, steps + 1], NaN after the end.
    """

    scores: dict[str, dict[str, float]]
    prediction: np.ndarray
    refined: np.ndarray
    truth: np.ndarray
    history: np.ndarray

    def rows(self, name: str) -> dict[str, float]:
        """`<set>_<method>/<metric>` -> number, for the record of a run."""
        return {f"{name}_{who}/{metric}": v for who, scores in self.scores.items() for metric, v in scores.items()}

    def sentence(self) -> str:
        """The comparison in words."""
        before, after = self.scores["predicted"], self.scores["refined"]
        text = (
            f"rel_l2 {before['rel_l2']:.3g} -> {after['rel_l2']:.3g}, estimate {before['estimate']:.3g} -> "
            f"{after['estimate']:.3g}, {after['seconds']:.3g} s a sample with the prediction; "
        )
        solvers = {name: scores for name, scores in self.scores.items() if name not in ("predicted", "refined")}
        equal = [name for name, scores in solvers.items() if scores["rel_l2"] <= EQUAL * after["rel_l2"]]
        if not equal:
            return text + f"no solver with {', '.join(solvers)} steps a snapshot comes as near"
        scores = solvers[equal[0]]
        return text + f"{equal[0]} has {scores['rel_l2']:.3g} in {scores['seconds']:.3g} s"


def refine_sets(
    config: Mapping[str, Any],
    trained: Trained,
    sets: Mapping[str, Samples],
    batch_size: int,
    allow: Sequence[str] = (),
    folder: Path | None = None,
    say: Callable[[str], None] = print,
) -> dict[str, float]:
    """`<set>_<method>/<metric>` -> number for the predictions of every set, refined and solved; see `refine`.

    Args:
        config: of the refinement.
        trained: frozen.
        sets: by name.
        batch_size: samples that are refined at once.
        allow: as for `build_refinement`.
        folder: run directory whose `plots` get pictures; None for none.
        say: takes a sentence for every set.
    """
    refinement, result = build_refinement(config, allow), {}
    for name, samples in sets.items():
        outcome = refine(refinement, trained, samples, batch_size, allow)
        say(f"{name}: {outcome.sentence()}")
        result |= outcome.rows(name)
        if folder is not None:
            draw(folder / "plots" / f"refined_{name}.png", samples, outcome)
    return result


def refine(
    refinement: Refinement, trained: Trained, samples: Samples, batch_size: int, allow: Sequence[str] = ()
) -> Outcome:
    """Predict, refine, and solve serially from the same last inputs; all on the default device.

    Args:
        refinement: how.
        trained: frozen.
        samples: trajectories, of which `refinement.samples` are taken.
        batch_size: samples that are refined at once.
        allow: as for `build_refinement`.

    Raises:
        ValueError: as `training.trajectory.trajectory_of`.
    """
    samples = samples.take(refinement.rows(len(samples)))
    trajectory = trajectory_of(samples, allow, what="refine")
    refiner = refinement.refiner(trajectory)
    parts = _portions(samples.x, batch_size)
    floor = refiner.stopping.floor
    if refinement.floor_steps is not None:
        floor = _floor(refinement, refiner, parts, samples.y.shape[1:])
        refiner = dataclasses.replace(refiner, stopping=dataclasses.replace(refiner.stopping, floor=floor))
    # Off the mesh: every device would do the same.
    graph, state = nnx.split(trained.operator)
    state = jax.device_get(state)

    def predict(state: Any, x: Array) -> Array:
        return dataclasses.replace(trained, operator=nnx.merge(graph, state))(x)

    prediction, seconds = _timed(predict, [(state, x) for x in parts], len(samples))
    found = {"predicted": (prediction, seconds)}
    if refinement.output_layer is None:
        batches = list(zip(_portions(prediction, batch_size), parts, strict=True))
        refined, seconds = _timed(refiner, batches, len(samples))
    else:
        refined, seconds = _timed(*_of_layer(refinement, refiner, trained, (graph, state), parts), len(samples))
    assert isinstance(refined, Refined)
    found["refined"] = (refined.trajectory, found["predicted"][1] + seconds)
    name = getattr(refinement.solver, "func", refinement.solver).__name__
    for steps in refinement.solver_steps:
        solve = serial(refinement.solver, steps, refiner, samples.y.shape[1:])
        found[f"{name}_{steps}"] = _timed(solve, [(x,) for x in parts], len(samples))

    metrics = standard_metrics(samples.metadata.box.span)
    measure = jax.jit(lambda u, y: {metric: jnp.mean(f(u, y)) for metric, f in metrics.items()})
    scores = {
        who: {metric: float(v) for metric, v in measure(u, samples.y).items()} | {"seconds": took}
        for who, (u, took) in found.items()
    }
    scores["predicted"]["estimate"] = float(np.mean(refined.before))
    scores["refined"] |= {"estimate": float(np.mean(refined.after)), "steps": float(np.mean(refined.steps))}
    scores["refined"] |= {"floor": floor} if floor > 0 else {}
    scores["refined"] |= {
        f"ended_{reason.replace(' ', '_')}": float(np.mean(np.asarray(refined.reason) == index))
        for index, reason in enumerate(REASONS)
    }
    return Outcome(scores, prediction, np.asarray(refined.trajectory), samples.y, np.asarray(refined.history))


def serial(solver: Stepper, steps: int, refiner: Refiner, shape: tuple[int, ...]) -> Callable[[Array], Array]:
    """Inputs -> outputs of a shape, by so many steps of a solver per snapshot from the last input.

    As in what a `Refiner` returns, a mean that states do not have is that of the last input.
    """
    equation, interval = refiner.residual.equation, refiner.residual.interval
    residual, names = Shooting(equation, interval, solver, steps), count_fields(equation)

    def one(x: Array) -> Array:
        past, space = refiner.states(x), tuple(range(x.ndim - 1))
        solved = refiner.fields(residual.solve(past, shape[-1] // names), shape)
        lost = jnp.mean(x - refiner.fields(past, x.shape), space, keepdims=True)
        last = lost.reshape(*lost.shape[:-1], names, -1)[..., -1:]
        return (solved.reshape(*shape[:-1], names, -1) + last).reshape(shape)

    return jax.vmap(one)


def _floor(refinement: Refinement, refiner: Refiner, parts: list[np.ndarray], shape: tuple[int, ...]) -> float:
    """The lowest estimate among the samples' serial solutions; 0 where one is unstable, or all as persistence."""
    assert refinement.floor_steps is not None
    solve = serial(refinement.solver, refinement.floor_steps, refiner, shape)
    estimate = jax.jit(lambda x: jax.vmap(refiner.estimate_one)(solve(x), x))
    found = np.concatenate([estimate(x) for x in parts])
    return float(found.min()) if np.isfinite(found).all() and found.min() < 1 else 0.0


def _of_layer(
    refinement: Refinement, refiner: Refiner, trained: Trained, split: tuple[Any, Any], parts: list[np.ndarray]
) -> tuple[Callable[..., Refined], list[tuple[Any, ...]]]:
    """Refinement of the output layer's parameters: the function, and its arguments for every portion."""
    operator = nnx.merge(*split)
    graph, parameters = nnx.split(_output_layer(refinement, operator))
    assert isinstance(operator, STFNO)
    steps = operator.out_channels // operator.fields

    def output(parameters: Any, latent: tuple[Array, Array]) -> Array:
        v, last = latent
        y = jnp.swapaxes(nnx.merge(graph, parameters)(v[None], last[None], steps)[0], -1, -2)
        return trained.targets.decode(y.reshape(*y.shape[:-2], -1))

    def refined(parameters: Any, latent: tuple[Array, Array], history: Array) -> Refined:
        # The parameters of every sample are not kept: they are as large as the trajectories.
        return refiner.refine_output(output, parameters, latent, history)._replace(parameters=None)

    frozen = jax.jit(lambda state, x: nnx.merge(split[0], state).latent(trained.inputs.encode(x)))
    return refined, [(parameters, frozen(split[1], x), x) for x in parts]


def _output_layer(refinement: Refinement, operator: Operator) -> OutputOperator:
    """The output layer with more modes, its biases as amplitudes: one learning rate suits them and the weights."""
    assert refinement.output_layer is not None
    if not isinstance(operator, STFNO) or operator.compat:
        raise ValueError(
            f"output_layer: got modes for {type(operator).__name__}, wanted an STFNO without compat, whose output "
            "layer is linear in them; output_layer=null changes the outputs of any operator"
        )
    layer = operator.output.enlarged(refinement.output_layer)
    amplitude = math.sqrt(2 * math.prod(layer.weight.modes))
    layer.bias.set_value(layer.bias[...] * (layer.delta / amplitude))
    layer.delta = amplitude
    return layer


def _portions(values: np.ndarray, size: int) -> list[np.ndarray]:
    """Portions of one size, so that there is one program; the last sample is repeated at the end."""
    size = min(size, len(values))
    rows = np.arange(-(-len(values) // size) * size).reshape(-1, size)
    return [values[np.minimum(portion, len(values) - 1)] for portion in rows]


def _timed(function: Callable[..., Any], arguments: list[tuple[Any, ...]], count: int) -> tuple[Any, float]:
    """What a function gives for all portions, on the host, and its seconds per sample once it is compiled."""
    program = jax.jit(function).lower(*arguments[0]).compile()
    begin = time.perf_counter()
    found = [jax.block_until_ready(program(*given)) for given in arguments]
    seconds = time.perf_counter() - begin
    samples = len(arguments) * len(jax.tree.leaves(found[0])[0])
    whole = jax.tree.map(lambda *portions: np.concatenate(jax.device_get(portions))[:count], *found)
    return whole, seconds / samples
