"""How far a long piece of work is: a bar on a terminal, plain lines elsewhere."""

import sys
import time

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)


class ProgressReport:
    """Progress over a known number of samples, with throughput and the time that is left.

    Args:
        title: what is being done.
        total: number of samples.
        done: samples that were there already; they do not count for the throughput.
        every: seconds between two plain lines.
    """

    def __init__(self, title: str, total: int, done: int = 0, every: float = 10.0):
        self._title, self._total, self._done, self._every = title, total, done, every
        self._start = self._last = self._clock = time.monotonic()
        self._before = done
        self._bar = None
        if sys.stderr.isatty():
            self._bar = Progress(
                TextColumn("{task.description}"),
                BarColumn(),
                MofNCompleteColumn(),
                TextColumn("{task.fields[rate]}"),
                TimeElapsedColumn(),
                TimeRemainingColumn(),
                console=Console(stderr=True),
            )
            self._task = self._bar.add_task(title, total=total, completed=done, rate="")

    def __enter__(self) -> "ProgressReport":
        if self._bar:
            self._bar.start()
        else:
            self._print(f"{self._done}/{self._total} samples")
        return self

    def __exit__(self, *exception: object) -> None:
        if self._bar:
            self._bar.stop()

    def start_clock(self) -> None:
        """Counts the throughput from here on: what was done so far was preparation."""
        self._clock = time.monotonic()

    def advance(self, samples: int) -> None:
        """Reports further samples as finished."""
        if not samples:  # a further field of those that were reported
            return
        self._done += samples
        now = time.monotonic()
        rate = (self._done - self._before) / max(now - self._clock, 1e-9)
        text = f"{rate:.3g} samples/s"
        if self._bar:
            self._bar.update(self._task, completed=self._done, rate=text)
        elif now - self._last >= self._every or self._done >= self._total:
            self._last = now
            left = (self._total - self._done) / rate
            self._print(f"{self._done}/{self._total} samples, {text}, {now - self._start:.0f} s, {left:.0f} s left")

    def _print(self, text: str) -> None:
        print(f"{self._title}: {text}", file=sys.stderr, flush=True)
