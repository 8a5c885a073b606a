"""How long forecasts of a run are of use: `python -m training.forecast run=outputs/<id> steps=10`."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import hydra
from hydra.core.config_store import ConfigStore
from omegaconf import MISSING, DictConfig, OmegaConf

from .config import Run, content_key


@dataclass
class Forecast:
    """What to forecast.

    Args:
        run: run directory of an operator from a state of some fields to the states that follow it.
        split: the run's split with the true trajectories.
        steps: to look ahead; null for as many as there are.
        start: index of the first state.
        latitude_axis: the space axis whose coordinate is the latitude (radians), by which points are weighted; null
            on a plane.
        from_pole: whether that coordinate counts from a pole (0 to pi), not from the equator; null where the numbers
            tell, see `training.skill.latitude_weights`.
        batch_size: samples per call; null for that of the run.
        which: latest or best checkpoint.
        allow: prefixes of `_target_` beyond this package's own.
    """

    run: str = MISSING
    split: str = "test"
    steps: int | None = None
    start: int = 0
    latitude_axis: int | None = None
    from_pole: bool | None = None
    batch_size: int | None = None
    which: str = "latest"
    allow: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        if isinstance(self.steps, int) and self.steps < 1:
            raise ValueError(f"steps: got {self.steps}, wanted 1 or more, or null")
        if isinstance(self.start, int) and self.start < 0:
            raise ValueError(f"start: got {self.start}, wanted 0 or more")
        if self.latitude_axis not in (None, 0, 1):
            raise ValueError(f"latitude_axis: got {self.latitude_axis}, wanted 0, 1 or null")
        if isinstance(self.batch_size, int) and self.batch_size < 1:
            raise ValueError(f"batch_size: got {self.batch_size}, wanted a positive number, or null")


ConfigStore.instance().store(name="forecast_schema", node=Forecast)


@hydra.main(version_base="1.3", config_path="pkg://configs", config_name="forecast")
def main(cfg: DictConfig) -> None:
    # JAX is imported below, so that `--help` answers at once.
    from .errors import friendly_errors

    with friendly_errors():
        if OmegaConf.is_missing(cfg, "run"):
            raise ValueError("run: got nothing, wanted a run directory such as run=outputs/<id>")
        settings = OmegaConf.to_object(cfg)
        assert isinstance(settings, Forecast)
        print(table(forecast(settings)))


def forecast(settings: Forecast) -> dict[str, Any]:
    """Roll the operator of a run out from true states, and measure it at every step; also in `<run>/evaluations/`.

    The operator's first predicted state is fed back to it. Beside it stands persistence: the start as the forecast. The
    climatology of the anomaly correlation is the mean of the training set over samples and times, at every point.

    Returns:
        `step` of the checkpoint, `times` ahead, and for every field the lists `acc`, `rmse`, `acc_persistence` and
        `rmse_persistence`, one number for every time.

    Raises:
        FileNotFoundError: where the folder holds no run or no checkpoint.
        ValueError: for a map that is not one from a state to the next ones on a plane, more steps than there are, or
            coordinates that may be latitudes or count from a pole.
    """
    from . import directory, distributed
    from .trained import load_run, read_settings

    folder = Path(settings.run).expanduser().resolve()
    run = read_settings(folder, settings.allow)
    with distributed.run_settings(run.compile_cache, run.trainer.matmul_precision):
        trained = load_run(folder, which=settings.which, allow=settings.allow)
        result = {"step": trained.step, **_measure(settings, run, trained)}
    (folder / "evaluations").mkdir(exist_ok=True)
    asked = {"steps": settings.steps, "start": settings.start, "latitude_axis": settings.latitude_axis}
    if settings.from_pole is not None:
        asked["from_pole"] = settings.from_pole
    name = f"forecast_{settings.split}_step{result['step']}_{content_key(asked)}.json"
    directory.write_json(folder / "evaluations" / name, result | asked)
    return result


def _measure(settings: Forecast, run: Run, trained) -> dict[str, Any]:
    import jax.numpy as jnp
    import numpy as np

    from data.sets import ensure_set
    from data.source import load

    from . import build
    from .skill import latitude_weights

    splits = build.build_splits(run)
    if settings.split not in splits:
        raise ValueError(f"split: got {settings.split!r}, wanted one of {sorted(splits)}")
    train, truth = (
        next(iter(ensure_set(*splits[s], run.data.get("root")).values())) for s in ("train", settings.split)
    )
    metadata, names, count = _states(run, truth)
    ahead = count - 1 - settings.start
    steps = ahead if settings.steps is None else settings.steps
    if not 1 <= steps <= ahead:
        raise ValueError(f"steps: got {steps} from state {settings.start} of {count}, wanted 1 to {ahead}")

    def states(path: Path, times: range) -> np.ndarray:  # [sample, *space, field, time]
        u = load(path, {name: list(times) for name in names}, {names[0]: [0]}).x
        return u.reshape(*u.shape[:-1], len(names), len(times))

    true = states(truth, range(settings.start, settings.start + steps + 1))
    climate = np.mean([states(train, range(t, t + 1)).mean(axis=0, dtype=np.float64)[..., 0] for t in range(count)], 0)
    weights = jnp.ones(metadata.shape)
    if settings.latitude_axis is not None:
        axis = settings.latitude_axis
        rows = jnp.asarray(latitude_weights(metadata.box.coordinates[axis], settings.from_pole), weights.dtype)
        weights = weights * rows.reshape([-1 if a == axis else 1 for a in range(2)])

    size = settings.batch_size or run.trainer.eval_batch_size or run.data["batch_size"]
    follow = _follower(trained, climate, weights)
    parts = [follow(_filled(true[first : first + size], size)) for first in range(0, len(true), size)]
    # [score, step, field], the repeated samples of the last batch left out.
    means = np.concatenate(parts, axis=-1)[..., : len(true)].mean(-1, dtype=np.float64)
    scores = ("acc", "rmse", "acc_persistence", "rmse_persistence")
    found = {name: {score: means[j, :, i].tolist() for j, score in enumerate(scores)} for i, name in enumerate(names)}
    times = metadata.fields[names[0]].times
    lead = [times[settings.start + n] - times[settings.start] for n in range(1, steps + 1)]
    return {"times": lead, "fields": found}


def _filled(u, size: int):
    """A batch of full size: a short one, whose last sample is repeated, would compile a second program."""
    import numpy as np

    return np.concatenate([u, np.repeat(u[-1:], size - len(u), axis=0)])


def _follower(trained, climate, weights):
    """True states [sample, *space, field, time] -> scores [score, step, field, sample] of forecast and persistence."""
    import jax
    import jax.numpy as jnp
    import numpy as np

    from .skill import anomaly_correlation, rmse

    fields = climate.shape[-1]
    # The states after the first, where the operator makes several, are not looked at.
    ahead_of_state = trained.targets.mean.shape[-1] // fields

    @jax.jit
    def step(u):
        return trained(u)[..., ::ahead_of_state]

    @jax.jit
    def scores(u, v):
        pairs = [(u[..., i], v[..., i], jnp.asarray(climate[..., i], u.dtype)) for i in range(fields)]
        acc = [anomaly_correlation(guess, truth, mean, weights) for guess, truth, mean in pairs]
        errors = [rmse(guess, truth, weights) for guess, truth, _ in pairs]
        return jnp.stack([jnp.stack(acc), jnp.stack(errors)])

    def follow(true):
        rows = []
        first = u = jnp.asarray(true[..., 0])
        for n in range(1, true.shape[-1]):
            u, v = step(u), jnp.asarray(true[..., n])
            rows.append(np.concatenate([scores(u, v), scores(first, v)]))
        return np.stack(rows, axis=1)

    return follow


def _states(run: Run, path: Path):
    """The header of the true trajectories, the fields of a state, and the number of states."""
    from data.schema import read_metadata

    metadata = read_metadata(path)
    inputs, targets = run.data.get("inputs") or metadata.inputs, run.data.get("targets") or metadata.targets
    names = list(inputs)
    given, predicted = metadata.channels(inputs), metadata.channels(targets)
    # An application is scored against the next state: its first target has to be that one.
    now, follow = given[0][1], range(1, len(predicted) // len(names) + 1)
    state = [(name, now) for name in names]
    later = [(name, now + n) for name in names for n in follow]
    if list(given) != state or list(predicted) != later or len(metadata.shape) != 2:
        raise ValueError(
            f"run: got a map from {dict(inputs)} to {dict(targets)} on {len(metadata.shape)} axes, wanted one from a "
            "state of some fields in a plane to the states that follow it, such as {height: [0]} to {height: [1, 2]}; "
            "train with such data.inputs and data.targets"
        )
    return metadata, names, min(len(metadata.fields[name].times) for name in names)


def table(result: dict[str, Any]) -> str:
    """Anomaly correlation and error of every field at every time, beside those of persistence, in Markdown."""
    names = list(result["fields"])
    columns = [f"{name} {score}" for name in names for score in ("ACC", "(persistence)", "RMSE", "(persistence)")]
    lines = [f"| time | {' | '.join(columns)} |", "|---" * (len(columns) + 1) + "|"]
    keys = ("acc", "acc_persistence", "rmse", "rmse_persistence")
    for n, time in enumerate(result["times"]):
        cells = [f"{result['fields'][name][key][n]:.4g}" for name in names for key in keys]
        lines.append(f"| {time:g} | {' | '.join(cells)} |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
