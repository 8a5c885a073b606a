"""The door that measures a trained run: the same numbers, other grids, bad input, and nothing executed."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import jax
import numpy as np
import pytest
from hydra import compose, initialize_config_module
from omegaconf import OmegaConf

from data.source import load
from training.config import register
from training.errors import RunError
from training.evaluate import Evaluation, evaluate
from training.run import run
from training.trained import load_run

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A run of two epochs on one device."""
    place = tmp_path_factory.mktemp("evaluate")
    overrides = [
        "pde=synthetic", "data=synthetic", "operator.n_modes=[6,6]", "operator.hidden_channels=8",
        "operator.n_layers=2", "trainer.epochs=2", "optimizer.learning_rate=1e-2", "mesh.data=1", "plots=false",
        f"data.root={place / 'datasets'}", f"output={place}", "run_id=trained", "logger.console_every_seconds=1e9",
    ]  # fmt: skip
    register()
    with initialize_config_module("configs", version_base="1.3"):
        run(compose("train", overrides=overrides))
    return place / "trained"


def measure(folder: Path, **settings) -> dict:
    return evaluate(Evaluation(run=str(folder), devices=settings.pop("devices", 1), **settings))


def recorded(folder: Path) -> dict:
    return json.loads((folder / "result.json").read_text())


def changed(folder: Path, to: Path, **changes) -> Path:
    """A copy of a run with another config; the data stay where they are."""
    shutil.copytree(folder, to)
    config = OmegaConf.load(folder / "config.yaml")
    for key, value in changes.items():
        OmegaConf.update(config, key, value, merge=False)
    OmegaConf.save(config, to / "config.yaml")
    return to


def test_the_latest_checkpoint_gives_the_numbers_of_the_run(trained):
    found = measure(trained)
    result = recorded(trained)
    wanted = {name: value for name, value in result.items() if name.startswith("test")}
    assert len(wanted) > 2
    # The same program on the same device: the same bits.
    assert found == {"step": result["steps"], **wanted}
    written = trained / "evaluations" / f"test+test_32x32_step{result['steps']}.json"
    assert json.loads(written.read_text()) == found


def test_the_mesh_is_that_of_this_host(trained):
    """The run had one device; eight here sum in another order: round-off of float32."""
    everywhere, alone = (measure(trained, split="valid", devices=n) for n in (-1, 1))
    assert everywhere == pytest.approx(alone, rel=1e-5)
    with pytest.raises(ValueError, match=r"devices: got 9, wanted 1 to 8"):
        measure(trained, devices=9)


def test_the_best_checkpoint(trained):
    config = OmegaConf.load(trained / "config.yaml")
    assert config.checkpoint.best_metric == "valid/rel_l2"
    best = measure(trained, which="best", split="valid")
    rows = [json.loads(line) for line in (trained / "metrics.jsonl").read_text().splitlines()]
    scores = {row["step"]: row["metrics"]["rel_l2"] for row in rows if row["split"] == "valid"}
    assert scores[best["step"]] == min(scores.values()) == pytest.approx(best["valid/rel_l2"], rel=1e-6)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("config.yaml", "seed: [", "config.yaml cannot be read"),
        ("config.yaml", "", "got nothing in .*config.yaml"),
        ("normalizers.npz", "nonsense", "normalizers.npz is missing or damaged"),
        ("normalizers.npz", None, "normalizers.npz is missing or damaged"),
    ],
)
def test_damaged_files_of_a_run(trained, tmp_path, name, content, message):
    folder = changed(trained, tmp_path / "damaged")
    (folder / name).unlink() if content is None else (folder / name).write_text(content)
    with pytest.raises(RunError, match=message):
        measure(folder)


def test_another_resolution(trained):
    one, two = measure(trained, resolution=24), measure(trained, resolution=[24, 24])
    assert one == two
    assert {name.split("/")[0] for name in one} == {"step", "test_24x24"}
    assert (trained / "evaluations" / f"test_24x24_step{one['step']}.json").is_file()
    # Band-limited data and an operator that acts on functions: close to the errors of the training grid, which
    # differ by the aliases of the pointwise activation.
    assert one["test_24x24/rel_l2"] == pytest.approx(recorded(trained)["test/rel_l2"], rel=0.3)


def test_a_resolution_above_the_solver_grid(trained):
    with pytest.raises(ValueError, match=r"resolution: got \[40, 40\].*\[32, 32\].*\+generator\.shape=\[40,40\]"):
        measure(trained, resolution=40)
    found = measure(trained, resolution=40, generator={"shape": [40, 40]})
    (written,) = (trained / "evaluations").glob("test_40x40_*.json")
    assert json.loads(written.read_text())["generator"] == {"shape": [40, 40]}
    assert found["test_40x40/rel_l2"] == pytest.approx(recorded(trained)["test_32x32/rel_l2"], rel=0.3)


def test_only_the_sets_that_are_measured_are_made(trained, tmp_path):
    (tmp_path / "datasets").mkdir()
    folder = changed(trained, tmp_path / "moved", **{"data.root": str(tmp_path / "datasets")})
    measure(folder)
    made = sorted(path.name.split("_")[0] for path in (tmp_path / "datasets").rglob("*.h5"))
    assert made == ["test", "test"]


