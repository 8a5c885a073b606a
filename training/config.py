"""The schema of a run: typed settings, so that a misspelt or mistyped key fails while the config is composed.

Components (`operator pde data loss optimizer growth refine`) stay open dictionaries with a `_target_`: their keys are
checked against the constructor's signature by `training.build`. This module imports no JAX, so that `--help` is quick.
"""

import dataclasses
import difflib
import hashlib
import json
import re
from dataclasses import dataclass, field
from typing import Any

from hydra.core.config_store import ConfigStore
from omegaconf import DictConfig, OmegaConf

# What may change between an interrupted run and the command that continues it.
NOT_PART_OF_THE_RUN = (
    *("run_id", "output", "logger", "mesh", "checkpoint", "distributed", "plots", "compile_cache"),
    "refine",  # comes after training: the same network, whichever way its predictions are refined
)


def _at_least(node: Any, group: str | None, **bounds: int) -> None:
    """Refuse the whole numbers of a node that lie under their bound; null and unresolved values pass."""
    for name, bound in bounds.items():
        value = getattr(node, name)
        if isinstance(value, int) and value < bound:
            key = f"{group}.{name}" if group else name
            raise ValueError(f"{key}: got {value}, wanted a whole number of at least {bound}")


@dataclass
class Trainer:
    """How long and in which portions to train.

    Args:
        epochs: passes over the training set.
        accumulate: micro-batches per optimizer step; memory falls, the gradient is the same mean.
        steps_per_dispatch: optimizer steps in one compiled call (resident data only); 1 makes U-Nets several times
            faster on CPUs, whose convolutions are slow in a compiled loop.
        eval_every: epochs between evaluations on the validation set; 0 for none.
        ema_decay: decay of the exponential moving average of the parameters that is then evaluated; null for none.
        eval_batch_size: samples per evaluation batch; null for the training batch size.
        per_device: whether data.batch_size and the samples of the training split are those of one device, so that a run
            fits any mesh (the debug configs); otherwise they are those of all devices.
        matmul_precision: of the float32 products of pointwise layers on accelerators: highest (float32), high, or
            default (TF32 or bfloat16, faster, about 1e-3 relative). Transforms are float32 always; for the mixing
            of modes see the operator's spectral_dtype.
        strides: factors by which the grid is coarser at first, such as [2, 1]; empty for that of the data throughout.
            Fields are cut by signed frequency. The last factor holds to the end.
        epochs_per_stride: epochs on each of the others.
    """

    epochs: int = 20
    accumulate: int = 1
    steps_per_dispatch: int = 16
    eval_every: int = 1
    ema_decay: float | None = None
    eval_batch_size: int | None = None
    per_device: bool = False
    matmul_precision: str = "highest"
    strides: list[int] = field(default_factory=list)
    epochs_per_stride: int = 10

    def __post_init__(self) -> None:
        _at_least(self, "trainer", epochs=1, accumulate=1, steps_per_dispatch=1, eval_every=0, eval_batch_size=1)
        _at_least(self, "trainer", epochs_per_stride=1)
        if any(isinstance(stride, int) and stride < 1 for stride in self.strides):
            raise ValueError(f"trainer.strides: got {self.strides}, wanted factors of at least 1, such as [2, 1]")
        if self.matmul_precision not in ("highest", "high", "default"):
            raise ValueError(
                f"trainer.matmul_precision: got {self.matmul_precision!r}, wanted highest, high or default"
            )
        if isinstance(self.ema_decay, float) and not 0 < self.ema_decay < 1:
            raise ValueError(f"trainer.ema_decay: got {self.ema_decay}, wanted a number in (0, 1), or null")


@dataclass
class Mesh:
    """How devices share the work.

    Args:
        data: devices that samples are split over; -1 for all that the patches leave.
        patches: devices along every spatial axis that the patches of an operator such as MGTFNO are split over, for
            fields too large for one device; empty for none.
    """

    data: int = -1
    patches: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        if any(isinstance(count, int) and count < 1 for count in self.patches):
            raise ValueError(f"mesh.patches: got {self.patches}, wanted positive numbers of devices")


@dataclass
class Checkpoint:
    """When to save and what to keep: the latest `keep_latest` and the best `keep_best` by `best_metric`."""

    every_epochs: int = 1
    keep_latest: int = 2
    keep_best: int = 1
    best_metric: str = "valid/rel_l2"

    def __post_init__(self) -> None:
        _at_least(self, "checkpoint", every_epochs=1, keep_latest=1, keep_best=0)


@dataclass
class Wandb:
    """Weights & Biases; mode is disabled, offline, online, or auto (online where a key is found)."""

    mode: str = "disabled"
    project: str = "spectral-operators"
    entity: str | None = None
    group: str | None = None
    tags: list[str] = field(default_factory=list)


