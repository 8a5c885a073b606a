"""The order of things while training: dispatch, check, log, evaluate, save."""

import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import jax
import numpy as np

from .checkpoint import Checkpointer
from .errors import RunError
from .logging import RunLogger
from .step import TrainState


class NonFiniteLoss(RunError):
    """The loss became infinite or not a number; the last good checkpoint is untouched."""


class Preempted(SystemExit):
    """A signal asked the run to stop; everything is saved and the same command goes on."""


def fit(
    state: TrainState,
    train: Callable[[TrainState, int, int], tuple[TrainState, dict[str, np.ndarray]]],
    *,
    steps_per_epoch: int,
    epochs: int,
    steps_per_dispatch: int,
    rate: Callable[[int], Any],
    evaluate: Callable[[TrainState], dict[str, float]] | None,
    eval_every: int,
    checkpoint_every: int,
    checkpointer: Checkpointer,
    logger: RunLogger,
    stop_requested: Callable[[int], bool],
) -> TrainState:
    """Train from the state's step to the last epoch.

    Portions end at the same steps whether or not the run was interrupted, so that a resumed run computes the same
    programs on the same numbers.

    Args:
        state: where to begin; its step may be any that a checkpoint was saved at.
        train: (state, first step, number of steps) -> (state, metrics per step).
        rate: learning rate at a step, for the log.
        evaluate: metrics on the validation set, or None.
        stop_requested: whether a signal asked to stop at this step.

    Returns:
        The trained state.

    Raises:
        NonFiniteLoss: names the first bad step and what to try.
        Preempted: after saving.
    """
    last = steps_per_epoch * epochs
    for first, count in portions(int(state.step), last, steps_per_epoch, steps_per_dispatch):
        begin = time.perf_counter()
        state, metrics = train(state, first, count)
        seconds = (time.perf_counter() - begin) / count
        check_finite(metrics, first, checkpointer)
        step = first + count
        position = {"lr": float(rate(step - 1)), "epoch": step / steps_per_epoch}
        _log_portion(logger, step, last, metrics, position, seconds)

        epoch, inside = divmod(step, steps_per_epoch)
        scores = None
        if not inside and evaluate is not None and eval_every and (epoch % eval_every == 0 or step == last):
            scores = evaluate(state)
            logger.log(step, "valid", scores)
            check_finite({f"valid/{name}": np.array([score]) for name, score in scores.items()}, step, checkpointer)
        stop = stop_requested(step)
        if stop or step == last or (not inside and epoch % checkpoint_every == 0):
            named = {f"valid/{name}": value for name, value in scores.items()} if scores else None
            checkpointer.save(step, state._asdict(), metrics=named)
        if stop and step < last:
            checkpointer.wait()
            logger.message(f"stopped by a signal at step {step}, saved; the same command goes on from there")
            raise Preempted(0)
    checkpointer.wait()
    return state


def _log_portion(
    logger: RunLogger, step: int, last: int, metrics: dict[str, np.ndarray], position: dict[str, float], seconds: float
) -> None:
    """One row for the steps of a dispatch: the means of their metrics."""
    row = {name: float(np.mean(values)) for name, values in metrics.items()} | position
    logger.log(step, "train", row, wall={"seconds_per_step": seconds})
    logger.progress(step, last, loss=row["loss"], seconds_per_step=seconds)


def portions(start: int, last: int, steps_per_epoch: int, most: int) -> Iterator[tuple[int, int]]:
    """(first step, number of steps) of every dispatch: at most `most`, never across the end of an epoch."""
    step = start
    while step < last:
        inside = step % steps_per_epoch
        count = min(most - inside % most, steps_per_epoch - inside)
        yield step, count
        step += count


def check_finite(metrics: dict[str, np.ndarray], first: int, checkpointer: Checkpointer) -> None:
    """Stop at the first loss, gradient or state that is not finite, before it is saved.

    The loss is computed before an update and the gradient makes it, so the parameters after it are looked at too: a
    finite loss with an update that is not would otherwise be saved as the last good state.

    Raises:
        NonFiniteLoss: got / wanted / fix.
    """
    bad = [(i, name) for name, values in metrics.items() for i in np.flatnonzero(~np.isfinite(values))[:1]]
    if not bad:
        return
    i, name = min(bad, key=lambda found: found[0])
    checkpointer.wait()
    kept = checkpointer.latest_step
    raise NonFiniteLoss(
        f"{name} at step {first + i}: got {metrics[name][i]}, wanted a finite number; the last good "
        f"checkpoint is {'that of step ' + str(kept) if kept is not None else 'none yet'}. Try a smaller "
        "optimizer.learning_rate or optimizer.clip_norm=1.0"
    )


def resident_train(chunk, data: Callable[[int], Any]):
    """`train` of `fit` for a set that lies on the devices: one dispatch for all steps."""

    def train(state: TrainState, first: int, count: int):
        state, metrics = chunk(state, data(first), np.int32(count))
        return state, {name: np.asarray(values)[:count] for name, values in jax.device_get(metrics).items()}

    return train


def staged(trains: Sequence[Callable], steps: int) -> Callable:
    """`train` of `fit` that goes on to the next of several every so many steps; the last one stays.

    Args:
        trains: one for each stage.
        steps: of a stage, a multiple of the steps of an epoch: no dispatch crosses its end.
    """

    def train(state: TrainState, first: int, count: int):
        return trains[min(first // steps, len(trains) - 1)](state, first, count)

    return train


def stream_train(step, batches: Callable[[int], Iterator[Any]]):
    """`train` of `fit` for a set that is read while training: one dispatch a step, metrics fetched at the end."""
    source: dict[str, Any] = {"step": None, "batches": None}

    def train(state: TrainState, first: int, count: int):
        if source["step"] != first:
            source["batches"] = batches(first)
        rows = []
        for _ in range(count):
            state, metrics = step(state, next(source["batches"]))
            rows.append(metrics)
        source["step"] = first + count
        rows = jax.device_get(rows)
        return state, {name: np.array([row[name] for row in rows]) for name in rows[0]}

    return train
