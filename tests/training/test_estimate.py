"""`training.evaluate estimate=true` and `refine=...`: what the equation says of predictions, what that is worth, what
it makes of them."""

import dataclasses
import json
import re
from types import SimpleNamespace
from typing import cast

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hydra import compose, initialize_config_module
from jaxtyping import config
from omegaconf import OmegaConf

from data.source import load
from operators.refiner import Differences, Newton, Refiner, Shooting, Stopping
from pdes.equations import KuramotoSivashinsky, NavierStokes
from pdes.steppers import etdrk4, imex_cn, rollout
from spectral.grid import Grid
from training.config import register
from training.estimate import calibration, estimate_of, interval
from training.evaluate import Evaluation, evaluate
from training.refinement import Refinement, _floor, serial
from training.run import run


def trained(place, *more: str):
    overrides = [
        "operator.hidden_channels=8", "operator.n_layers=1", "trainer.epochs=1", "optimizer.learning_rate=1e-2",
        "mesh.data=1", "plots=false", f"data.root={place / 'datasets'}", f"output={place}", "run_id=trained",
        "logger.console_every_seconds=1e9", *more,
    ]  # fmt: skip
    register()
    with initialize_config_module("configs", version_base="1.3"):
        run(compose("train", overrides=overrides))
    return place / "trained"


@pytest.fixture(scope="module")
def chaos(tmp_path_factory):
    """An operator of the Kuramoto-Sivashinsky equation that has hardly learnt."""
    return trained(
        tmp_path_factory.mktemp("estimate"),
        "operator=fno", "pde=kuramoto_sivashinsky",
        "data=kuramoto_sivashinsky", "pde.shape=[48]", "pde.length=22.0", "pde.warmup=5.0",
        "operator.n_modes=[12]", "data.splits.train.samples=16", "data.splits.valid.samples=20",
        "data.splits.test={samples:12,seed:2,resolutions:[[32]],generator:null}",
        "data.splits.train.resolutions=[[32]]", "data.splits.valid.resolutions=[[32]]",
        "refine=shooting", "refine.samples=3", "refine.solver_steps=[2]", "+refine.floor_steps=2",
        "+refine.solver={_target_:pdes.steppers.cn_rk2,_partial_:true}",
    )  # fmt: skip


def measure(folder, **settings) -> dict:
    return evaluate(Evaluation(run=str(folder), devices=1, estimate=True, **settings))


def test_an_evaluation_with_estimates(chaos):
    found = measure(chaos)
    recorded = json.loads((chaos / "result.json").read_text())
    assert found["test/rel_l2"] == pytest.approx(recorded["test/rel_l2"], rel=1e-5)
    assert 0 < found["test/estimate_low"] < found["test/estimate_high"] < np.inf and found["test/estimate"] > 0
    outside = found["test/estimate_outside"]
    assert found["test/estimate_coverage"] == pytest.approx(1 - len(outside) / 12)
    # 20 samples fit an interval for 90 %, of 12 it misses at most some.
    assert found["test/estimate_coverage"] >= 0.6
    assert -1 <= found["test/estimate_correlation"] <= 1
    (written,) = (chaos / "evaluations").glob("test_step*.json")
    assert json.loads(written.read_text()) == found | {"estimate": True, "estimate_order": 0.0}


def test_the_interval_is_that_of_the_run_whatever_it_is_tested_on(chaos):
    """On a longer line, whose result does not stand under the name of the run's own."""
    other, name = measure(chaos, split="valid", generator={"length": 30.0, "low": -2}), "valid_length=30.0_low=-2"
    own = measure(chaos, split="valid")
    for factor in ("estimate_low", "estimate_high"):
        assert other[f"{name}/{factor}"] == own[f"valid/{factor}"]
    # 20 samples lie in their own interval.
    assert own["valid/estimate_coverage"] == 1 and other[f"{name}/estimate"] != own["valid/estimate"]
    assert not any(key.startswith("valid/") for key in other)


def test_the_estimate_tells_good_predictions_from_bad_ones(chaos):
    """Truth, and truth with errors from 0.1 % to 100 %: the estimates are in the same order, and proportional to small
    errors. The truth's own is that of differences over 0.5 and of the modes above the stored grid."""
    samples = load(next((chaos.parent / "datasets").rglob("test_*.h5")))
    estimate = estimate_of(samples)
    rng = np.random.default_rng(0)
    # One pattern that grows in time: independent errors at every time would be easy to tell.
    pattern = rng.standard_normal((12, 32, 1)) * np.linspace(0.1, 1, 10)
    pattern *= np.linalg.norm(samples.y) / np.linalg.norm(pattern)
    of = {
        level: np.asarray(estimate(samples.x, (samples.y + level * pattern).astype(np.float32)))
        for level in (0, 0.03, 0.3, 1)
    }
    print({level: v.mean() for level, v in of.items()})
    assert (of[0] < 0.1 * of[0.3]).all() and (of[0.03] < of[0.3]).all() and (of[0.3] < of[1]).all()


