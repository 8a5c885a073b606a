"""Reading checkpoints: choose a step, compare it with the model, load it onto the mesh, verify it."""

import dataclasses
import gc
import logging
import math
import sys
import time
import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import jax
import numpy as np
from etils import epath
from jax.experimental import multihost_utils
from orbax.checkpoint import v1 as ocp

from .checksum import checksums
from .errors import RunError

log = logging.getLogger(__name__)

ITEM = "state"
FORMAT = 1
_LINES = 20


class CheckpointError(RunError):
    """A checkpoint could not be written or read."""


class CheckpointMismatchError(CheckpointError):
    """The checkpoint is sound, but it is one of another model."""


class CheckpointCorruptError(CheckpointError):
    """The checkpoint is damaged: a file cannot be read, or numbers are not those that were saved."""


@dataclasses.dataclass(frozen=True)
class Restored:
    """A checkpoint in memory.

    Args:
        step: number of finished updates.
        state: the arrays, in the structure of the template.
        metrics: what was known about the model when it was saved.
        config: configuration of the run that wrote it.
        damaged: steps that were tried before this one and failed.
    """

    step: int
    state: dict[str, Any]
    metrics: dict[str, float]
    config: dict[str, Any]
    damaged: tuple[int, ...] = ()


def resolve(directory: epath.PathLike) -> epath.Path:
    """Absolute path, or a URL as it is: a relative path would fail much later, in the writing thread."""
    path = epath.Path(directory)
    return path if "://" in str(path) else path.expanduser().resolve()


def _from_elsewhere(record: logging.LogRecord) -> bool:
    return "orbax" not in record.pathname


def mute_orbax() -> None:
    """Orbax logs a failure many times with its whole trace (1500 lines for a full disk); ours is raised once."""
    logging.getLogger("absl").addFilter(_from_elsewhere)


def flatten(state: Mapping[str, Any]) -> dict[str, Any]:
    """Leaves by name, such as `params/blocks/0/weight`."""
    leaves, _ = jax.tree_util.tree_flatten_with_path(dict(state))
    return {jax.tree_util.keystr(path, simple=True, separator="/"): leaf for path, leaf in leaves}


def nest(flat: Mapping[str, Any]) -> dict[str, Any]:
    """Nested dictionaries with string keys: the layout on disk, whatever containers the caller uses."""
    tree: dict[str, Any] = {}
    for name, leaf in flat.items():
        *parents, last = name.split("/")
        node = tree
        for part in parents:
            node = node.setdefault(part, {})
        node[last] = leaf
    return tree


def shape_and_dtype(leaf: Any) -> tuple[tuple[int, ...], str]:
    if not hasattr(leaf, "dtype"):
        leaf = np.asarray(leaf)
    return tuple(leaf.shape), str(leaf.dtype)


def saved_steps(directory: epath.PathLike) -> list[int]:
    """Steps of the finished checkpoints in a directory, ascending."""
    path = resolve(directory)
    if not path.exists():
        return []
    return sorted(found.step for found in ocp.path.step.standard_name_format().find_all(path))


def read_record(directory: epath.PathLike, step: int) -> dict[str, Any]:
    """What lies beside the arrays: `leaves` (name -> shape, dtype, checksum), `metrics`, `config`, `best`.

    Raises:
        CheckpointCorruptError: when it is missing or cannot be read.
    """
    try:
        record = ocp.checkpointables_metadata(resolve(directory) / str(step)).custom_metadata
    except Exception as error:
        raise CheckpointCorruptError(f"its metadata cannot be read: {_reason(error)}") from error
    if not isinstance(record, dict) or record.get("format") != FORMAT:
        raise CheckpointCorruptError("its metadata lacks the table of arrays")
    return record


def score(record: Mapping[str, Any]) -> float:
    """Merit of a checkpoint, larger is better; minus infinity where the metric is absent or not finite."""
    metric, mode = record["best"]
    value = record["metrics"].get(metric, math.nan) if metric else math.nan
    if not math.isfinite(value):
        return -math.inf
    return value if mode == "max" else -value


