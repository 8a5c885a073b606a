"""The tiny run that whole-run tests start, and how they look at what it left."""

import json
import os
import subprocess
import sys
from pathlib import Path

from hydra import compose, initialize_config_module

from training.config import register
from training.restore import read_record, saved_steps
from training.run import run

ROOT = Path(__file__).resolve().parents[2]
TINY = (
    "pde=synthetic",
    "data=synthetic",
    "operator.n_modes=[6,6]",
    "operator.hidden_channels=8",
    "operator.n_layers=2",
    "trainer.epochs=4",
    "optimizer.learning_rate=1e-2",
    "trainer.steps_per_dispatch=3",
    "checkpoint.every_epochs=2",
    "logger.console_every_seconds=1e9",
    "plots=false",
)


def overrides(place: Path, *more: str) -> list[str]:
    return [*TINY, f"data.root={place / 'datasets'}", f"output={place / 'outputs'}", *more]


def train(place: Path, *more: str) -> float | None:
    register()
    with initialize_config_module("configs", version_base="1.3"):
        return run(compose("train", overrides=overrides(place, *more)))


def command(place: Path, *more: str, devices: int = 1) -> dict:
    flags = f"{os.environ['QUICK_XLA_FLAGS']} --xla_force_host_platform_device_count={devices}"
    env = os.environ | {"XLA_FLAGS": flags, "PYTHONUNBUFFERED": "1"}
    line = [sys.executable, str(ROOT / "train.py"), *overrides(place, *more)]
    return {"args": line, "cwd": ROOT, "env": env, "text": True, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}


def rows(directory: Path) -> list[dict]:
    """The log of a run without the wall clock."""
    lines = (directory / "metrics.jsonl").read_text().splitlines()
    return [{k: v for k, v in json.loads(line).items() if k != "wall"} for line in lines]


def losses(directory: Path) -> list[float]:
    return [row["metrics"]["loss"] for row in rows(directory) if row["split"] == "train"]


def final_digests(directory: Path) -> dict:
    """Checksums of every array of the last checkpoint."""
    checkpoints = directory / "checkpoints"
    return read_record(checkpoints, max(saved_steps(checkpoints)))["leaves"]
