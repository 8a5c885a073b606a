"""Whole runs on instant data: results, resume after a kill, devices, processes, sweeps, bad input."""

import json
import re
import shutil
import signal
import socket
import subprocess
import sys
import time

import jax.numpy as jnp
import numpy as np
import pytest
from run_testing import command, final_digests, losses, overrides, rows, train

from train import main
from training.directory import held
from training.errors import RunError
from training.loop import NonFiniteLoss, portions
from training.restore import CheckpointMismatchError

# What compiles soon, for runs of which the network is not the matter.
SOON = (
    "operator.n_layers=1",
    "+operator.use_channel_mlp=false",
    "loss=l2",
    "trainer.epochs=2",
    "data.splits.test=null",
)


@pytest.fixture(scope="module")
def finished(place):
    """A run in this process, on the eight virtual devices."""
    score = train(place, "run_id=finished", "plots=true")
    return place / "outputs" / "finished", score


def test_a_run_leaves_its_record(finished):
    directory, score = finished
    result = json.loads((directory / "result.json").read_text())
    wanted = {
        "test/rel_l2", "test/rel_h1", "test_32x32/rel_l2", "test_32x32/rel_h1", "num_params", "seconds_total",
        "seconds_per_step", "samples_per_second", "git_revision", "versions",
    }  # fmt: skip
    assert wanted <= set(result)
    assert score == result["valid/rel_l2"] < 1.0
    for name in ("config.yaml", "metrics.jsonl", "report.html", "checkpoints", "plots/curves.png"):
        assert (directory / name).exists(), name
    assert losses(directory)[-1] < 0.9 * losses(directory)[0]


def test_the_same_command_again_changes_nothing(place, finished, monkeypatch):
    """Pictures aside: that they are drawn over those that are there is a test of theirs."""
    directory, _ = finished
    monkeypatch.setattr("training.run._draw", lambda *_: None)
    before = rows(directory)
    train(place, "run_id=finished", "plots=true")
    assert rows(directory) == before
    result = json.loads((directory / "result.json").read_text())
    assert result["seconds_per_step"] > 0, "the timings of the run that trained are kept"


def test_another_config_in_the_same_directory(place, finished):
    with pytest.raises(ValueError, match=r"(?s)run_id: got finished.*-  epochs: 4.*\+  epochs: 5"):
        train(place, "run_id=finished", "plots=true", "trainer.epochs=5")


def test_two_runs_in_one_directory(place, finished):
    directory, _ = finished
    before = rows(directory)
    with held(directory), pytest.raises(RunError, match="run_id: got finished, which is training in another process"):
        train(place, "run_id=finished", "plots=true")
    assert rows(directory) == before


def test_one_device_equals_eight(place, finished):
    """Another order of sums: round-off of float32, grown by 16 steps of Adam."""
    train(place, "run_id=one", "mesh.data=1")
    np.testing.assert_allclose(losses(place / "outputs" / "one"), losses(finished[0]), rtol=2e-4)


@pytest.mark.parametrize("kills", [1, pytest.param(3, marks=pytest.mark.slow)])
def test_killed_and_resumed_is_bitwise_the_same(place, kills):
    """kill -9 at whatever moment; then the same command to its end."""
    options = (*SOON, "trainer.epochs=8", "mesh.data=1", "checkpoint.every_epochs=1")
    train(place, f"run_id=whole_{kills}", *options)
    whole, directory = (place / "outputs" / f"{name}_{kills}" for name in ("whole", "cut"))
    rng = np.random.default_rng(0)
    for _ in range(kills):
        seen = len(rows(directory)) if (directory / "metrics.jsonl").exists() else 0
        process = subprocess.Popen(**command(place, f"run_id={directory.name}", *options))
        deadline = time.monotonic() + 100
        # Past its first rows of this life, at a moment that falls now and then into a save.
        while process.poll() is None and time.monotonic() < deadline:
            if (directory / "metrics.jsonl").exists() and len(rows(directory)) > seen + 3:
                time.sleep(rng.uniform(0, 0.1))
                break
            time.sleep(0.002)
        process.send_signal(signal.SIGKILL)
        process.communicate()
        assert process.returncode == -signal.SIGKILL, "it ended before it could be killed"
    train(place, f"run_id={directory.name}", *options)
    assert rows(directory) == rows(whole)
    assert final_digests(directory) == final_digests(whole)