def restore(
    directory: epath.PathLike, template: Mapping[str, Any], *, step: int | None = None, which: str = "latest"
) -> Restored | None:
    """Load a checkpoint onto the devices of the template; a damaged one is passed over for the one before it.

    Nothing is written: safe beside a running training, and for folders without write permission.

    Args:
        directory: folder (or URL) that holds one numbered folder per checkpoint.
        template: the state's structure, or only some of its top-level names, with `jax.ShapeDtypeStruct`
            (their sharding says where the array goes; none means the default device), arrays or numbers as
            leaves. A floating-point dtype other than the saved one casts.
        step: exactly this step, without falling back.
        which: "latest", or "best" by the metric that the run was told to watch.

    Returns:
        The state, or None where there is no checkpoint at all.

    Raises:
        CheckpointError: the step is not there, or no checkpoint has a score to be best by.
        CheckpointMismatchError: names, shapes or kinds of numbers differ; lists them.
        CheckpointCorruptError: every candidate is damaged.
    """
    mute_orbax()
    if which not in ("latest", "best"):
        raise ValueError(f'which: got {which!r}, wanted "latest" or "best"')
    steps = saved_steps(directory)
    if step is not None:
        if step not in steps:
            raise CheckpointError(f"no checkpoint of step {step} in {directory}: there are {steps}")
        candidates = [step]
    else:
        candidates = _ranked(directory) if which == "best" else steps[::-1]
    damaged: list[int] = []
    for candidate in candidates:
        try:
            restored = _restore_step(directory, candidate, template)
            return dataclasses.replace(restored, damaged=tuple(damaged))
        except CheckpointCorruptError as error:
            damaged.append(candidate)
            log.warning("Checkpoint of step %d in %s is damaged: %s.", candidate, directory, error)
    if damaged:
        raise CheckpointCorruptError(
            f"no usable checkpoint in {directory}: those of steps {sorted(damaged)} are damaged (see the "
            "warnings). Restore the folder from a copy, or move it away to start anew"
        )
    return None


def _ranked(directory: epath.PathLike) -> list[int]:
    """Steps from the best to the worst, those without a score (never evaluated, or damaged) last."""
    ranked = scores(directory)
    if ranked and max(ranked.values()) == -math.inf:
        raise CheckpointError(
            f"best: got no checkpoint with a finite score in {directory} (steps {sorted(ranked)}), wanted one: rank by "
            "checkpoint.best_metric on a validation set with trainer.eval_every above 0, or take the latest"
        )
    return list(ranked)


def scores(directory: epath.PathLike) -> dict[int, float]:
    """Step -> merit of every checkpoint, the best first and of equals the later; minus infinity for damaged ones."""
    found = {}
    for step in saved_steps(directory):
        try:
            found[step] = score(read_record(directory, step))
        except CheckpointCorruptError:
            found[step] = -math.inf
    return dict(sorted(found.items(), key=lambda item: (item[1], item[0]), reverse=True))


def _restore_step(directory: epath.PathLike, step: int, template: Mapping[str, Any]) -> Restored:
    record, problem = None, None
    try:
        record = read_record(directory, step)
    except CheckpointCorruptError as error:
        problem = error
    _agree(problem)
    assert record is not None
    wanted = flatten(template)
    # Other parts of the state (an evaluation wants no optimizer moments) are not read.
    saved = {name: leaf for name, leaf in record["leaves"].items() if name.split("/")[0] in template}
    _compare(directory, step, wanted, saved)

    leaves: dict[str, Any] = {}
    try:
        targets = {name: _target(leaf, saved[name][1]) for name, leaf in wanted.items()}
        unread = dict.fromkeys(record["leaves"].keys() - targets.keys(), ocp.PLACEHOLDER)
        path = resolve(directory) / str(step)
        loaded = flatten(ocp.load_checkpointables(path, {ITEM: nest(targets | unread)})[ITEM])
        leaves = {name: loaded[name] for name in wanted}
    except Exception as error:
        problem = CheckpointCorruptError(f"its arrays cannot be read: {_reason(error)}")
    if problem:
        _collect_unfinished_reads()
    _agree(problem)
    found = checksums(leaves)
    changed = [name for name in wanted if found[name] != saved[name][2]]
    _agree(CheckpointCorruptError(f"checksums differ in {', '.join(changed[:5])}") if changed else None)

    leaves = {name: _cast(leaves[name], leaf) for name, leaf in wanted.items()}
    state = jax.tree.unflatten(jax.tree.structure(dict(template)), list(leaves.values()))
    return Restored(step, state, record["metrics"], record["config"])


