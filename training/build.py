"""From config to objects."""

import copy
import dataclasses
import functools
import inspect
import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import jax
import optax
from flax import nnx
from jax.sharding import Mesh

from data.inline import InlineLoader
from data.instantiate import find, instantiate
from data.loader import ResidentLoader, fits
from data.metadata import FieldMap, Metadata
from data.normalizer import Normalizer
from data.online import OnlineLoader
from data.schema import read_metadata
from data.sets import Maker, ensure_set, plan_sets
from data.source import Samples, load
from data.splits import SplitSpec
from data.stream import StreamLoader
from data.windows import WindowLoader, load_trajectories
from operators.base import Operator
from pdes.generators import Generator

from .component import named, refuse_keys
from .config import Run
from .distributed import together
from .incremental import Growing, Rule
from .losses import SpectralL2
from .objective import Loss, Objective, Physics, single
from .problem import Problem
from .spectral_layout import spectral_layout

# Samples that the normalisers see of an endless set.
STATISTICS = 64


@dataclasses.dataclass(frozen=True)
class TrainingSet:
    """The training file: in memory, or (`samples` is None) streamed, made on the way, or held as whole trajectories."""

    path: Path
    metadata: Metadata
    samples: Samples | None
    inputs: FieldMap
    targets: FieldMap

    @property
    def channels(self) -> tuple[int, int]:
        """Channels of inputs and of targets."""
        return len(self.metadata.channels(self.inputs)), len(self.metadata.channels(self.targets))

    @property
    def field_counts(self) -> tuple[int, int]:
        """Fields of inputs and of targets."""
        return len(self.inputs), len(self.targets)


@dataclasses.dataclass(frozen=True)
class Datasets:
    """The sets of one run: training, validation (may be absent), and the test sets by name."""

    train: TrainingSet
    valid: Samples | None
    test: dict[str, Samples]


def for_devices(run: Run, devices: int) -> Run:
    """The settings on a mesh of so many devices: with `trainer.per_device` batch and training set grow with it.

    Raises:
        ValueError: as `build_splits`.
    """
    if not run.trainer.per_device:
        return run
    build_splits(run)
    data = copy.deepcopy(run.data)
    data["batch_size"] *= devices
    if data["splits"]["train"].get("samples"):  # all samples of a file are all there are
        data["splits"]["train"]["samples"] *= devices
    return dataclasses.replace(run, data=data)


def build_splits(run: Run) -> dict[str, tuple[Maker, SplitSpec]]:
    """What makes every named set, a generator or files of others, and its size.

    Raises:
        ValueError: where none is named train.
    """
    splits = plan_sets(run.pde, run.data, run.allow)
    if "train" not in splits:
        raise ValueError(f"data.splits: got {sorted(splits)}, wanted one named train")
    return splits


def build_datasets(run: Run) -> Datasets:
    """Find, generate or convert every split of the config and read it.

    The sets that are neither `train` nor `valid` are test sets; one at another resolution than the training set is
    named after it, such as `test_128x128`. Where training samples are made on the way, the training file holds the
    first of them only, for the normalisers.
    """
    splits = build_splits(run)
    if is_online(run):
        maker, split = splits["train"]
        splits["train"] = maker, dataclasses.replace(split, samples=min(split.samples, STATISTICS))
    root = run.data.get("root")
    files = together(lambda: {name: ensure_set(*planned, root) for name, planned in splits.items()})
    streamed = _is_streamed(run, next(iter(files["train"].values())))
    return together(lambda: _read_datasets(run, files, streamed))


def _read_datasets(run: Run, files: dict[str, dict[tuple[int, ...], Path]], streamed: bool) -> Datasets:
    shape, path = next(iter(files["train"].items()))
    maps = _maps(run, path)
    train = TrainingSet(path, read_metadata(path), None if streamed or random_windows(run) else read(run, path), *maps)
    valid = read(run, next(iter(files["valid"].values()))) if "valid" in files else None
    test = {
        test_name(name, size, shape): read(run, path)
        for name, by_size in files.items()
        if name not in ("train", "valid")
        for size, path in by_size.items()
    }
    return Datasets(train, valid, test)


