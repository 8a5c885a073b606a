"""Whole runs with every kind of loader and step, runs that are stopped, and runs that meet bad files or a full disk."""

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import h5py
import numpy as np
import pytest
from run_testing import command, final_digests, losses, overrides, rows, train

from train import main
from training.jsonl import JsonLines
from training.restore import read_record, saved_steps

# Two steps an epoch and one per dispatch: a run can stop inside an epoch. No test sets: scores are tested elsewhere.
# The rest is what compiles soon.
SMALL = (
    "operator=fno",
    "operator.n_modes=[4,4]",
    "operator.n_layers=1",
    "+operator.use_channel_mlp=false",
    "loss=l2",
    "mesh.data=2",
    "trainer.epochs=3",
    "trainer.steps_per_dispatch=1",
    "checkpoint.every_epochs=1",
    "data.batch_size=16",
    "data.splits.test=null",
)
EMA = (*SMALL, "trainer.ema_decay=0.5")


@pytest.fixture(scope="module")
def averaged(place) -> Path:
    """Data in memory, a moving average, never interrupted."""
    train(place, "run_id=averaged", *EMA)
    return place / "outputs" / "averaged"


@pytest.fixture(scope="module")
def streamed(place) -> Path:
    """Data read while training, no moving average."""
    train(place, "run_id=streamed", "data.loader=stream", *SMALL)
    return place / "outputs" / "streamed"


def door(place: Path, monkeypatch, *more: str) -> str:
    """What `python train.py` ends with where it fails; the program itself, in this process."""
    monkeypatch.setattr(sys, "argv", ["train.py", *overrides(place, *more)])
    with pytest.raises(SystemExit) as ended:
        main()
    return str(ended.value)


def contents(directory: Path) -> dict[str, str]:
    """Checksums of all files below a folder."""
    files = sorted(path for path in directory.rglob("*") if path.is_file())
    return {str(path): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def result(directory: Path) -> dict:
    """The numbers that do not depend on the clock or on how often a run was started."""
    found = json.loads((directory / "result.json").read_text())
    return {name: value for name, value in found.items() if "/" in name or name in ("steps", "num_params")}


def scores(directory: Path) -> list[float]:
    return [row["metrics"]["rel_l2"] for row in rows(directory) if row["split"] == "valid"]


def test_streamed_data_give_the_same_losses(averaged, streamed):
    """The same batches in the same order, through another program: round-off of float32."""
    np.testing.assert_allclose(losses(streamed), losses(averaged), rtol=1e-5)


def test_accumulated_gradients_equal_those_of_the_whole_batch(place, averaged):
    """Two micro-batches of four samples per device: another order of sums."""
    train(place, "run_id=accumulated", "trainer.accumulate=2", *EMA)
    np.testing.assert_allclose(losses(place / "outputs" / "accumulated"), losses(averaged), rtol=1e-5)


def test_the_moving_average_is_what_is_evaluated(averaged, streamed):
    """It lags behind the parameters, which train as they do without it."""
    assert min(abs(np.subtract(scores(averaged), scores(streamed)))) > 1e-4
    assert result(averaged)["valid/rel_l2"] == scores(averaged)[-1]
    digests = final_digests(averaged)
    assert all(digests[name] != digests[name.replace("ema", "params", 1)] for name in digests if name.startswith("ema"))


def test_terminated_and_resumed_is_bitwise_the_same(place, averaged):
    """SIGTERM as soon as the data are there: it ends well after its first step, and the same command goes on."""
    directory = place / "outputs" / "stopped"
    process = subprocess.Popen(**command(place, "run_id=stopped", *EMA, devices=8))
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith("operators."):
            break
    process.send_signal(signal.SIGTERM)
    output, error = process.communicate(timeout=100)
    assert process.returncode == 0, error
    assert "stopped by a signal at step 1, saved" in output
    assert saved_steps(directory / "checkpoints") == [1]
    assert not (directory / "result.json").exists()
    train(place, "run_id=stopped", *EMA)
    assert rows(directory) == rows(averaged)
    assert final_digests(directory) == final_digests(averaged)
    assert result(directory) == result(averaged)


def test_fresh_samples_go_on_where_a_run_stopped(place, streamed):
    """A run that loses its last checkpoints makes the same samples again; they are not those of another order."""
    options = ("data.loader=online", "checkpoint.keep_latest=3", *SMALL)
    train(place, "run_id=online", *options)
    directory = place / "outputs" / "online"
    whole, digests = rows(directory), final_digests(directory)
    assert losses(directory)[0] != losses(streamed)[0]
    steps = saved_steps(directory / "checkpoints")
    assert len(steps) == 3
    for step in steps[1:]:
        for path in (directory / "checkpoints").glob(f"*{step}*"):
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    assert saved_steps(directory / "checkpoints") == steps[:1]
    train(place, "run_id=online", *options)
    assert rows(directory) == whole and final_digests(directory) == digests


@contextmanager
def damaged(place: Path, damage) -> Iterator[Path]:
    """The training file with something done to it, for a while."""
    (path,) = (place / "datasets").glob("heat/train_*.h5")
    good = path.read_bytes()
    damage(path)
    try:
        yield path
    finally:
        path.write_bytes(good)


def not_a_number(path: Path) -> None:
    with h5py.File(path, "r+") as file:
        file["fields/temperature"][5, 0, 3, 3] = np.nan


def foreign(path: Path) -> None:
    with h5py.File(path, "w") as file:
        file["a"] = np.zeros((4, 8, 8))


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (not_a_number, "a number that is not finite in field 'temperature', sample 5, time index 0"),
        (foreign, "an HDF5 file of another layout"),
    ],
)
def test_a_bad_data_file_is_named_and_nothing_is_overwritten(place, averaged, monkeypatch, damage, message):
    before = contents(averaged)
    with damaged(place, damage) as path:
        data = contents(path.parent)
        ended = door(place, monkeypatch, "run_id=averaged", *EMA)
        assert ended.startswith(f"error: {path}: got ") and message in ended
        assert contents(path.parent) == data
    assert contents(averaged) == before