def _agree(problem: CheckpointCorruptError | None) -> None:
    """Raise on every process when one of them met a problem: otherwise they would load different steps."""
    failed = problem is not None
    if jax.process_count() > 1:
        failed = bool(np.any(multihost_utils.process_allgather(np.asarray(failed))))
    if failed:
        raise problem or CheckpointCorruptError("another process could not read it")


def _compare(
    directory: epath.PathLike, step: int, wanted: Mapping[str, Any], saved: Mapping[str, Sequence[Any]]
) -> None:
    lines = [f"missing  {name}: wanted {shape_and_dtype(wanted[name])[0]}" for name in wanted if name not in saved]
    lines += [f"extra    {name}: saved {tuple(leaf[0])}" for name, leaf in saved.items() if name not in wanted]
    for name in (name for name in wanted if name in saved):
        shape, dtype = shape_and_dtype(wanted[name])
        if shape != tuple(saved[name][0]):
            lines.append(f"shape    {name}: saved {tuple(saved[name][0])}, wanted {shape}")
        elif dtype != saved[name][1] and not (_is_float(dtype) and _is_float(saved[name][1])):
            lines.append(f"dtype    {name}: saved {saved[name][1]}, wanted {dtype}")
    if lines:
        if len(lines) > _LINES:
            lines[_LINES:] = [f"... and {len(lines) - _LINES} more"]
        raise CheckpointMismatchError(
            "\n  ".join([f"the checkpoint of step {step} in {directory} is one of another model:", *lines])
            + "\nUse the configuration saved with it (config.yaml in the run directory), or another run_id."
        )


def _is_float(dtype: str) -> bool:
    return "float" in dtype


def _target(leaf: Any, saved_dtype: str) -> Any:
    """What Orbax is asked for: the template's place, but the saved dtype, whose bits the checksum is of."""
    if isinstance(leaf, (jax.Array, jax.ShapeDtypeStruct)):
        sharding = leaf.sharding or jax.sharding.SingleDeviceSharding(jax.local_devices()[0])
        dtype = leaf.dtype if saved_dtype.startswith("key") else np.dtype(saved_dtype)
        return jax.ShapeDtypeStruct(leaf.shape, dtype, sharding=sharding)
    return np.empty(np.shape(leaf), np.dtype(saved_dtype))


def _cast(loaded: Any, leaf: Any) -> Any:
    """The kind and dtype of the template's leaf."""
    if not hasattr(leaf, "dtype"):
        return type(leaf)(loaded)
    return loaded if loaded.dtype == leaf.dtype else loaded.astype(leaf.dtype)


def _reason(error: BaseException) -> str:
    """Start of the innermost message: the outer ones repeat the whole template."""
    while error.__cause__ or error.__context__:
        error = error.__cause__ or error.__context__  # pyright: ignore[reportAssignmentType]
    return f"{type(error).__name__}: {str(error).strip()[:160]}"


def _collect_unfinished_reads() -> None:
    """After a failed read Orbax leaves tasks of a closed event loop behind, each of which would complain at length.

    Reads under way hold on to them for some milliseconds more.
    """
    asyncio_log = logging.getLogger("asyncio")
    hook, was_disabled = sys.unraisablehook, asyncio_log.disabled
    sys.unraisablehook, asyncio_log.disabled = lambda _: None, True
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            # Each collection looks at every object of the process.
            for _ in range(2):
                time.sleep(0.1)
                gc.collect()
    finally:
        sys.unraisablehook, asyncio_log.disabled = hook, was_disabled