def test_two_processes_equal_one(place):
    """Two processes on loopback, one device each: one log, one checkpoint, the losses of a single process."""
    with socket.socket() as probe:
        probe.bind(("localhost", 0))
        port = probe.getsockname()[1]
    cluster = ["run_id=two", "distributed.mode=on", f"distributed.coordinator=localhost:{port}"]
    cluster += ["distributed.num_processes=2", *SOON]
    pair = [subprocess.Popen(**command(place, *cluster, f"distributed.process_id={i}")) for i in range(2)]
    outputs = [process.communicate(timeout=200) for process in pair]
    for process, (_, error) in zip(pair, outputs, strict=True):
        assert process.returncode == 0, error
    directory = place / "outputs" / "two"
    train(place, "run_id=single", "mesh.data=1", *SOON)
    np.testing.assert_allclose(losses(directory), losses(place / "outputs" / "single"), rtol=2e-4)
    steps = [row["step"] for row in rows(directory) if row["split"] == "train"]
    assert steps == sorted(set(steps)), "more than one process wrote the log"
    assert "rel_l2" in outputs[0][0] and "rel_l2" not in outputs[1][0], "only process 0 reports"
    assert final_digests(directory)


def test_a_sweep_keeps_its_jobs_apart(place, monkeypatch):
    """The door itself, in this process: Hydra runs the jobs of a sweep in one."""
    options = (*SOON, "trainer.epochs=1")
    monkeypatch.setattr(sys, "argv", ["train.py", "-m", *overrides(place, "seed=0,1", *options)])
    main()
    made = sorted(p.name for p in (place / "outputs").glob("run-*"))
    assert len(made) == 2
    first, second = (json.loads((place / "outputs" / name / "result.json").read_text()) for name in made)
    assert first["valid/rel_l2"] != second["valid/rel_l2"]
    # Alone, the second gives the same numbers: nothing leaked from the job before it.
    alone = train(place, "seed=1", "run_id=alone", *options)
    assert alone in (first["valid/rel_l2"], second["valid/rel_l2"])


def test_a_diverging_run_stops_and_keeps_its_checkpoint(place, monkeypatch):
    """From the second epoch on the learning rate is not a number; the first epoch's checkpoint stays."""
    from training import optim
    from training.restore import saved_steps

    whole = optim.cosine

    def cosine(peak: float, total_steps: int):
        return lambda step: jnp.where(step < total_steps // 4, whole(peak, total_steps)(step), jnp.nan)

    cosine.__module__ = "training.optim"
    monkeypatch.setattr(optim, "cosine", cosine)
    with pytest.raises(NonFiniteLoss, match=r"param_norm at step \d+: got (nan|inf), wanted a finite number"):
        train(place, "run_id=huge", *SOON, "trainer.epochs=4", "checkpoint.every_epochs=1")
    assert saved_steps(place / "outputs" / "huge" / "checkpoints") == [4]


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        ("operator.n_modes=[64,64]", r"n_modes: got \(64, 64\) on a grid of shape \(16, 16\)"),
        ("operator.n_modes=[4]", r"operator: got 1 space axes, wanted 2"),
        ("+operator.hiden_channels=3", r"hiden_channels"),
        ("+loss.ordr=1", r"ordr"),
        ("operator._target_=os.system", r"got 'os.system', wanted a class or function"),
        ("data.batch_size=12", r"batch_size: got 12 for 8 devices"),
        ("data.batch_size=64", r"batch_size: got 64"),
        ("data.normalize_inputs=chanel", r"data.normalize_inputs: got 'chanel'"),
        ("mesh.data=9", r"mesh.data: got 9"),
        ("data.normalize_inputs=pixel", r"data.normalize_inputs: got pixel for sets of shapes"),
        ("objective=valid/rel_l3", r"objective: got 'valid/rel_l3', wanted one of"),
        ("checkpoint.every_epochs=0", r"checkpoint.every_epochs: got 0"),
    ],
)
def test_bad_input_is_refused_before_anything_is_trained(place, bad, message):
    with pytest.raises(ValueError, match=message):
        train(place, "run_id=" + re.sub(r"\W", "_", bad), bad)


def test_checkpoint_of_another_model(place, finished):
    """The folder's config was edited to match: the arrays still do not."""
    directory = place / "outputs" / "stranger"
    shutil.copytree(finished[0] / "checkpoints", directory / "checkpoints")
    with pytest.raises(CheckpointMismatchError, match=r"(?s)another model.*conv/bias: saved \(8,\), wanted \(12,\)"):
        train(place, "run_id=stranger", "operator.hidden_channels=12")


def test_portions_do_not_depend_on_where_a_run_begins():
    whole = list(portions(0, 50, 10, 4))
    assert [count for _, count in whole] == [4, 4, 2] * 5
    for start in {first for first, _ in whole}:
        assert list(portions(start, 50, 10, 4)) == [p for p in whole if p[0] >= start]
