"""Errors of a run on its test sets, or at another resolution: `python -m training.evaluate run=outputs/<id>`."""

import copy
import dataclasses
import functools
import math
import re
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import hydra
from hydra.core.config_store import ConfigStore
from omegaconf import MISSING, DictConfig, OmegaConf

from .config import Run, content_key


@dataclass
class Evaluation:
    """What to evaluate.

    Args:
        run: run directory.
        split: one split of the run's data; null for every test split (those that are neither train nor valid).
        resolution: points per axis, one number or one per axis; null for those that the split names. The set is
            found, or generated with the run's generator: the same samples on another grid.
        generator: arguments that replace those of the run's generator, such as a finer solver grid
            (`+generator.shape=[384,384]`) for a higher resolution. Other ones make other samples, and are in the name
            of the result: `test_viscosity=0.002`.
        which: latest or best checkpoint.
        batch_size: samples per call; null for that of the run.
        devices: devices to use; -1 for all.
        estimate: also estimate the errors from the equation behind the data, without the targets, and say what that is
            worth: see `training.estimate`. The interval comes from the run's own split `valid`, on the grid that the
            run trained on.
        estimate_order: of the norm of the residual in it; null for 0.
        estimate_samples: samples of that split, more than it has where they are to be made; null for its own. Windows
            of one trajectory are alike: count trajectories.
        refine: a choice of `configs/refine`, such as refine=shooting: also refine the predictions by the equation
            behind the data, and solve it serially from the same inputs; see `training.refinement`.
        allow: prefixes of `_target_` beyond this package's own. Only this command grants them: a run from elsewhere
            cannot name what is executed here.
    """

    run: str = MISSING
    split: str | None = None
    resolution: Any = None
    generator: dict[str, Any] = field(default_factory=dict)
    which: str = "latest"
    batch_size: int | None = None
    devices: int = -1
    estimate: bool = False
    estimate_order: float | None = None
    estimate_samples: int | None = None
    refine: dict[str, Any] = field(default_factory=dict)
    allow: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        if self.which not in ("latest", "best"):
            raise ValueError(f"which: got {self.which!r}, wanted latest or best")
        if self.batch_size is not None and self.batch_size < 1:
            raise ValueError(f"batch_size: got {self.batch_size}, wanted a positive number, or null")
        if self.estimate_samples is not None and self.estimate_samples < 1:
            raise ValueError(f"estimate_samples: got {self.estimate_samples}, wanted a positive number, or null")
        if self.estimate_order is not None and not math.isfinite(self.estimate_order):
            raise ValueError(f"estimate_order: got {self.estimate_order}, wanted a finite number, or null for 0")
        for name in ("estimate_order", "estimate_samples"):
            if getattr(self, name) is not None and not self.estimate:
                raise ValueError(
                    f"{name}: got {getattr(self, name)} without estimates, wanted null; estimate=true makes them"
                )


ConfigStore.instance().store(name="evaluate_schema", node=Evaluation)


@hydra.main(version_base="1.3", config_path="pkg://configs", config_name="evaluate")
def main(cfg: DictConfig) -> None:
    # JAX is imported below, so that `--help` answers at once.
    from .errors import friendly_errors

    with friendly_errors():
        if OmegaConf.is_missing(cfg, "run"):
            raise ValueError("run: got nothing, wanted a run directory such as run=outputs/<id>")
        settings = OmegaConf.to_object(cfg)
        assert isinstance(settings, Evaluation)
        for name, value in evaluate(settings).items():
            print(f"{name:32s} {value:.6g}" if isinstance(value, float) else f"{name:32s} {value}")