def is_online(run: Run) -> bool:
    """Whether every training sample is made when it is needed, and used once."""
    return run.data.get("loader") in ("online", "inline")


def _is_streamed(run: Run, path: Path) -> bool:
    """Whether the training set stays in its file: the same answer on every process."""
    if has_windows(run):
        return False
    if run.data.get("loader", "auto") != "auto":
        return run.data["loader"] != "resident"
    metadata = read_metadata(path)
    channels = sum(len(metadata.channels(field_map)) for field_map in _maps(run, path))
    return not fits(4 * metadata.samples * math.prod(metadata.shape) * channels)


def _maps(run: Run, path: Path) -> tuple[FieldMap, FieldMap]:
    """The field maps of inputs and targets."""
    metadata = read_metadata(path)
    return run.data.get("inputs") or metadata.inputs, run.data.get("targets") or metadata.targets


def read(run: Run, path: Path) -> Samples:
    """One file, with the fields of the config as channels."""
    maps = run.data.get("inputs"), run.data.get("targets")
    return load(path, *maps, windows=has_windows(run), apart=random_windows(run))


def has_windows(run: Run) -> bool:
    """Whether a trajectory has several starts in time, of which every one is a sample or a random one."""
    return bool(run.data.get("windows"))


def random_windows(run: Run) -> bool:
    """Whether a trajectory is seen from another start in every epoch; validation and tests take starts far apart."""
    return run.data.get("windows") == "random"


def test_name(split: str, shape: tuple[int, ...], trained_on: tuple[int, ...]) -> str:
    """The name under which a set's errors are reported."""
    return split if shape == trained_on else f"{split}_{'x'.join(map(str, shape))}"


def build_operator(
    run: Run, shape: tuple[int, ...] | None, channels: tuple[int, int]
) -> tuple[Callable[[jax.Array], Operator], Operator]:
    """The function from a random key to the operator; the dataset sets its channels, the seed its weights.

    Args:
        run: settings.
        shape: training grid; None where it has been trained on one already.
        channels: of inputs and of targets.

    Returns:
        The function, and what it makes in the abstract: to trace all initialisers once takes long enough.

    Raises:
        ValueError: for arguments that the operator does not take or that the run sets, more modes than the training
            grid resolves, or a number of space axes that is not that of the data.
    """
    refuse_keys(
        "operator", run.operator, {"in_channels": "the data", "out_channels": "the data", "rngs": "the seed of the run"}
    )
    with named("operator", run.operator):
        make = instantiate({**run.operator, "_partial_": True}, allow=run.allow, where="operator")
    make = functools.partial(make, in_channels=channels[0], out_channels=channels[1])

    def create(key: jax.Array) -> Operator:
        return make(rngs=nnx.Rngs(key))

    with named("operator", run.operator):
        abstract = nnx.eval_shape(create, jax.random.key(0))
    if shape is not None and abstract.ndim != len(shape):
        raise ValueError(f"operator: got {abstract.ndim} space axes, wanted {len(shape)} as in the data; set n_modes")
    if shape is not None:
        abstract.check_grid(shape)
    if max(run.mesh.patches, default=1) > 1:
        patches = getattr(abstract, "patches", None)
        if patches is None:
            raise ValueError(
                f"mesh.patches: got {run.mesh.patches} for {run.operator['_target_']}, wanted an operator on patches "
                "such as operators.MGTFNO, or mesh.patches=[]"
            )
        if len(run.mesh.patches) > len(patches) or any(n % d for n, d in zip(patches, run.mesh.patches, strict=False)):
            raise ValueError(
                f"mesh.patches: got {run.mesh.patches}, wanted divisors of the operator's patches {patches}"
            )
    return create, abstract


