"""Errors of Transform Once beside those of an FNO, at equal time and at equal epochs, on two regimes of Navier-Stokes.

    python -m benchmarks.transform_once_accuracy --output outputs/transform_once            everything
    python -m benchmarks.transform_once_accuracy --regimes rough --only FNO --seeds 0       some of it
    python -m benchmarks.transform_once_accuracy --measured                                 only what has been trained

Every row is three runs of `train.py`: vorticity at 0 -> at T on 64 x 64 points, 1000 flows to train on, 200 to validate
and 200 to test, relative L2 loss (of cached coefficients where the operator has some), AdamW, a cosine schedule, and
about as many parameters in each. The FNO is trained for --epochs, and what its steps cost in CPU seconds is the budget
of the others: steps of all rows are timed in turns, once, so that a busy machine slows all alike. CPU seconds count
the work of all threads, however long it waits for a core.

The learning rate of every family (FNO, T1, T1+) is found by the same rule in one regime, for either budget: from 1e-2
by factors of three, seed 0, until the validation error is worse on both sides. The rows of a family and both regimes
share it. Runs that --output holds are read, so a table that was cut short goes on.
"""

import argparse
import functools
import itertools
import json
import math
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import jax

from benchmarks.runs import composed, trained
from benchmarks.transform_once import make_step, median_times
from training.build import build_operator
from training.config import parse
from training.directory import read_json
from training.loop import NonFiniteLoss

REGIMES = {"smooth": (1e-3, 50.0), "rough": (1e-4, 15.0)}
TUNED_IN, FIRST_RATE, FACTOR = "rough", 1e-2, 3.0
SIZE, BATCH = 64, 16
COMMON = (
    *("pde=ns_li_once", "data=ns_li_once", "optimizer=adamw", "+optimizer.schedule.warmup=0.1"),
    *("trainer.eval_every=0", "checkpoint.every_epochs=1000", f"data.batch_size={BATCH}"),
)
COLUMNS = (
    *("regime", "equal", "operator", "modes", "parameters", "epochs", "CPU s", "rate", "test errors", "mean"),
    *("of FNO", "floor"),
)
T1 = ("operator=t1", "loss=l2_spectral", "operator.residual_scale=0.5")
# A U-Net is several times slower in a compiled loop of steps, see `trainer.steps_per_dispatch`.
T1_PLUS = ("operator=t1plus", "loss=l2_spectral", "trainer.steps_per_dispatch=1")


class Row(NamedTuple):
    """One line of the table.

    Args:
        family: rows that share a learning rate, found with the first of them.
        label: which modes.
        overrides: of the command `train.py`.
    """

    family: str
    label: str
    overrides: tuple[str, ...]

    @property
    def name(self) -> str:
        return f"{self.family} {self.label}"


def size(modes: int, width: int) -> tuple[str, str]:
    """Overrides of modes per axis and width."""
    return f"operator.n_modes=[{modes},{modes}]", f"operator.hidden_channels={width}"


# 24 modes of the cosine basis reach as far as the 24 of the FNO, which counts both signs: 12 periods in the box.
ROWS = (
    Row("FNO", "24x24", ("operator=fno", "loss=l2", *size(24, 16))),
    Row("T1", "24x24", (*T1, *size(24, 16))),
    Row("T1+", "24x24", (*T1_PLUS, *size(24, 16))),
    Row("T1", "576 of 48x48", (*T1, *size(48, 16), "operator.selection=top_energy", "operator.kept_modes=576")),
    Row("T1", "48x48", (*T1, *size(48, 8))),
    Row("T1+", "48x48", (*T1_PLUS, *size(48, 12))),
    Row("FNO", "48x48", ("operator=fno", "loss=l2", *size(48, 8))),
    # Matrices of the head that leave the argument of its sine small at first, as the published ones do.
    Row("T1", "24x24, small head", (*T1, *size(24, 16), "+operator.head_scale=1e-3")),
)


