"""Runs of `train.py` as rows of a table: trained once, read afterwards."""

from pathlib import Path
from typing import Any

from hydra import compose, initialize_config_module

from training.config import difference, parse, register
from training.directory import read_config, read_json
from training.run import run

QUIET = ("plots=false", "logger.console_every_seconds=1e9", "checkpoint.keep_latest=1")


def composed(overrides: tuple[str, ...]) -> Any:
    """The config of one run."""
    register()
    with initialize_config_module("configs", version_base="1.3"):
        return compose("train", overrides=list(overrides))


def trained(overrides: tuple[str, ...], name: str, output: Path) -> dict[str, Any]:
    """What a run left in `output/<name>`, after training it where that has not been done.

    Args:
        overrides: of the command `train.py`.
        name: any text; what folders cannot be called becomes an underscore.
        output: folder of the runs.

    Raises:
        ValueError: where the folder holds a run of another config.
    """
    name = "".join(c if c.isalnum() else "_" for c in name)
    cfg = composed((*overrides, *QUIET, f"output={output}", f"run_id={name}"))
    folder = output / name
    found = read_json(folder / "result.json")
    if found and not difference(read_config(folder), parse(cfg)[1]):
        return found
    run(cfg)
    return read_json(folder / "result.json")
