"""The operator of a run, to be applied in a notebook: `trained = load_run("outputs/<id>")`, `trained(u)`."""

import dataclasses
from collections.abc import Callable, Sequence
from os import PathLike
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np
from flax import nnx
from jax.sharding import Mesh
from jaxtyping import Array, Float
from omegaconf import OmegaConf

from data.normalizer import Normalizer
from operators.base import Operator

from . import build, directory
from .config import Run, parse
from .restore import restore, saved_steps
from .sharding import make_mesh, replicated
from .step import split_operator, statistics_of


@dataclasses.dataclass(frozen=True)
class Trained:
    """A trained operator between physical fields.

    Args:
        operator: the network, between normalised fields.
        inputs: normaliser of what goes in.
        targets: normaliser of what comes out.
        step: optimizer steps that it was trained for.
    """

    operator: Operator
    inputs: Normalizer
    targets: Normalizer
    step: int

    def __call__(
        self, u: Float[Array | np.ndarray, "*b_space ci"], output_shape: tuple[int, ...] | None = None
    ) -> Float[Array, "*b_outspace co"]:
        """Apply it to fields in physical units, channels last, on any grid of the dimension it was trained in."""
        return self.targets.decode(self.operator(self.inputs.encode(u), output_shape))


class Weights(NamedTuple):
    """What a checkpoint holds of an operator.

    Args:
        model_of: see `training.step.split_operator`.
        params: parameters, their moving average where the run keeps one.
        statistics: running statistics, or None.
        step: of the checkpoint.
    """

    model_of: Callable[..., nnx.Module]
    params: Any
    statistics: Any
    step: int


def load_run(run: str | PathLike, *, which: str = "latest", allow: Sequence[str] = ()) -> Trained:
    """The operator of a run directory, with its normalisers; no data are read.

    Args:
        run: run directory, such as outputs/<run id>.
        which: latest or best checkpoint.
        allow: prefixes of `_target_` beyond this package's own that the config may name.

    Raises:
        FileNotFoundError: where the folder holds no run or no checkpoint.
        ValueError: for a `_target_` that is not allowed, or another `which`.
        CheckpointError: for a checkpoint that is damaged.
    """
    folder = Path(run).expanduser().resolve()
    settings = read_settings(folder, allow)
    weights = restore_weights(settings, folder, which, make_mesh(1))
    operator = weights.model_of(weights.params, weights.statistics, evaluate=True)
    assert isinstance(operator, Operator)
    return Trained(operator, *directory.read_normalizers(folder), weights.step)


def read_settings(folder: Path, allow: Sequence[str] = ()) -> Run:
    """The settings of a run that has been trained; only the caller grants prefixes beyond this package's own.

    Raises:
        FileNotFoundError: where the folder holds no run or no checkpoint.
        ValueError: for prefixes that are not in a list.
    """
    # Of a text each letter would be a prefix.
    if isinstance(allow, str):
        raise ValueError(f"allow: got {allow!r}, wanted a list of prefixes; write [{allow!r}]")
    settings, _ = parse(OmegaConf.create(directory.read_config(folder)))
    settings.allow = list(allow)
    if not saved_steps(folder / "checkpoints"):
        raise FileNotFoundError(f"run: no checkpoint in {folder}, wanted a run that has trained for an epoch")
    return settings


def restore_weights(run: Run, folder: Path, which: str, mesh: Mesh) -> Weights:
    """The weights of a run, on every device of a mesh; a run that still trains in that folder is left alone."""
    if which not in ("latest", "best"):
        raise ValueError(f"which: got {which!r}, wanted latest or best")
    channels = [normalizer.mean.shape[-1] for normalizer in directory.read_normalizers(folder)]
    _, operator = build.build_operator(run, None, (channels[0], channels[1]))
    model_of, shapes = split_operator(operator)
    name = "params" if run.trainer.ema_decay is None else "ema"
    template = jax.tree.map(
        lambda s: jax.ShapeDtypeStruct(s.shape, s.dtype, sharding=replicated(mesh)),
        {name: shapes, "statistics": statistics_of(operator)},
    )
    restored = restore(folder / "checkpoints", template, which=which)
    assert restored is not None
    return Weights(model_of, restored.state[name], restored.state["statistics"], restored.step)