def evaluate(settings: Evaluation) -> dict[str, Any]:
    """Restore a run's operator and measure it; the numbers are also written to `<run>/evaluations/`.

    Returns:
        `step` of the checkpoint, and `<set>/<metric>` -> mean over the set.

    Raises:
        FileNotFoundError: where the folder holds no run or no checkpoint.
        ValueError: for a split or a resolution that the run's data do not have, or a `_target_` that is not allowed.
        CheckpointError: for a checkpoint that is damaged or of another operator.
    """
    from . import directory, distributed
    from .trained import read_settings

    folder = Path(settings.run).expanduser().resolve()
    # Before any data are made.
    run = read_settings(folder, settings.allow)
    if settings.refine:
        from .refinement import build_refinement

        build_refinement(settings.refine, settings.allow)
    # A run made elsewhere: its data are found, or made, where data lie here.
    if run.data.get("root") and not Path(run.data["root"]).expanduser().exists():
        run.data["root"] = None
    with distributed.run_settings(run.compile_cache, run.trainer.matmul_precision):
        result, sets = _measure(settings, run, folder)
    try:
        (folder / "evaluations").mkdir(exist_ok=True)
        asked: dict[str, Any] = {"generator": settings.generator} if settings.generator else {}
        asked |= {"estimate": True, "estimate_order": settings.estimate_order or 0.0} if settings.estimate else {}
        asked |= {"estimate_samples": settings.estimate_samples} if settings.estimate_samples else {}
        asked |= {"refinement": settings.refine} if settings.refine else {}
        key = f"_{content_key(asked)}" if asked else ""
        name = f"{'+'.join(sets)}_step{result['step']}{key}.json"
        directory.write_json(folder / "evaluations" / name, result | asked)
    except OSError as error:
        warnings.warn(f"the numbers are not kept in {folder}: {error}", stacklevel=2)
    return result


def _measure(settings: Evaluation, run: Run, folder: Path) -> tuple[dict[str, Any], list[str]]:
    """The numbers, and the names of the sets."""
    import jax

    from . import directory
    from .evaluator import Evaluator
    from .metrics import standard_metrics
    from .sharding import make_mesh
    from .trained import Trained, restore_weights

    available = jax.device_count()
    if settings.devices != -1 and not 1 <= settings.devices <= available:
        raise ValueError(f"devices: got {settings.devices}, wanted 1 to {available}, or -1 for all")
    mesh = make_mesh(settings.devices)
    sets = _read_sets(settings, run)
    first = next(iter(sets.values()))
    weights = restore_weights(run, folder, settings.which, mesh)
    inputs, targets = directory.read_normalizers(folder)
    batch_size = settings.batch_size or run.trainer.eval_batch_size or run.data["batch_size"]
    evaluator = functools.partial(
        Evaluator,
        lambda values, x: targets.decode(weights.model_of(*values, evaluate=True)(inputs.encode(x))),
        standard_metrics(first.metadata.box.span, first.metadata.periodic, first.metadata.parameters.get("white")),
        mesh,
        batch_size,
    )
    values = (weights.params, weights.statistics)
    trained = None
    if settings.refine:
        from operators.base import Operator

        from .refinement import check_samples

        operator = weights.model_of(*values, evaluate=True)
        assert isinstance(operator, Operator)
        trained = Trained(operator, inputs, targets, weights.step)
        check_samples(settings.refine, trained.operator, list(sets.values()), settings.allow)
    result: dict[str, Any] = {"step": weights.step}
    if settings.estimate:
        result |= _estimates(settings, run, evaluator, values, sets)
    else:
        measure = evaluator()
        for title, samples in sets.items():
            result |= {f"{title}/{metric}": value for metric, value in measure(values, samples).items()}
    if trained is not None:
        from .refinement import refine_sets

        result |= refine_sets(settings.refine, trained, sets, batch_size, settings.allow, folder if run.plots else None)
    return result, list(sets)