def build_loss(run: Run, problem: Problem) -> Loss | SpectralL2 | Physics:
    """The loss on the domain of a problem, a periodic one or one with a boundary, or a sum that asks for its equation.

    Raises:
        ValueError: for a loss that needs a periodic domain where it is not, an equation that the data have not, or an
            argument that the run sets.
    """
    refuse_keys("loss", run.loss, dict.fromkeys(("extent", "periodic", "problem"), "the data"))
    allow = (
        *run.allow,
        *(f"training.{room}." for room in ("objective", "residual", "balance", "dimensions", "directions")),
    )
    # A loss of one's own that knows periodic domains only need not take the argument.
    domain: dict[str, Any] = {"extent": problem.extent} | ({} if problem.periodic else {"periodic": False})
    if "problem" in _arguments("loss", run.loss, allow):
        domain = {"problem": problem}
    with named("loss", run.loss):
        return instantiate(run.loss, allow=allow, where="loss", **domain)


def build_objective(run: Run, problem: Problem, targets: Normalizer) -> Objective:
    """What the step makes smaller: losses see normalised fields, residuals of an equation physical ones.

    Raises:
        ValueError: as `build_loss`.
    """
    loss = build_loss(run, problem)
    if isinstance(loss, Physics):
        return loss.objective(targets.encode, targets.decode)
    assert not isinstance(loss, SpectralL2)
    return single(lambda prediction, y: loss(prediction, targets.encode(y)))


def _arguments(group: str, component: dict[str, Any], allow: Sequence[str]) -> Mapping[str, Any]:
    """The arguments that the target of a component takes."""
    return inspect.signature(find(component.get("_target_"), allow, group)).parameters


def build_growing(run: Run, operator: Operator, model_of: Callable[[Any], Any], steps_per_epoch: int) -> Growing | None:
    """The rule by which modes come to take part, at work on an operator; None where all do from the start.

    Args:
        run: settings.
        operator: may be abstract.
        model_of: parameters -> operator.
        steps_per_epoch: optimizer steps between two decisions.

    Raises:
        ValueError: for an operator without a number of modes, one of complex data, or one that has no more modes than
            the rule begins with.
    """
    if not run.growth:
        return None
    with named("growth", run.growth):
        rule = instantiate(run.growth, allow=(*run.allow, "training.incremental."), where="growth")
    if not isinstance(rule, Rule):
        raise ValueError(f"growth: got {run.growth['_target_']}, wanted a subclass of training.incremental.Rule")
    n_modes = getattr(operator, "n_modes", None)
    layout = spectral_layout(operator)
    if n_modes is None or not any(array.modes for array in layout.values()):
        raise ValueError(
            f"growth: got {run.operator['_target_']}, wanted an operator with one n_modes for all its layers and "
            "spectral weights over all axes, such as operators.FNO, or growth=null"
        )
    if getattr(operator, "complex_data", False):
        raise ValueError("growth: got an operator of complex data, wanted one of real data, or growth=null")
    if rule.start >= max(n_modes):
        raise ValueError(
            f"growth.start: got {rule.start} for n_modes {tuple(n_modes)}, wanted fewer: there is nothing to grow to; "
            "start lower, raise operator.n_modes, or growth=null"
        )
    return Growing(rule, tuple(n_modes), layout, model_of, steps_per_epoch)


