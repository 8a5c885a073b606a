"""What a person sees of a run: a live bar on a terminal, a line now and then in a file."""

import math
import time
from collections.abc import Mapping
from typing import Any

from rich.console import Console as RichConsole
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table

from .jsonl import Numbers


class Console:
    """Prints messages, progress and results of a run.

    Args:
        every_seconds: least time between progress lines where the output is no terminal.
        file: where to print; None for the standard output.
    """

    def __init__(self, every_seconds: float = 10.0, file: Any = None) -> None:
        self._rich = RichConsole(file=file, highlight=False, markup=False, soft_wrap=True)
        self._live = self._rich.is_terminal and not self._rich.is_jupyter
        self._every = every_seconds
        self._bar: Progress | None = None
        self._began: tuple[float, int] | None = None
        self._printed = -math.inf

    def message(self, text: str) -> None:
        self._rich.print(text)

    def log(self, step: int, split: str, metrics: Numbers, wall: Numbers) -> None:
        """Evaluations get a line; the training loss is in the progress already."""
        if split != "train":
            self._rich.print(f"step {step:,}  {split:<6} {_values(metrics)}")

    def progress(self, step: int, last: int, **values: float | int) -> None:
        """Show how far the run is."""
        if self._live:
            self._show_bar(step, last, values)
            return
        now = time.monotonic()
        begin, first = self._began = self._began or (now, step)
        if now - self._printed < self._every and step < last:
            return
        self._printed = now
        text = f"step {step:,}/{last:,} ({step / last:.0%})  {_values(values)}"
        if step > first and step < last:
            text += f"  {format_duration((last - step) * (now - begin) / (step - first))} left"
        self._rich.print(text)

    def result(self, result: Mapping[str, Any]) -> None:
        """Print the numbers of a result."""
        numbers = {name: value for name, value in result.items() if isinstance(value, (int, float))}
        if not self._live:
            for name, value in numbers.items():
                self._rich.print(f"{name} = {format_number(value)}")
            return
        table = Table("result", "", show_header=False, box=None)
        for name, value in numbers.items():
            table.add_row(name, format_number(value))
        self.close()
        self._rich.print(table)

    def close(self, failed: bool = False) -> None:
        if self._bar is not None:
            self._bar.stop()
            self._bar = None

    def _show_bar(self, step: int, last: int, values: Numbers) -> None:
        if self._bar is None:
            self._bar = Progress(
                TextColumn("training"),
                BarColumn(),
                MofNCompleteColumn(),
                TimeElapsedColumn(),
                TimeRemainingColumn(),
                TextColumn("{task.fields[values]}"),
                console=self._rich,
                refresh_per_second=4,
            )
            self._bar.add_task("training", total=last, completed=step, values="")
            self._bar.start()
        self._bar.update(self._bar.task_ids[0], completed=step, values=_values(values))
        if step >= last:
            self.close()


def format_number(value: float | int) -> str:
    """Four significant digits, integers whole and with thousands separated."""
    if isinstance(value, bool):
        return str(value)
    return f"{value:,}" if isinstance(value, int) else f"{value:.4g}"


def _values(values: Numbers) -> str:
    return "  ".join(f"{name} {format_number(value)}" for name, value in values.items())


def format_duration(seconds: float) -> str:
    """Minutes and seconds, hours where there are any."""
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"