def _estimates(
    settings: Evaluation, run: Run, evaluator: Callable[..., Any], values: Any, sets: dict[str, Any]
) -> dict[str, Any]:
    """Errors of the sets with their estimates, whose interval is fitted on the validation set."""
    import numpy as np

    from .estimate import calibration, estimate_of, interval

    def estimate(samples: Any) -> Callable[..., Any]:
        return estimate_of(samples, settings.allow, settings.estimate_order or 0.0)

    def measured(samples: Any) -> dict[str, np.ndarray]:
        return evaluator(estimate(samples)).per_sample(values, samples)

    for samples in sets.values():  # what cannot be estimated is said before anything is made or computed
        estimate(samples)
    # Samples like those that the run was validated on, whatever it is tested on.
    like_these = dataclasses.replace(settings, split="valid", resolution=None, generator={})
    (valid,) = _read_sets(like_these, run, settings.estimate_samples).values()
    fitted = measured(valid)
    factors = interval(fitted["rel_l2"], fitted["estimate"])
    result: dict[str, Any] = {}
    for title, samples in sets.items():
        found = measured(samples)
        result |= {f"{title}/{name}": float(np.mean(v, dtype=np.float64)) for name, v in found.items()}
        about = calibration(found["rel_l2"], found["estimate"], factors)
        result |= {f"{title}/{name}": value for name, value in about.items()}
    return result


def _read_sets(settings: Evaluation, run: Run, samples: int | None = None):
    """The sets to measure by name, found or generated; of so many samples in place of their own."""
    from data.foreign import Foreign
    from data.sets import ensure_set

    from . import build

    run = dataclasses.replace(run, data=copy.deepcopy(run.data))
    named = {name: values for name, values in (run.data.get("splits") or {}).items() if values is not None}
    chosen = [name for name in named if name not in ("train", "valid")]
    if settings.split is not None:
        chosen = [settings.split]
        if settings.split not in named:
            raise ValueError(f"split: got {settings.split!r}, wanted one of {sorted(named)}")
    if not chosen:
        raise ValueError(f"run: got data without a test split ({sorted(named)}), wanted one; choose split=valid")
    if run.data.get("source") is not None and (settings.resolution is not None or settings.generator):
        raise ValueError("resolution: got one for files of others, wanted none: they have their own; see data.stride")
    for name in chosen:
        named[name]["generator"] = {**(named[name].get("generator") or {}), **settings.generator}
        named[name] |= {} if samples is None else {"samples": samples}
    splits = build.build_splits(run)
    trained_on = splits["train"][1].resolutions[0]
    sets, changed = {}, _named(settings.generator)
    for name in chosen:
        maker, split = splits[name]
        if settings.resolution is not None and not isinstance(maker, Foreign):
            shape = _shape(settings.resolution, maker, name)
            split = type(split)(name, split.samples, split.seed, (shape,))
        for shape, path in ensure_set(maker, split, run.data.get("root")).items():
            sets[build.test_name(name, shape, trained_on) + changed] = build.read(run, path)
    return sets


def _named(arguments: Mapping[str, Any], prefix: str = "") -> str:
    """What a set's name says of arguments that make other samples, and not the same ones on another solver grid."""
    found = ""
    for name, value in arguments.items():
        if isinstance(value, Mapping):
            found += _named(value, f"{prefix}{name}.")
        elif prefix + name != "shape":
            # It is a part of file names, and of the names of metrics.
            found += "_" + re.sub(r"[^\w.,=+-]", "", f"{prefix}{name}={value}")
    return found


def _shape(resolution: Any, generator, split: str) -> tuple[int, ...]:
    """The grid asked for; the split's solver resolves it."""
    solved, largest = generator.grid.shape, generator.max_shape
    sizes = resolution if isinstance(resolution, (list, tuple)) else [resolution] * len(solved)
    if len(sizes) != len(solved) or not all(type(n) is int and n > 0 for n in sizes):
        raise ValueError(
            f"resolution: got {resolution}, wanted one number of points, or one per axis such as {list(largest)}"
        )
    if not generator.resolves(tuple(sizes)):
        finer = ",".join(map(str, generator.solver_shape(tuple(sizes))))
        raise ValueError(
            f"resolution: got {list(sizes)}, wanted {generator.storable}, what split {split} resolves on its solver "
            f"grid {list(solved)}; solve it on a finer one: +generator.shape=[{finer}]"
        )
    return tuple(sizes)


if __name__ == "__main__":
    main()
