"""FourCastNet's recipe on a tiny globe: single steps, fine-tuning on two, forecasts with their scores."""

import json
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hydra import compose, initialize_config_module

from data.source import load
from training.check import check_components
from training.config import Run, parse, register
from training.forecast import Forecast, _states, forecast, table
from training.run import _fresh, run
from training.sharding import make_mesh
from training.skill import anomaly_correlation, latitude_weights, rmse
from training.step import TrainState
from training.trained import load_run, read_settings, restore_weights


def composed(place, name: str, *more: str):
    overrides = [
        "operator=afno_forecast", "operator.step.embed_dim=8", "operator.step.depth=1",
        "operator.step.num_blocks=2", "operator.step.patch_size=2", "+operator.step.final_norm=true",
        "pde=global_vorticity", "pde.shape=[8,12]", "pde.degree=5", "pde.peak=3.0", "pde.n_snapshots=4",
        "+pde.steps_per_day=8", "data=global_vorticity",
        "data.splits.train={samples: 8, seed: 0, resolutions: [[8, 12]]}",
        "data.splits.valid=null", "data.splits.test={samples: 3, seed: 2, resolutions: [[8, 12]]}",
        "data.inputs={vorticity: [0]}", "+data.windows=true", "data.normalize_inputs=field",
        "data.normalize_targets=field", "loss=l2", "data.batch_size=4", "trainer.epochs=2", "plots=false",
        "mesh.data=1",
        "logger.console_every_seconds=1e9", f"data.root={place / 'datasets'}", f"output={place}", f"run_id={name}",
    ]  # fmt: skip
    register()
    with initialize_config_module("configs", version_base="1.3"):
        return compose("train", overrides=[*overrides, *more])


def start(place, name: str, *more: str) -> None:
    run(composed(place, name, *more))


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    place = tmp_path_factory.mktemp("forecast")
    start(place, "one", "data.targets={vorticity: [1]}")
    return place


def states(place) -> np.ndarray:
    path = next(path for path in (place / "datasets").rglob("*.h5") if load(path).metadata.split == "test")
    return load(path, {"vorticity": [0, 1, 2, 3]}, {"vorticity": [0]}).x


def test_every_state_is_a_start(trained):
    result = json.loads((trained / "one" / "result.json").read_text())
    # 8 trajectories of 4 states are 24 pairs, 6 steps of 4 samples.
    assert result["steps"] == 2 * 6


def test_scores_of_a_forecast(trained):
    result = forecast(Forecast(run=str(trained / "one"), latitude_axis=0))
    found, true = result["fields"]["vorticity"], states(trained)
    assert result["times"] == [0.5, 1.0, 1.5] and len(found["acc"]) == 3
    model = load_run(trained / "one")
    second = jax.jit(lambda u: model(model(u)))(jnp.asarray(true[..., :1]))[..., 0]
    weights = jnp.asarray(
        np.repeat(latitude_weights((np.arange(8) + 0.5) * np.pi / 8)[:, None], 12, axis=1), jnp.float32
    )
    assert found["rmse"][1] == pytest.approx(float(rmse(second, true[..., 2], weights).mean()), rel=1e-4)
    stays = float(rmse(true[..., 0], true[..., 3], weights).mean())
    assert found["rmse_persistence"][2] == pytest.approx(stays, rel=1e-4)
    # The climate is the mean of the training set.
    train = next(p for p in (trained / "datasets").rglob("*.h5") if load(p).metadata.split == "train")
    climate = load(train, {"vorticity": [0, 1, 2, 3]}, {"vorticity": [0]}).x.mean((0, -1))
    acc = float(anomaly_correlation(second, true[..., 2], jnp.asarray(climate), weights).mean())
    assert found["acc"][1] == pytest.approx(acc, abs=1e-4)
    assert "| 1.5 |" in table(result)
    assert list((trained / "one" / "evaluations").glob("forecast_test_*.json"))


@pytest.mark.slow  # a whole run more
def test_fine_tuning_begins_where_the_first_run_ended(trained):
    two = ["data.targets={vorticity: [1, 2]}", "trainer.epochs=1", "optimizer.learning_rate=1e-9"]
    start(trained, "two", *two, f"start_from={trained / 'one'}")
    # Nothing was learnt at such a rate: it is the operator of the first run, in the same units.
    u = jnp.asarray(states(trained)[..., :1])
    first, second = load_run(trained / "one")(u), load_run(trained / "two")(u)
    assert second.shape[-1] == 2
    np.testing.assert_allclose(second[..., :1], first, atol=1e-4)
    # Of a run of two steps too, the first state is what is fed back.
    assert forecast(Forecast(run=str(trained / "two"), steps=2))["times"] == [0.5, 1.0]


