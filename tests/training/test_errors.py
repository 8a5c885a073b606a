"""Which errors end a door with their message alone."""

import sys

import jax.numpy as jnp
import numpy as np
import pytest
from omegaconf import OmegaConf

from data.generation import ensure
from data.order import check_batches
from data.splits import SplitSpec
from data.stream import StreamLoader, _Steps
from data.synthetic import HeatFlow
from training.checkpoint import CheckpointWriteError
from training.errors import friendly_errors
from training.loop import NonFiniteLoss
from training.sharding import make_mesh


def fail(error):
    raise error


@pytest.fixture(autouse=True)
def short(monkeypatch):
    monkeypatch.delenv("HYDRA_FULL_ERROR", raising=False)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: make_mesh(99), "mesh.data: got 99, wanted 1 to 8"),
        (lambda: check_batches(4, 5), "got 5 for 4 samples"),
        (lambda: fail(NonFiniteLoss("loss at step 3: got nan")), "loss at step 3"),
        (lambda: fail(CheckpointWriteError("the folder")), "the folder"),
        (lambda: fail(OSError(28, "No space left on device")), "No space left"),
        (lambda: OmegaConf.to_container(OmegaConf.create({"a": "${b}"}), resolve=True), "Interpolation key 'b'"),
    ],
)
def test_expected(call, message):
    with pytest.raises(SystemExit, match=f"error: .*{message}"), friendly_errors():
        call()


def test_a_missing_package_says_what_to_install(tmp_path, monkeypatch):
    (path,) = ensure(HeatFlow((8, 8), num_modes=2), SplitSpec("train", 2, 0, ((8, 8),)), tmp_path).values()
    monkeypatch.setitem(sys.modules, "grain", None)
    with pytest.raises(SystemExit, match=r"got stream without the package grain.*pip install"), friendly_errors():
        StreamLoader(path, 2, 0)


@pytest.mark.parametrize(
    "call",
    [
        lambda: fail(RuntimeError("a mistake")),
        lambda: fail(ValueError("raised, but by another package")),
        lambda: np.zeros(3).reshape(2, 2),
        lambda: jnp.ones((2, 3)).reshape(4, 2),
        lambda: _Steps(0)["first"],  # our line, but int() raises
        lambda: __import__("no_such_package"),
        lambda: {}["key"],
    ],
)
def test_mistakes_keep_their_trace(call):
    with pytest.raises((RuntimeError, ValueError, TypeError, ImportError, KeyError)), friendly_errors():
        call()


def test_passed_on(monkeypatch):
    with pytest.raises(ValueError), friendly_errors(enabled=False):
        make_mesh(99)
    monkeypatch.setenv("HYDRA_FULL_ERROR", "1")
    with pytest.raises(ValueError), friendly_errors():
        make_mesh(99)