def test_the_estimate_ranks_the_errors_of_lively_and_quiet_samples(chaos):
    """Every prediction misses a tenth of what happens, of which there is three times more in some samples than in
    others: relative to persistence, all would have the same estimate."""
    samples = load(next((chaos.parent / "datasets").rglob("test_*.h5")))
    equation = KuramotoSivashinsky(Grid((32,), (22.0,)))
    wave = 2 * np.pi * equation.grid.points[0] / 22

    def fields(size):
        start = equation.to_spectral(size * jnp.asarray(np.cos(wave) + np.sin(2 * wave)))
        return jax.vmap(equation.to_physical)(rollout(etdrk4(equation, 0.05), start, 11, 10)).T

    found = np.asarray(jax.jit(jax.vmap(fields))(jnp.geomspace(0.3, 6, 12)))
    x, y = found[..., :1], found[..., 1:]
    predictions = y - 0.1 * (y - x)
    errors = np.linalg.norm(predictions - y, axis=(1, 2)) / np.linalg.norm(y, axis=(1, 2))
    estimates = np.asarray(estimate_of(samples)(x, predictions))
    correlation = calibration(errors, estimates, (0.0, np.inf))["estimate_correlation"]
    print("errors", errors, "estimates", estimates, correlation)
    assert errors.max() > 3 * errors.min() and correlation > 0.8


def test_a_conformal_interval_covers_what_it_says():
    """Exchangeable samples, mean over 400 draws: at least 90 %, and not everything."""
    rng = np.random.default_rng(0)
    shares = []
    for _ in range(400):
        estimates = rng.lognormal(size=200)
        errors = estimates * rng.lognormal(sigma=0.5, size=200)
        factors = interval(errors[:40], estimates[:40])
        shares.append(calibration(errors[40:], estimates[40:], factors)["estimate_coverage"])
    # The mean is (39 - 2) / 41 and more: 0.902 with a standard error of 0.003.
    assert 0.895 < np.mean(shares) < 0.92
    found = calibration(np.array([1.0, 5.0]), np.array([1.0, 1.0]), (0.5, 2.0))
    assert (
        found["estimate_outside"] == [1] and found["estimate_coverage"] == 0.5 and found["estimate_correlation"] is None
    )
    with pytest.raises(ValueError, match="estimate: got 18 validation samples, wanted at least 19"):
        interval(np.ones(18), np.ones(18))


def test_data_without_an_equation(chaos):
    samples = load(next((chaos.parent / "datasets").rglob("test_*.h5")))

    def of(generator: dict):
        return dataclasses.replace(samples, metadata=dataclasses.replace(samples.metadata, generator=generator))

    with pytest.raises(ValueError, match=r"estimate: got a file of .* that names no generator, wanted a trajectory"):
        estimate_of(of({}))
    with pytest.raises(ValueError, match=r"estimate: got data of 'darcy', which names no flow on a periodic box"):
        estimate_of(of({"_target_": "pdes.generators.DarcyFlow"}))
    with pytest.raises(ValueError, match=r"estimate: got a map from \['u'\] to \['u'\] of states \['velocity'\]"):
        burgers = {"equation": "Burgers", "coefficients": {"viscosity": 0.1}}
        estimate_of(of({"_target_": "pdes.generators.RandomStart", **burgers}))


def test_maps_that_are_no_trajectory(chaos):
    path = next((chaos.parent / "datasets").rglob("test_*.h5"))
    with pytest.raises(ValueError, match=r"estimate: got snapshots at 5, 10, wanted a trajectory"):
        estimate_of(load(path, {"u": (0,)}, {"u": (10,)}))
    with pytest.raises(ValueError, match=r"estimate: got snapshots at 5, 5.5, 7"):
        estimate_of(load(path, {"u": (0,)}, {"u": (1, 4)}))


def test_a_run_that_refines_its_predictions(chaos):
    """Beside the prediction of the same samples and a solver from the same inputs; then by another optimiser."""
    recorded = json.loads((chaos / "result.json").read_text())
    before, after = (recorded[f"test_{who}/rel_l2"] for who in ("predicted", "refined"))
    assert after < before / 20 and recorded["test_refined/estimate"] < recorded["test_predicted/estimate"] / 20
    assert recorded["test_cn_rk2_2/rel_l2"] < after and recorded["test_cn_rk2_2/seconds"] > 0
    # At the estimate of that solution there is no need to go on, so those that come there end.
    assert 0.01 < recorded["test_refined/floor"] < 0.02 and recorded["test_refined/ended_floor_reached"] > 0.5
    assert recorded["test_refined/steps"] < 199
    register()
    overrides = [f"run={chaos}", "refine=newton", "refine.samples=3", "refine.optimizer.steps=6"]
    with initialize_config_module("configs", version_base="1.3"):
        cfg = compose("evaluate", overrides=overrides)
    settings = OmegaConf.to_object(cfg)
    assert isinstance(settings, Evaluation)
    settings.devices = 1
    found = evaluate(settings)
    assert found["test_predicted/rel_l2"] == pytest.approx(before, rel=1e-5)
    # Newton ends at the solution of its solver, even from here, but for the highest mode, which de-aliasing drops.
    assert found["test_refined/rel_l2"] < 1e-3 and found["test_refined/estimate"] < 1e-5
    assert len(list((chaos / "evaluations").glob("test_step*.json"))) == 2
    assert sum(v for name, v in found.items() if name.startswith("test_refined/ended_")) == pytest.approx(1)
    assert found["test_refined/seconds"] > found["test_predicted/seconds"]
    assert "test_refined/floor" not in found


