import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hydra import compose, initialize_config_module

from data import generate

ROOT = Path(__file__).resolve().parents[2]


def door(*arguments, cwd, program=("-m", "data.generate")):
    environment = os.environ | {"PYTHONPATH": str(ROOT), "XLA_FLAGS": os.environ["QUICK_XLA_FLAGS"]}
    command = [sys.executable, *program, *arguments]
    return subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, timeout=200, check=False)


def test_makes_and_finds(tmp_path):
    changes = ("data.splits.train.samples=5", "data.splits.test.resolutions=[[16,16]]")
    arguments = ("pde=synthetic", f"data.root={tmp_path / 'sets'}", *changes)
    first = door(*arguments, cwd=tmp_path)
    assert first.returncode == 0, first.stderr
    paths = [Path(line) for line in first.stdout.splitlines()]
    assert len(paths) == 3 and all(path.exists() for path in paths)
    assert "heat/train 16x16: 5/5 samples" in first.stderr and "samples/s" in first.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["sets"]  # no log folder is left behind
    second = door(*arguments, cwd=tmp_path)
    assert second.stdout == first.stdout and second.stderr == ""


def test_help_and_config_do_not_start_jax(tmp_path):
    code = (
        "import sys, runpy; sys.argv = ['generate', 'pde=synthetic', sys.argv[1]]\n"
        "import atexit; atexit.register(lambda: print('jax' in sys.modules, 'h5py' in sys.modules))\n"
        "runpy.run_module('data.generate', run_name='__main__')"
    )
    for flag in ("--help", "--cfg=job"):
        said = door(flag, cwd=tmp_path, program=("-c", code))
        assert said.returncode == 0 and "HeatFlow" in said.stdout, said.stderr
        assert said.stdout.splitlines()[-1] == "False False"


def test_errors_are_one_line(tmp_path):
    refused = door("pde=synthetic", "pde._target_=os.system", cwd=tmp_path)
    assert refused.returncode == 1 and "Traceback" not in refused.stderr
    assert refused.stderr.startswith("error: pde._target_: got 'os.system', wanted")


def test_what_a_solver_refuses_is_one_line_too(tmp_path, monkeypatch):
    """The missing package is known only when the first sample is made."""
    overrides = ("pde=inpainting", "data.splits.train.resolutions=[[64,64]]")
    none = ("data.splits.valid=null", "data.splits.test=null")
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *more: None if name == "skimage" else find(name, *more)
    )
    with initialize_config_module("configs", version_base="1.3"):
        config = compose("generate", overrides=[*overrides, *none, f"data.root={tmp_path}"])
    with pytest.raises(SystemExit) as stopped:
        generate.main.__wrapped__(config)
    assert str(stopped.value).startswith("error: data.pictures needs the pictures") and "\n" not in str(stopped.value)
