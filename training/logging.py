"""Logging of a run: one logger, several sinks, `metrics.jsonl` always."""

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol, SupportsFloat, runtime_checkable

from .config import Logger
from .console import Console
from .jsonl import JsonLines, Numbers, read_metrics
from .wandb_sink import WandbSink, choose_mode

__all__ = ["RunLogger", "Sink", "quiet_libraries", "read_metrics"]


@runtime_checkable
class Sink(Protocol):
    """A place where metrics go; to add one, write a class with these three methods."""

    def log(self, step: int, split: str, metrics: Numbers, wall: Numbers) -> None:
        """One event; steps never fall."""
        ...

    def result(self, result: Mapping[str, Any]) -> None:
        """The final numbers, once."""
        ...

    def close(self, failed: bool = False) -> None:
        """Called once, also after an error."""
        ...


class RunLogger:
    """Sends what happens in a run to the console, to `metrics.jsonl` and to whatever else was asked for.

    Use as a context manager: sinks are closed whatever happens.

    Args:
        folder: run directory.
        config: configuration of the run, for sinks that keep it.
        settings: console interval and W&B.
        enabled: False on every process but the first, which then says and writes nothing.
        sinks: further places.

    Raises:
        ValueError: W&B settings that cannot work.
    """

    def __init__(
        self,
        folder: Path,
        config: Mapping[str, Any],
        settings: Logger | None = None,
        enabled: bool = True,
        sinks: Sequence[Sink] = (),
    ) -> None:
        quiet_libraries()
        settings = settings or Logger()
        self._console: Console | None = None
        self._rows: JsonLines | None = None
        self._sinks: list[Sink] = []
        if enabled:
            self._console = Console(settings.console_every_seconds)
            self._rows = JsonLines(Path(folder) / "metrics.jsonl")
            self._sinks = [self._console, self._rows, *sinks]
            # Chosen here: only this process may have the key.
            mode = choose_mode(settings.wandb.mode)
            if mode != "disabled":
                self._sinks.append(WandbSink(Path(folder), config, settings.wandb, mode))

    def message(self, text: str) -> None:
        """Tell the person at the console."""
        if self._console:
            self._console.message(text)

    def resume(self, step: int) -> None:
        """Call once before the first row: drops what was logged after the step that the run starts from."""
        if self._rows:
            self._rows.resume(step)

    def log(
        self,
        step: int,
        split: str,
        metrics: Mapping[str, SupportsFloat],
        wall: Mapping[str, SupportsFloat] | None = None,
    ) -> None:
        """Record an event.

        Args:
            step: number of finished updates; never falls.
            split: "train", "valid", or the name of a test set.
            metrics: name -> number, the same for the same run whenever it is repeated.
            wall: what depends on the clock, such as seconds per step.
        """
        for sink in self._sinks:
            sink.log(step, split, _plain(metrics), _plain(wall or {}))

    def progress(self, step: int, last: int, **values: SupportsFloat) -> None:
        """Show on the console how far the run is."""
        if self._console:
            self._console.progress(step, last, **_plain(values))

    def result(self, result: Mapping[str, Any]) -> None:
        """Show and send the final numbers."""
        for sink in self._sinks:
            sink.result(result)

    def close(self, failed: bool = False) -> None:
        sinks, self._sinks = self._sinks, []
        for sink in sinks:
            sink.close(failed)

    def __enter__(self) -> "RunLogger":
        return self

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        # A run that a signal stopped goes on later: it has not failed.
        self.close(failed=kind is not None and not (isinstance(error, SystemExit) and not error.code))


def _plain(values: Mapping[str, SupportsFloat]) -> dict[str, float | int]:
    """Python's own numbers: sinks need not know those of NumPy and JAX."""
    return {name: value if isinstance(value, int) else float(value) for name, value in values.items()}


def quiet_libraries() -> None:
    """Hold back the INFO lines of JAX and its kin ("Unable to initialize backend 'tpu'"), which Hydra's root logger
    would print."""
    for name in ("jax", "jax._src", "absl", "matplotlib"):
        logging.getLogger(name).setLevel(logging.WARNING)