def build_stages(run: Run, operator: Operator, shape: tuple[int, ...], periodic: bool) -> list[tuple[int, ...]]:
    """The grids to train on, one after the other; the last one is that of the data.

    Raises:
        ValueError: for a grid too coarse for the modes, a domain that is not periodic, or a run that ends before the
            last of them.
    """
    strides, epochs = run.trainer.strides, run.trainer.epochs
    if not strides:
        return [shape]
    normalizers = run.data.get("normalize_inputs"), run.data.get("normalize_targets")
    if strides[-1] != 1 or not periodic or "pixel" in normalizers:
        raise ValueError(
            f"trainer.strides: got {strides}, wanted 1 as the last of them, a periodic domain, and no pixel-wise "
            "normaliser, whose statistics belong to one grid"
        )
    stages = [tuple(n // stride for n in shape) for stride in strides]
    for stage in stages:
        operator.check_grid(stage)
    coarse = run.trainer.epochs_per_stride * (len(strides) - 1)
    if epochs <= coarse:
        raise ValueError(
            f"trainer.strides: got {strides} of {run.trainer.epochs_per_stride} epochs each in a run of {epochs}, "
            f"wanted more than {coarse} epochs, to reach the grid of the data; raise trainer.epochs or lower "
            "trainer.epochs_per_stride"
        )
    return stages


def build_optimizer(
    run: Run, total_steps: int, operator: Operator | None = None
) -> tuple[optax.GradientTransformation, optax.Schedule]:
    """The optimizer and its schedule for a run of so many steps.

    Args:
        run: settings.
        total_steps: optimizer steps of the whole run.
        operator: what it is to train, may be abstract; an optimizer that takes `pair_axes` learns from it which
            parameters are complex. None where all are real.

    Raises:
        ValueError: for arguments that the optimizer does not take, or that the run sets.
    """
    refuse_keys("optimizer", run.optimizer, {"total_steps": "the epochs and the data", "pair_axes": "the operator"})
    extra: dict[str, Any] = {}
    if "pair_axes" in _arguments("optimizer", run.optimizer, run.allow):
        layout = {} if operator is None else spectral_layout(operator)
        extra["pair_axes"] = {name: entry.pair for name, entry in layout.items()}
    with named("optimizer", run.optimizer):
        return instantiate(run.optimizer, total_steps=total_steps, allow=run.allow, where="optimizer", **extra)


def build_normalizers(run: Run, train: TrainingSet) -> tuple[Normalizer, Normalizer]:
    """Normalisers of inputs and targets, fitted on the training set; identities where switched off.

    Raises:
        ValueError: for a pixel-wise normaliser of a set that is not in memory.
    """
    modes = run.data.get("normalize_inputs"), run.data.get("normalize_targets")
    result = []
    maps = {"inputs": train.inputs, "targets": train.targets}
    for mode, (name, field_map), count, side in zip(modes, maps.items(), train.channels, "xy", strict=True):
        if not mode:
            result.append(Normalizer.identity(count))
        elif mode == "field":
            result.append(Normalizer.of_fields(train.metadata, field_map))
        elif train.samples is not None:
            result.append(Normalizer.fit(getattr(train.samples, side), pixelwise=mode == "pixel"))
        elif mode == "pixel":
            raise ValueError(
                f"data.normalize_{name}: got pixel for a set that is not in memory, wanted channel, or "
                "data.loader=resident"
            )
        else:
            result.append(Normalizer.from_metadata(train.metadata, field_map))
    return tuple(result)


def build_loader(
    run: Run, train: TrainingSet, mesh: Mesh
) -> ResidentLoader | WindowLoader | StreamLoader | OnlineLoader | InlineLoader:
    """Batches of the training set: from the devices' memory, from the file, or made on the way."""
    batch_size = run.data["batch_size"]
    if random_windows(run):
        trajectories = load_trajectories(train.path, train.inputs, train.targets)
        return WindowLoader(trajectories, batch_size, run.seed, mesh)
    if is_online(run):
        generator, split = build_splits(run)["train"]
        assert isinstance(generator, Generator)
        loader = InlineLoader if run.data["loader"] == "inline" else OnlineLoader
        return loader(generator, split, batch_size, train.inputs, train.targets, mesh=mesh)
    if train.samples is not None:
        return ResidentLoader(train.samples, batch_size, run.seed, mesh)
    return StreamLoader(train.path, batch_size, run.seed, train.inputs, train.targets, mesh=mesh)