def test_a_refinement_that_cannot_be_is_refused_before_anything_is_measured(chaos, monkeypatch):
    def measured(*_, **__):
        raise AssertionError("measured before the refinement was looked at")

    monkeypatch.setattr("training.evaluator.Evaluator.__init__", measured)
    register()
    for overrides, message in (
        (["refine=output_layer"], "output_layer: got modes for FNO"),
        (["refine=newton", "+refine.output_layer=[31,9]"], "with optimizer Newton, wanted Adam or LBFGS"),
    ):
        with initialize_config_module("configs", version_base="1.3"):
            cfg = compose("evaluate", overrides=[f"run={chaos}", *overrides])
        settings = OmegaConf.to_object(cfg)
        assert isinstance(settings, Evaluation)
        settings.devices = 1
        with pytest.raises(ValueError, match=message):
            evaluate(settings)


def test_a_refined_field_is_the_serial_one_of_its_solver(x64):
    """Whatever the network says of a mean that vorticity keeps, and of the highest frequency, which no state has."""
    equation = NavierStokes(Grid((24, 24), (2 * np.pi,)), 1e-2)
    x, y = np.meshgrid(*[2 * np.pi * np.arange(16) / 16] * 2, indexing="ij")
    highest, drift = (-1.0) ** np.arange(16)[:, None] * np.cos(y), 0.01 * np.arange(8)
    flow = np.sin(x) * np.cos(2 * y) + 0.5 * np.cos(x - y) + 0.1 * highest
    fields = (flow[..., None] * (1 - drift) + 0.3 + drift)[None]
    history, prediction = fields[..., :4], fields[..., 4:] + 0.2
    refiner = Refiner(Shooting(equation, 0.1, imex_cn, 1), Newton(4), Stopping(patience=0))
    solved = serial(imex_cn, 1, refiner, prediction.shape[1:])(jnp.asarray(history))
    np.testing.assert_allclose(refiner(prediction, history).trajectory, solved, atol=1e-12)
    np.testing.assert_allclose(np.mean(solved, axis=(0, 1, 2)), np.mean(history[..., -1]), atol=1e-12)


@pytest.mark.parametrize(
    ("name", "value"),
    [(name, value) for name in ("floor_steps", "samples") for value in (0, -1, 2.5, True, "abc", [2])]
    + [("solver_steps", value) for value in ((), (0, 1), (1.5,), (True, 2), (2, 1), (1, 1), ("1",), "12", 2, None)]
    + [("solver", "cn_rk4")],
)
def test_a_refinement_of_other_numbers_is_refused_by_name(monkeypatch, name, value):
    monkeypatch.setattr(config, "jaxtyping_disable", True)  # as users have it
    with pytest.raises(ValueError, match=rf"^{name}: got {re.escape(repr(value))}, wanted .*; such as"):
        Refinement(Differences, **{name: value})


def test_a_floor_beside_another():
    with pytest.raises(ValueError, match=r"floor_steps: got 2 and stopping.floor 0.1, wanted one floor"):
        Refinement(Differences, stopping=Stopping(floor=0.1), floor_steps=2)


@pytest.mark.parametrize(
    ("estimates", "floor"),
    [
        ([0.3, 0.2, 0.5], 0.2), ([np.nan, 0.3, 0.4], 0), ([0.3, np.nan, 0.4], 0), ([0.3, 0.4, np.nan], 0),
        ([0.3, np.inf, 0.4], 0), ([1.5, 1.0, 2.0], 0), ([1.5, 0.9, 2.0], 0.9),
    ],
)  # fmt: skip
def test_an_unstable_solution_leaves_no_floor_wherever_it_stands(monkeypatch, estimates, floor):
    """In portions of two samples and one, whose serial solutions have these estimates."""
    monkeypatch.setattr(config, "jaxtyping_disable", True)
    monkeypatch.setattr("training.refinement.serial", lambda *_: lambda x: x)
    refiner = SimpleNamespace(estimate_one=lambda solved, _: solved)
    parts = [np.asarray(estimates[:2]), np.asarray(estimates[2:])]
    found = _floor(Refinement(Differences, floor_steps=2), cast(Refiner, refiner), parts, (8, 1))
    assert found == pytest.approx(floor)


def test_the_samples_that_are_refined_are_spread_over_the_set():
    rows = Refinement(Differences, samples=4).rows
    assert rows(32).tolist() == [0, 8, 16, 24] and rows(10).tolist() == [0, 2, 5, 7]
    assert rows(3).tolist() == Refinement(Differences).rows(3).tolist() == [0, 1, 2]
