"""Predictions of every kind of operator, briefly trained, refined by `train.py ... refine=...`; what the estimates are
worth on a space-time operator's own predictions."""

import functools
import json

import jax
import numpy as np
import pytest
from hydra import compose, initialize_config_module

from data.source import load
from operators.refiner import LBFGS, Differences, Refiner, Stopping
from training.config import register
from training.run import run
from training.trained import load_run
from training.trajectory import trajectory_of

# An odd grid: all its modes are those of the equation.
FLOW = (
    "pde=ns_decaying", "data=ns_decaying", "pde.shape=[50,50]", "pde.viscosity=5e-3", "data.normalize_inputs=field",
    "data.normalize_targets=field", "data.splits.train={samples:32,seed:0,resolutions:[[33,33]]}",
    "data.splits.valid=null", "data.splits.test={samples:4,seed:2,resolutions:[[33,33]]}",
    "optimizer.learning_rate=3e-3", "optimizer.weight_decay=0.0", "mesh.data=1", "logger.console_every_seconds=1e9",
)  # fmt: skip
OPERATORS = {
    "fno": ("operator=fno", "operator.n_modes=[15,15]", "operator.hidden_channels=16"),
    "tfno": ("operator=tfno", "operator.n_modes=[15,15]", "operator.hidden_channels=16"),
    "fno rollout": (
        "operator=t1_rollout", "operator.step._target_=operators.FNO", "operator.step.n_modes=[15,15]",
        "operator.step.n_layers=2", "operator.step.hidden_channels=8",
    ),
    "t1": ("operator=t1", "operator.n_modes=[15,15]", "operator.basis=fourier", "operator.residual_scale=0.5"),
    "afno": ("operator=afno", "operator.patch_size=3", "operator.embed_dim=32", "operator.depth=2"),
    "stfno": (
        "operator=stfno", "operator.n_modes=[31,31,9]", "operator.hidden_channels=8",
        "operator.positional_embedding=null",
    ),
}  # fmt: skip


def trained(place, name: str, *more: str):
    register()
    where = f"run_id={name.replace(' ', '_')}", f"data.root={place / 'datasets'}", f"output={place}"
    with initialize_config_module("configs", version_base="1.3"):
        run(compose("train", overrides=[*FLOW, *OPERATORS[name], *where, *more]))
    return place / name.replace(" ", "_")


@pytest.mark.slow
@pytest.mark.parametrize("name", OPERATORS)
def test_predictions_of_any_operator(place, name):
    """Whatever its error, 200 steps of Adam leave a twentieth of it, and Newton the solver's own."""
    folder = trained(place, name, "trainer.epochs=4", "refine=shooting", "refine.samples=2", "refine.solver_steps=[1]")
    found = json.loads((folder / "result.json").read_text())
    before, after = (found[f"test_{who}/rel_l2"] for who in ("predicted", "refined"))
    print(name, before, after, found["test_predicted/estimate"], found["test_refined/estimate"])
    assert after < before / 20 and found["test_refined/estimate"] < found["test_predicted/estimate"] / 20
    assert (folder / "plots" / "refined_test.png").stat().st_size > 20_000


@pytest.mark.slow
def test_the_estimate_follows_the_error_of_a_networks_predictions(place):
    """Correlation of the logarithms of both along the way of L-BFGS, until the differences measure themselves; the
    estimate never rises."""
    folder = trained(place, "stfno", "trainer.epochs=15", "run_id=longer")
    model, samples = load_run(folder.parent / "longer"), load(next((place / "datasets").rglob("test_*.h5")))
    flow = trajectory_of(samples, what="the test")
    prediction = np.asarray(jax.jit(lambda u: model(u))(samples.x))

    @functools.cache
    def refined(steps: int):
        refiner = Refiner(Differences(flow.equation, flow.interval), LBFGS(steps), Stopping(patience=0))
        return refiner(prediction, samples.x)

    course = np.asarray(refined(30).history)
    assert (np.diff(course, axis=1) <= 1e-6).all()
    steps = (0, 3, 8, 15, 30)
    wrong = [np.linalg.norm(refined(n).trajectory - samples.y, axis=(1, 2)) for n in steps]
    size = np.linalg.norm(samples.y.reshape(len(samples), -1), axis=1)
    errors = np.stack([np.linalg.norm(w, axis=-1) / size for w in wrong])
    estimates = np.stack([np.asarray(refined(n).after) for n in steps])
    found = [np.corrcoef(np.log(e), np.log(eta))[0, 1] for e, eta in zip(errors.T, estimates.T, strict=True)]
    print("errors", errors.mean(1), "estimates", estimates.mean(1), "correlations", found)
    assert min(found) >= 0.95