def test_a_bad_number_in_streamed_data_is_named(place, streamed, monkeypatch):
    """It is met while training, in a reading thread."""
    with damaged(place, not_a_number) as path:
        ended = door(place, monkeypatch, "run_id=bad_stream", "data.loader=stream", *SMALL)
    assert f"{path}: got a number that is not finite in field 'temperature', sample 5" in ended


def fill_disk_at_row(monkeypatch, step: int) -> None:
    """From the row of this step on the log lies on a full device: the kernel refuses what is written to it."""
    whole = JsonLines.log

    def log(self, at: int, *more) -> None:
        if at == step and self._file is not None:
            with open("/dev/full", "w") as full:
                os.dup2(full.fileno(), self._file.fileno())
        whole(self, at, *more)

    monkeypatch.setattr(JsonLines, "log", log)


def fill_disk_for_file(monkeypatch, name: str) -> None:
    """Files of this name lie on a full device."""
    whole = Path.open

    def open_(self, *more, **options):
        return whole(Path("/dev/full") if self.name.startswith(name) else self, *more, **options)

    monkeypatch.setattr(Path, "open", open_)


def test_a_full_disk_loses_nothing(place, averaged, monkeypatch):
    """Before the first step, while a row is written, and when the result is: the same command goes on, and finishes."""
    directory = place / "outputs" / "full"
    with monkeypatch.context() as patch:
        fill_disk_for_file(patch, "normalizers.npz")
        ended = door(place, patch, "run_id=full", *EMA)
    assert ended.startswith(f"error: cannot write {directory / 'normalizers.npz'}: No space left on device")

    with monkeypatch.context() as patch:
        fill_disk_at_row(patch, 3)
        ended = door(place, patch, "run_id=full", *EMA)
    assert ended.startswith(f"error: cannot append to {directory / 'metrics.jsonl'}: No space left on device")
    assert saved_steps(directory / "checkpoints") == [2]
    kept = read_record(directory / "checkpoints", 2)

    with monkeypatch.context() as patch:
        fill_disk_for_file(patch, "result.json")
        ended = door(place, patch, "run_id=full", *EMA)
    assert ended.startswith(f"error: cannot write {directory / 'result.json'}: No space left on device")
    assert not (directory / "result.json").exists()
    assert read_record(directory / "checkpoints", 4)["leaves"] != kept["leaves"]
    assert final_digests(directory) == final_digests(averaged)

    train(place, "run_id=full", *EMA)
    assert rows(directory) == rows(averaged)
    assert result(directory) == result(averaged)
    assert final_digests(directory) == final_digests(averaged)