class Study(NamedTuple):
    """What the runs have in common.

    Args:
        output: folder of the runs.
        epochs: of the FNO.
        measured: whether runs that are not there are left out instead of trained.
    """

    output: Path
    epochs: int
    measured: bool

    def epochs_of(self, row: Row) -> dict[str, int]:
        """Epochs at equal time and at equal epochs."""
        seconds = self.step_seconds()
        return {"time": round(self.epochs * seconds[ROWS[0].name] / seconds[row.name]), "epochs": self.epochs}

    def step_seconds(self, rounds: int = 9) -> dict[str, float]:
        """CPU seconds of a step of every row, measured once; a row that came later is timed beside the first one."""
        path = self.output / "steps.json"
        known = read_json(path)
        if missing := [row for row in ROWS if row.name not in known]:
            timed = dict.fromkeys([ROWS[0], *missing])
            steps = {row.name: make_step(maker(row), "loss=l2_spectral" in row.overrides, SIZE, BATCH) for row in timed}
            found = median_times(steps, rounds, time.process_time)
            scale = known.get(ROWS[0].name, found[ROWS[0].name]) / found[ROWS[0].name]
            known = {name: scale * seconds for name, seconds in found.items()} | known
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps(known, indent=1))
        return known

    def run(self, regime: str, row: Row, epochs: int, rate: float, seed: int) -> dict[str, Any] | None:
        """The result of one run; None where it diverged, or was not wanted to be trained now."""
        viscosity, interval = REGIMES[regime]
        name = f"{regime} {row.name} {epochs} epochs {rate:.1e} {seed}".replace("+", "plus")
        settings = (f"trainer.epochs={epochs}", f"optimizer.learning_rate={rate:.6g}", f"seed={seed}")
        if self.measured:
            folder = "".join(c if c.isalnum() else "_" for c in name)
            return read_json(self.output / folder / "result.json") or None
        problem = (f"pde.viscosity={viscosity}", f"pde.interval={interval}")
        try:
            return trained((*COMMON, *row.overrides, *problem, *settings), name, self.output)
        except NonFiniteLoss:
            return None

    def rate(self, row: Row, setting: str) -> float:
        """The learning rate of a row's family for "time" or "epochs"."""
        first = next(other for other in ROWS if other.family == row.family)
        epochs = self.epochs_of(first)[setting]

        @functools.cache
        def error(power: int) -> float:
            found = self.run(TUNED_IN, first, epochs, FIRST_RATE * FACTOR**power, seed=0)
            return found["valid/rel_l2"] if found else math.inf

        return FIRST_RATE * FACTOR ** least(error)


def least(error: Callable[[int], float]) -> int:
    """The whole number, from 0 on, at which neither neighbour is better."""
    for step in (1, -1):
        if error(step) < error(0):
            return step * next(n for n in itertools.count(1) if not error(step * (n + 1)) < error(step * n))
    return 0


def maker(row: Row) -> Callable[[], Any]:
    """Makes the operator of a row."""
    settings, _ = parse(composed((*COMMON, *row.overrides)))
    create, _ = build_operator(settings, (SIZE, SIZE), (1, 1))
    return lambda: create(jax.random.key(0))


def cells(study: Study, regime: str, row: Row, setting: str, seeds: list[int]) -> tuple[list[str], float, Any]:
    """Epochs, CPU seconds, rate and errors of a row; the mean error; one of the results."""
    epochs, rate = study.epochs_of(row)[setting], study.rate(row, setting)
    found = [one for seed in seeds if (one := study.run(regime, row, epochs, rate, seed))]
    if not found:
        return ["-"] * 4, math.nan, None
    seconds = study.step_seconds()[row.name] * found[0]["steps"]
    errors = [one["test/rel_l2"] for one in found]
    listed = ", ".join(f"{error:.4f}" for error in errors)
    return [f"{epochs}", f"{seconds:.0f}", f"{rate:.1e}", listed], statistics.mean(errors), found[0]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=Path, default=Path("outputs/transform_once"))
    parser.add_argument("--epochs", type=int, default=5, help="of the FNO")
    parser.add_argument("--regimes", nargs="+", choices=REGIMES, default=list(REGIMES))
    parser.add_argument("--settings", nargs="+", choices=("time", "epochs"), default=["time", "epochs"])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--only", default="", help="rows whose name contains this")
    parser.add_argument("--measured", action="store_true", help="train nothing, print what is there")
    arguments = parser.parse_args()
    study = Study(arguments.output, arguments.epochs, arguments.measured)
    print(f"| {' | '.join(COLUMNS)} |")
    print("|---" * len(COLUMNS) + "|")
    fno: dict[str, float] = {}
    for regime, setting, row in itertools.product(arguments.regimes, arguments.settings, ROWS):
        if arguments.only not in row.name:
            continue
        columns, mean, one = cells(study, regime, row, setting, arguments.seeds)
        fno[regime] = mean if row is ROWS[0] else fno.get(regime, math.nan)
        parameters, floor = (f"{one['num_params']:,}", one.get("test/floor_rel_l2")) if one else ("-", None)
        of_fno = "" if math.isnan(fno[regime]) else f"{mean / fno[regime]:.2f}"
        label = (regime, setting, row.family, row.label, parameters, *columns, f"{mean:.4f}", of_fno)
        print(f"| {' | '.join(label)} | {'' if floor is None else f'{floor:.4f}'} |", flush=True)


if __name__ == "__main__":
    main()