@dataclass
class Logger:
    """Sinks beside the always written `metrics.jsonl`."""

    console_every_seconds: float = 10.0
    wandb: Wandb = field(default_factory=Wandb)

    def __post_init__(self) -> None:
        if isinstance(self.console_every_seconds, float) and not self.console_every_seconds >= 0:
            raise ValueError(f"logger.console_every_seconds: got {self.console_every_seconds}, wanted 0 or more")


@dataclass
class Distributed:
    """Processes of one run: mode auto (a detected cluster), off, or on (the three fields below)."""

    mode: str = "auto"
    coordinator: str | None = None
    num_processes: int | None = None
    process_id: int | None = None


@dataclass
class Run:
    """Root of the config tree.

    Args:
        start_from: run directory whose parameters training begins with, for fine-tuning; null for those of the seed.
            Its fields have to be normalised as those of this run.
    """

    name: str = "run"
    run_id: str | None = None
    output: str = "outputs"
    seed: int = 0
    start_from: str | None = None
    allow: list[str] = field(default_factory=list)
    operator: dict[str, Any] = field(default_factory=dict)
    pde: dict[str, Any] = field(default_factory=dict)
    data: dict[str, Any] = field(default_factory=dict)
    loss: dict[str, Any] = field(default_factory=dict)
    optimizer: dict[str, Any] = field(default_factory=dict)
    growth: dict[str, Any] = field(default_factory=dict)
    refine: dict[str, Any] = field(default_factory=dict)
    trainer: Trainer = field(default_factory=Trainer)
    mesh: Mesh = field(default_factory=Mesh)
    checkpoint: Checkpoint = field(default_factory=Checkpoint)
    logger: Logger = field(default_factory=Logger)
    distributed: Distributed = field(default_factory=Distributed)
    plots: bool = True
    compile_cache: bool = True
    objective: str = "valid/rel_l2"

    def __post_init__(self) -> None:
        _at_least(self, None, seed=0)
        if isinstance(self.seed, int) and self.seed >= 2**32:
            raise ValueError(f"seed: got {self.seed}, wanted less than 2^32")
        for key in ("name", "run_id"):
            value = getattr(self, key)
            if isinstance(value, str) and not re.fullmatch(r"\w[\w.=,+-]*", value):
                raise ValueError(
                    f"{key}: got {value!r}, wanted one plain folder name (letters, digits, . _ - + = ,); "
                    "output=... sets the folder that it lies in"
                )


def register() -> None:
    """Make the schema known to Hydra; a door calls it before it composes."""
    ConfigStore.instance().store(name="run_schema", node=Run)


def parse(cfg: DictConfig) -> tuple[Run, dict[str, Any]]:
    """The typed settings of a composed config, and the same as a plain dictionary for files.

    Raises:
        ValueError: where a value is out of its range.
    """
    tree = OmegaConf.to_container(cfg, resolve=True, throw_on_missing=True)
    assert isinstance(tree, dict)
    # Hydra's own node is there under `@hydra.main` and absent in a notebook.
    plain = {str(key): value for key, value in tree.items() if key != "hydra"}
    settings = OmegaConf.to_object(OmegaConf.merge(OmegaConf.structured(Run), plain))
    assert isinstance(settings, Run)
    if settings.data.get("source") is not None:
        settings.pde = {}  # nothing is solved: an experiment's equation has no part in the run
    # The defaults of the schema belong in the record of the run.
    plain = {name: value for name, value in dataclasses.asdict(settings).items()}
    settings.run_id = plain["run_id"] = settings.run_id or f"{settings.name}-{content_key(plain)}"
    return settings, plain


def content(plain: dict[str, Any]) -> dict[str, Any]:
    """The part of a config that decides the result; where the data lie does not."""
    tree = {key: value for key, value in plain.items() if key not in NOT_PART_OF_THE_RUN}
    if tree.get("start_from") is None:  # as in configs from before there was such a key
        tree.pop("start_from", None)
    return tree | {"data": {key: value for key, value in tree.get("data", {}).items() if key != "root"}}


def content_key(plain: dict[str, Any]) -> str:
    """Eight hexadecimal digits of the config: the same command names the same run on every host, at any time."""
    text = json.dumps(content(plain), sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:8]


def difference(old: dict[str, Any], new: dict[str, Any]) -> str:
    """The lines in which two configs differ (- old, + new); empty where they describe the same run."""
    before, after = (
        OmegaConf.to_yaml(OmegaConf.create(content(tree)), sort_keys=True).splitlines() for tree in (old, new)
    )
    lines = difflib.unified_diff(before, after, lineterm="", n=0)
    return "\n".join(line for line in lines if line[:3] not in ("---", "+++") and not line.startswith("@@"))
