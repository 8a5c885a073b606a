"""Writing checkpoints: asynchronous, atomic, latest and best both kept, a checksum with every array."""

import contextlib
import json
from collections.abc import Iterator, Mapping
from typing import Any, SupportsFloat

import jax
import numpy as np
from etils import epath
from orbax.checkpoint import v1 as ocp

from .checksum import checksums
from .restore import (
    FORMAT,
    ITEM,
    CheckpointError,
    Restored,
    flatten,
    mute_orbax,
    nest,
    resolve,
    restore,
    saved_steps,
    score,
    shape_and_dtype,
)

__all__ = ["CheckpointWriteError", "Checkpointer", "Restored"]


class CheckpointWriteError(CheckpointError, OSError):
    """A checkpoint could not be written; those before it are intact."""


class Checkpointer:
    """The checkpoints of one run, one numbered folder each.

    A save copies the arrays to the host and returns; files are written in the background under a temporary
    name and renamed when complete, so a killed process leaves only whole checkpoints. All methods are
    collective: with several processes each of them calls, in the same order.

    Args:
        directory: folder or URL (gs://...), made when absent.
        keep_latest: how many of the newest stay.
        keep_best: how many of the best stay besides.
        best_metric: name in `metrics` that ranks checkpoints; None ranks nothing.
        best_mode: "min" or "max".
        config: plain dictionary, written with every checkpoint.

    Raises:
        CheckpointWriteError: the folder cannot be made or written to.
        ValueError: a count that is not positive, an unknown mode, a configuration that is not JSON.
    """

    def __init__(
        self,
        directory: epath.PathLike,
        *,
        keep_latest: int = 2,
        keep_best: int = 1,
        best_metric: str | None = None,
        best_mode: str = "min",
        config: Mapping[str, Any],
    ) -> None:
        if keep_latest < 1 or keep_best < 0:
            raise ValueError(f"keep_latest, keep_best: got {keep_latest}, {keep_best}, wanted at least 1, 0")
        if best_mode not in ("min", "max"):
            raise ValueError(f'best_mode: got {best_mode!r}, wanted "min" or "max"')
        try:
            self._config = json.loads(json.dumps(dict(config)))
        except TypeError as error:
            raise ValueError(f"config: {error}; wanted plain numbers, strings, lists, dictionaries") from error
        self.directory = resolve(directory)
        self._best = (best_metric, best_mode)
        self._damaged: set[int] = set()
        mute_orbax()
        with self._report("the folder cannot be written to"):
            _probe(self.directory)
            policies = ocp.training.preservation_policies
            keep: list[Any] = [policies.LatestN(keep_latest)]
            if best_metric is not None and keep_best:
                keep.append(
                    policies.BestN(
                        n=keep_best,
                        get_metric_fn=lambda metrics: score({"metrics": metrics, "best": self._best}),
                        keep_checkpoints_without_metrics=False,
                    )
                )
            preserve: Any = policies.AnyPreservationPolicy(keep)
            self._manager = ocp.training.Checkpointer(
                self.directory,
                preservation_policy=preserve,
                cleanup_tmp_directories=True,
                context=_context(),
            )

    @property
    def steps(self) -> list[int]:
        """Steps of the finished checkpoints, ascending."""
        return saved_steps(self.directory)

    @property
    def latest_step(self) -> int | None:
        return max(self.steps, default=None)

    def save(
        self,
        step: int,
        state: Mapping[str, Any],
        *,
        metrics: Mapping[str, SupportsFloat] | None = None,
    ) -> bool:
        """Start writing a checkpoint; waits for the one before it.

        Args:
            step: number of finished updates; must rise.
            state: name -> pytree of arrays, random keys and numbers; the arrays may be donated afterwards.
            metrics: scalars to keep with it.

        Returns:
            True when a save was started; False when this step is already there.

        Raises:
            CheckpointWriteError: this or the previous checkpoint could not be written.
        """
        with self._report(f"the checkpoint before step {step} is incomplete"):
            self._manager.wait()
        saved = {checkpoint.step for checkpoint in self._manager.checkpoints}
        if step in saved - self._damaged:
            return False
        if (saved - self._damaged) and step < max(saved - self._damaged):
            raise ValueError(
                f"step: got {step}, wanted one above the last checkpoint, {max(saved)}, of {self.directory}; "
                "restore that one, or use another run directory"
            )
        leaves = {name: _as_array(leaf) for name, leaf in flatten(state).items()}
        digests = checksums(leaves)
        values: dict[str, Any] = {name: float(value) for name, value in (metrics or {}).items()}
        record = {
            "format": FORMAT,
            "leaves": {name: [*shape_and_dtype(leaf), digests[name]] for name, leaf in leaves.items()},
            "metrics": values,
            "best": self._best,
            "config": self._config,
        }
        with self._report(f"the checkpoint of step {step} could not be written"):
            # A run that fell back to an earlier step comes by here again: the damaged ones make room.
            for stale in sorted(self._damaged & saved):
                if stale >= step:
                    self._manager.delete(stale)
            # Forced: Orbax's default policy skips saves while one is being written.
            self._manager.save_checkpointables_async(
                step, {ITEM: nest(leaves)}, metrics=values, custom_metadata=record, force=True
            )
        return True

    def restore(
        self, template: Mapping[str, Any], *, step: int | None = None, which: str = "latest"
    ) -> Restored | None:
        """Load a checkpoint onto the devices of the template: see `training.restore.restore`."""
        self.wait()
        restored = restore(self.directory, template, step=step, which=which)
        self._damaged.update(restored.damaged if restored else ())
        return restored

    def wait(self) -> None:
        """Block until everything is on disk.

        Raises:
            CheckpointWriteError: the last save failed.
        """
        with self._report("the last checkpoint could not be written"):
            self._manager.wait()

    def close(self) -> None:
        """Wait, then release threads."""
        with self._report("the last checkpoint could not be written"):
            self._manager.close()

    def __enter__(self) -> "Checkpointer":
        return self

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        # While another error is on its way it must not be hidden by one of ours.
        with contextlib.suppress(CheckpointWriteError) if kind else contextlib.nullcontext():
            self.close()

    @contextlib.contextmanager
    def _report(self, what: str) -> Iterator[None]:
        try:
            yield
        except Exception as error:
            manager = getattr(self, "_manager", None)
            if manager is not None:
                # Orbax has dropped checkpoints from its list that it did not get to delete.
                manager.reload()
            raise CheckpointWriteError(
                f"{what}: {self.directory}\n  {str(error).strip()[:500]}\n"
                f"Checkpoints of steps {self._intact()} are intact. Free space or make the folder writable, "
                "then start the same command again: it resumes."
            ) from error

    def _intact(self) -> list[int]:
        with contextlib.suppress(OSError):
            return self.steps
        return []


def _context() -> ocp.Context:
    """Replicas share in writing what is large; of what is small each slice would be a program to compile."""
    saving = ocp.options.ArrayOptions.Saving(min_slice_bytes_for_replica_parallel=2**20)
    return ocp.Context(array_options=ocp.options.ArrayOptions(saving=saving))


def _as_array(leaf: Any) -> Any:
    return leaf if isinstance(leaf, (jax.Array, np.ndarray)) else np.asarray(leaf)


def _probe(directory: epath.Path) -> None:
    """Fail before the training, not after its first hour."""
    directory.mkdir(parents=True, exist_ok=True)
    probe = directory / f".writable-{jax.process_index()}"
    probe.write_text("")
    probe.unlink()
