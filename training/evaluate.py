"""Errors of a run on its test sets, or at another resolution: `python -m training.evaluate run=outputs/<id>`."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import hydra
from hydra.core.config_store import ConfigStore
from omegaconf import MISSING, DictConfig, OmegaConf


@dataclass
class Evaluation:
    """What to evaluate.

    Args:
        run: run directory.
        resolution: points per axis, one number or one per axis; the run's own test sets by default. The set is
            found or generated with the run's generator, same samples as the split it belongs to.
        split: split that is solved at that resolution.
        which: latest or best checkpoint.
        batch_size: samples per call; null for that of the run.
    """

    run: str = MISSING
    resolution: Any = None
    split: str = "test"
    which: str = "latest"
    batch_size: int | None = None


ConfigStore.instance().store(name="evaluate_schema", node=Evaluation)


@hydra.main(version_base="1.3", config_path="pkg://configs", config_name="evaluate")
def main(cfg: DictConfig) -> None:
    # JAX is imported below, so that `--help` answers at once.
    from .errors import friendly_errors

    settings = OmegaConf.to_object(cfg)
    assert isinstance(settings, Evaluation)
    with friendly_errors():
        for name, value in evaluate(settings).items():
            print(f"{name:32s} {value:.6g}")


def evaluate(settings: Evaluation) -> dict[str, float]:
    """Restore a run's operator and measure it; the numbers are also written to `<run>/evaluations/`.

    Returns:
        `<set>/<metric>` -> mean over the set.

    Raises:
        FileNotFoundError: where the folder holds no run or no checkpoint.
        ValueError: for a checkpoint of another operator, or a resolution that the run's data do not have.
    """
    import jax
    from flax import nnx

    from . import build, directory
    from .config import parse
    from .evaluator import Evaluator
    from .metrics import standard_metrics
    from .restore import restore
    from .sharding import make_mesh, replicated
    from .step import split_operator

    folder = Path(settings.run).expanduser().resolve()
    run, _ = parse(OmegaConf.create(directory.read_config(folder)))
    build.check_components(run)
    mesh = make_mesh(run.mesh.data)
    sets = _sets(build, run, settings)
    samples = next(iter(sets.values()))
    channels = samples.x.shape[-1], samples.y.shape[-1]
    trained_on = build.build_splits(run)["train"][1].resolutions[0]
    create = build.build_operator(run, trained_on, channels)
    model_of, shapes = split_operator(nnx.eval_shape(create, jax.random.key(0)))
    template = jax.tree.map(lambda s: jax.ShapeDtypeStruct(s.shape, s.dtype, sharding=replicated(mesh)), shapes)
    name = "params" if run.trainer.ema_decay is None else "ema"
    # Reading only: a run that still trains in that folder is left alone.
    restored = restore(folder / "checkpoints", {name: template}, which=settings.which)
    if restored is None:
        raise FileNotFoundError(f"run: no checkpoint in {folder}, wanted a run that has trained for an epoch")
    inputs, targets = directory.read_normalizers(folder)
    evaluator = Evaluator(
        lambda params, x: targets.decode(model_of(params)(inputs.encode(x))),
        standard_metrics(samples.metadata.extent),
        mesh,
        settings.batch_size or run.trainer.eval_batch_size or run.data["batch_size"],
    )
    result: dict[str, Any] = {"step": restored.step}
    for title, samples in sets.items():
        for metric, value in evaluator(restored.state[name], samples).items():
            result[f"{title}/{metric}"] = value
    (folder / "evaluations").mkdir(exist_ok=True)
    directory.write_json(folder / "evaluations" / f"{'+'.join(sets)}_{settings.which}.json", result)
    return result


def _sets(build, run, settings: Evaluation):
    """The sets to measure: the run's own test sets, or one split at the resolution asked for."""
    import numpy as np

    from data.generation import ensure

    splits = build.build_splits(run)
    trained_on = splits["train"][1].resolutions[0]
    if settings.resolution is None:
        return build.build_datasets(run).test
    if settings.split not in splits:
        raise ValueError(f"split: got {settings.split!r}, wanted one of {sorted(splits)}")
    generator, split = splits[settings.split]
    try:
        shape = tuple(int(n) for n in np.broadcast_to(settings.resolution, len(trained_on)))
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"resolution: got {settings.resolution}, wanted one number of points, or one per axis such as [128,128]"
        ) from error
    split = type(split)(split.name, split.samples, split.seed, (shape,))
    path = ensure(generator, split, run.data.get("root"))[shape]
    return {build.test_name(settings.split, shape, trained_on): build.read(run, path)}


if __name__ == "__main__":
    main()
