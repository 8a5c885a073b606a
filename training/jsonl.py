"""The record of a run: `metrics.jsonl`, one row per event, from which plots and reports are made."""

import contextlib
import json
import logging
import math
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TextIO

log = logging.getLogger(__name__)

Numbers = Mapping[str, float | int]


def read_metrics(path: str | os.PathLike) -> list[dict[str, Any]]:
    """Rows of a metrics file, oldest first.

    Args:
        path: `metrics.jsonl` of a run directory.

    Returns:
        Dictionaries with `step`, `split`, `metrics` (name -> number, nan where it was not finite) and `wall` (what
        depends on the clock: `time`, seconds since 1970, and measured durations).

    Raises:
        ValueError: a line that cannot be read, except an unfinished last one, which is passed over.
    """
    rows: list[dict[str, Any]] = []
    text = Path(path).read_text(encoding="utf-8", errors="replace")
    for number, line in enumerate(text.splitlines(keepends=True), start=1):
        row = _parse(line)
        if row is not None:
            rows.append(row)
        elif line.endswith("\n"):
            raise ValueError(f"{path}, line {number}: got {line[:60]!r}, wanted a JSON row; delete that line")
    return rows


def _parse(line: str) -> dict[str, Any] | None:
    if not line.endswith("\n"):
        return None
    try:
        row = json.loads(line)
        row["metrics"] = {name: math.nan if value is None else value for name, value in row["metrics"].items()}
        return row if isinstance(row["step"], int) and isinstance(row["split"], str) else None
    except (ValueError, TypeError, KeyError, AttributeError):
        return None


class JsonLines:
    """Appends rows to a metrics file, each one written through at once.

    At most one row per step and split: a resumed run that comes to the same point again writes nothing twice, so
    that apart from `wall` its file equals that of an uninterrupted run, byte for byte.

    Args:
        path: the file; made at the first row.
    """

    def __init__(self, path: str | os.PathLike) -> None:
        self.path = Path(path)
        self._file: TextIO | None = None
        self._last: tuple[int, set[str]] = (-1, set())

    def resume(self, step: int) -> None:
        """Drop the rows past a step (they will come again), and an unfinished last one.

        Raises:
            OSError: the file cannot be written; it is as it was.
        """
        self.close()
        if not self.path.exists():
            return
        lines = self.path.read_text(encoding="utf-8", errors="replace").splitlines(keepends=True)
        rows = [(line, _parse(line)) for line in lines]
        keep = [(line, row) for line, row in rows if row is not None and row["step"] <= step]
        if len(keep) < len(rows):
            past = sum(row is not None for _, row in rows) - len(keep)
            log.info("%s: dropped %d rows past step %d.", self.path, past, step)
            partial = self.path.with_name(self.path.name + ".partial")
            try:
                partial.write_text("".join(line for line, _ in keep), encoding="utf-8")
                os.replace(partial, self.path)
            except OSError as error:
                raise OSError(f"cannot write {partial}: {error.strerror}; free space and resume") from error
        last = max((row["step"] for _, row in keep), default=-1)
        self._last = (last, {row["split"] for _, row in keep if row["step"] == last})

    def log(self, step: int, split: str, metrics: Numbers, wall: Numbers) -> None:
        """Append a row.

        Raises:
            ValueError: the step is below that of the last row.
            OSError: the file cannot be written.
        """
        last, splits = self._last
        if step < last:
            raise ValueError(f"step: got {step}, wanted at least {last}, the step of the last row of {self.path}")
        if step == last and split in splits:
            return
        row = {
            "step": step,
            "split": split,
            "metrics": {name: _number(value) for name, value in metrics.items()},
            "wall": {"time": round(time.time(), 3)} | {name: _number(value) for name, value in wall.items()},
        }
        try:
            if self._file is None:
                self._file = self.path.open("a", encoding="utf-8")
            self._file.write(json.dumps(row, allow_nan=False) + "\n")
            self._file.flush()
        except OSError as error:
            # Closing writes what is buffered, which fails again; that error must not take the place of this one.
            with contextlib.suppress(OSError):
                self.close()
            raise OSError(f"cannot append to {self.path}: {error.strerror}; free space and resume") from error
        self._last = (step, {split} | (splits if step == last else set()))

    def result(self, result: Mapping[str, Any]) -> None:
        """Nothing: the result has its own file."""

    def close(self, failed: bool = False) -> None:
        file, self._file = self._file, None
        if file is not None:
            file.close()


def _number(value: float | int) -> float | int | None:
    """A plain number; null for nan and infinity, which JSON lacks."""
    if isinstance(value, int):
        return value
    value = float(value)
    return value if math.isfinite(value) else None