def test_parameters_to_begin_with(trained):
    settings = Run(start_from=str(trained / "one"))
    of_run = restore_weights(read_settings(trained / "one", ()), trained / "one", "latest", make_mesh(1)).params
    zeros = jax.tree.map(jnp.zeros_like, of_run)
    state = TrainState(jnp.int32(0), zeros, "moments", zeros)
    found = _fresh(settings, lambda folder: None, lambda key: state, make_mesh(1), jax.random.key(0))
    for params in (found.params, found.ema):
        jax.tree.map(np.testing.assert_array_equal, params, of_run)
    assert found.opt_state == "moments"
    other = TrainState(jnp.int32(0), {"weight": jnp.zeros(3)}, None, None)
    with pytest.raises(ValueError, match=r"start_from: got .* take the operator of that run"):
        _fresh(settings, lambda folder: None, lambda key: other, make_mesh(1), jax.random.key(0))


def test_parameters_of_other_units_are_refused(trained, tmp_path):
    # The same fields and network, in numbers as they are stored.
    with pytest.raises(ValueError, match=r"start_from: got inputs of .* wanted those that one was .* train without"):
        start(tmp_path, "two", "data.targets={vorticity: [1]}", *units("null", "null"), f"start_from={trained / 'one'}")


def test_batches_of_any_size_have_the_same_scores(trained):
    once, twice = (forecast(Forecast(run=str(trained / "one"), batch_size=size))["fields"] for size in (3, 2))
    for score, values in once["vorticity"].items():
        # Of float32 programs of other shapes.
        assert twice["vorticity"][score] == pytest.approx(values, rel=1e-4, abs=1e-5)


@pytest.mark.parametrize("targets", [[2], [1, 3], [0, 1], [2, 1], [-1]])
def test_only_the_next_states_are_forecast(trained, targets):
    path = next((trained / "datasets").rglob("*.h5"))
    settings = Run(data={"inputs": {"vorticity": [0]}, "targets": {"vorticity": targets}})
    with pytest.raises(ValueError, match=r"run: got a map from .* wanted one from a state .* train with"):
        _states(settings, path)


def test_states_that_follow(trained):
    path = next((trained / "datasets").rglob("*.h5"))
    for inputs, targets in (([0], [1]), ([1], [2, 3]), ([-2], [-1])):
        settings = Run(data={"inputs": {"vorticity": inputs}, "targets": {"vorticity": targets}})
        assert _states(settings, path)[1:] == (["vorticity"], 4)


def test_what_cannot_be_forecast(trained):
    with pytest.raises(ValueError, match="steps: got 9 from state 0 of 4, wanted 1 to 3"):
        forecast(Forecast(run=str(trained / "one"), steps=9))
    with pytest.raises(ValueError, match="split: got 'other'"):
        forecast(Forecast(run=str(trained / "one"), split="other"))
    wrong: list[dict[str, Any]] = [{"steps": 0}, {"start": -1}, {"latitude_axis": 2}, {"batch_size": 0}]
    for settings in wrong:
        with pytest.raises(ValueError, match=f"{next(iter(settings))}: got"):
            Forecast(run="x", **settings)


def units(inputs: str, targets: str) -> list[str]:
    return [f"data.normalize_inputs={inputs}", f"data.normalize_targets={targets}"]


@pytest.mark.parametrize("modes", [("channel", "channel"), ("pixel", "pixel"), ("field", "null"), ("null", "field")])
@pytest.mark.parametrize(
    "frames",
    [
        ["data.targets={vorticity: [1, 2]}"],
        ["data.inputs={vorticity: [0, 1]}", "data.targets={vorticity: [2]}", "operator.fields=1"],
        ["data.targets={vorticity: [1]}", "operator.order=1"],
    ],
)
def test_frames_in_other_units_do_not_continue_each_other(tmp_path, frames, modes):
    settings, _ = parse(composed(tmp_path, "x", *frames, *units(*modes)))
    with pytest.raises(ValueError, match=f"got {modes[0]}, {modes[1]} for a map .* wanted field or null for both"):
        check_components(settings)


def test_states_of_an_interpolation_have_one_unit(tmp_path):
    cfg = composed(tmp_path, "x", "data.inputs={vorticity: [0, 2]}", *units("channel", "field"))
    with initialize_config_module("configs", version_base="1.3"):
        cfg.operator = compose("train", ["operator=interpolation", "pde=global_vorticity"]).operator
    cfg.operator.network.update(grid=[8, 12], embed_dim=8, depth=1)
    settings, _ = parse(cfg)
    with pytest.raises(ValueError, match="got channel, field for a map from 2 to 3 frames of order 1, wanted field"):
        check_components(settings)


def test_frames_in_one_unit(tmp_path):
    for frames, modes in (
        ("{vorticity: [1]}", ("channel", "channel")),  # a single step
        ("{vorticity: [1, 2]}", ("field", "field")),
        ("{vorticity: [1, 2]}", ("null", "null")),
    ):
        check_components(parse(composed(tmp_path, "x", f"data.targets={frames}", *units(*modes)))[0])