def test_a_run_from_another_machine(trained, tmp_path, monkeypatch):
    """Its folder of data is not here: the sets come to this machine's."""
    monkeypatch.setenv("SPECTRAL_DATA", str(tmp_path / "here"))
    folder = changed(trained, tmp_path / "moved", **{"data.root": str(tmp_path / "there")})
    assert measure(folder) == measure(trained)
    assert list((tmp_path / "here").rglob("test_*.h5")) and not (tmp_path / "there").exists()


def test_a_run_without_test_sets(trained, tmp_path):
    splits = OmegaConf.load(trained / "config.yaml").data.splits
    splits["test"] = None  # how a config leaves out a set
    folder = changed(trained, tmp_path / "run", **{"data.splits": splits})
    with pytest.raises(ValueError, match=r"got data without a test split \(\['train', 'valid'\]\).*split=valid"):
        measure(folder)


def test_a_run_cannot_allow_itself_anything(trained, tmp_path, monkeypatch):
    """A prefix in the folder's config is ignored: nothing of that package is even imported."""
    (tmp_path / "stranger.py").write_text("import pathlib; pathlib.Path(__file__).with_name('executed').touch()\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    target = {"operator._target_": "stranger.Operator", "allow": ["stranger."]}
    folder = changed(trained, tmp_path / "run", **target)
    with pytest.raises(ValueError, match=r"got 'stranger.Operator', wanted a class or function"):
        measure(folder)
    assert not (tmp_path / "executed").exists()
    # The command itself may allow it.
    with pytest.raises(ValueError, match=r"'stranger' has no 'Operator'"):
        measure(folder, allow=["stranger."])
    assert (tmp_path / "executed").exists()


def test_a_folder_that_cannot_be_written(trained, tmp_path):
    folder = changed(trained, tmp_path / "run")
    shutil.rmtree(folder / "evaluations", ignore_errors=True)
    (folder / "evaluations").write_text("a file where the folder would be")
    with pytest.warns(UserWarning, match="the numbers are not kept"):
        assert measure(folder, split="valid")["valid/rel_l2"] > 0


def test_folders_without_a_trained_run(trained, tmp_path):
    with pytest.raises(FileNotFoundError, match=r"run: no config.yaml in .*, wanted a run directory"):
        measure(tmp_path)
    folder = changed(trained, tmp_path / "run")
    shutil.rmtree(folder / "checkpoints")
    with pytest.raises(FileNotFoundError, match=r"run: no checkpoint in .*, wanted a run that has trained"):
        measure(folder)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"split": "exam"}, r"split: got 'exam', wanted one of \['test', 'train', 'valid'\]"),
        ({"resolution": "fine"}, r"resolution: got fine, wanted one number of points"),
        ({"resolution": 24.5}, r"resolution: got 24.5"),
        ({"resolution": [24, 24, 24]}, r"resolution: got \[24, 24, 24\]"),
        ({"resolution": 0}, r"resolution: got 0"),
        ({"which": "newest"}, r"which: got 'newest', wanted latest or best"),
        ({"batch_size": 0}, r"batch_size: got 0"),
        ({"estimate_order": -1.0}, r"estimate_order: got -1.0 without estimates, wanted null; estimate=true"),
        ({"estimate_order": 0.0}, r"estimate_order: got 0.0 without estimates"),
        ({"estimate_samples": 32}, r"estimate_samples: got 32 without estimates, wanted null; estimate=true"),
        ({"estimate": True, "estimate_order": float("nan")}, r"estimate_order: got nan, wanted a finite number"),
        ({"estimate": True, "estimate_samples": 0}, r"estimate_samples: got 0"),
        ({"generator": {"shap": [64, 64]}}, r"(?s)shap"),
    ],
)
def test_bad_input(trained, settings, message):
    with pytest.raises(ValueError, match=message):
        measure(trained, **settings)


def test_the_command_ends_with_one_line(tmp_path):
    """`--help` without JAX is a matter of tests/repository."""
    line = [sys.executable, "-m", "training.evaluate", f"run={tmp_path}", "resolution=40", "+generator.shape=[40,40]"]
    done = subprocess.run(line, cwd=ROOT, env=os.environ | {"HYDRA_FULL_ERROR": "0"}, capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stderr.startswith("error: run: no config.yaml in") and "Traceback" not in done.stderr


def test_a_trained_operator_in_a_notebook(trained):
    """Physical fields in and out: the errors of its predictions are those of the run, to float32 round-off."""
    operator = load_run(trained)
    file = next((trained.parent / "datasets").rglob("test_16x16*.h5"))
    samples = load(file)
    prediction = np.asarray(jax.jit(lambda u: operator(u))(samples.x))
    error = np.linalg.norm((prediction - samples.y).reshape(len(prediction), -1), axis=1)
    size = np.linalg.norm(samples.y.reshape(len(prediction), -1), axis=1)
    result = json.loads((trained / "result.json").read_text())
    np.testing.assert_allclose(np.mean(error / size), result["test/rel_l2"], rtol=1e-5)
    assert operator.step == result["steps"]
    assert jax.eval_shape(lambda u: operator(u, (16, 12)), samples.x[0]).shape == (16, 12, 1)
    with pytest.raises(ValueError, match="which: got 'first'"):
        load_run(trained, which="first")
    with pytest.raises(FileNotFoundError, match=r"no config.yaml"):
        load_run(file.parent)
    with pytest.raises(ValueError, match=r"allow: got 'mypackage.', wanted a list of prefixes; write \['mypackage.'\]"):
        load_run(trained, allow="mypackage.")
