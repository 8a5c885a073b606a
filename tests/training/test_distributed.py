"""Two real processes of one run, on loopback: what fails on one ends both."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from training.distributed import together

ROOT = Path(__file__).resolve().parents[2]
FLAGS = {
    "XLA_FLAGS": os.environ["QUICK_XLA_FLAGS"],
    "JAX_PLATFORMS": "cpu",
    "PYTHONPATH": str(ROOT),
    "HYDRA_FULL_ERROR": "0",
}


def pair(make_line):
    """Return code and standard error of both processes."""
    with socket.socket() as free:
        free.bind(("localhost", 0))
        port = free.getsockname()[1]
    processes = [
        subprocess.Popen(
            [sys.executable, *make_line(port, i)], cwd=ROOT, env=os.environ | FLAGS, stderr=subprocess.PIPE, text=True
        )
        for i in range(2)
    ]
    try:
        said = [process.communicate(timeout=100)[1] for process in processes]
    finally:
        for process in processes:
            process.kill()
    return [(process.returncode, text) for process, text in zip(processes, said, strict=True)]


def test_alone():
    assert together(lambda: 3) == 3
    with pytest.raises(OSError, match="mine"):
        together(lambda: (_ for _ in ()).throw(OSError("mine")))


WORKER = """
import sys, jax
port, process = sys.argv[1:]
jax.distributed.initialize(f"localhost:{port}", 2, int(process))
from training.distributed import together
from training.errors import RunError

def act(bad):
    if int(process) == bad:
        raise OSError(f"disk of {process} is full: \u00fc")
    return process

assert together(lambda: act(None)) == process
for bad in (0, 1):
    try:
        together(lambda: act(bad))
    except OSError as error:
        assert int(process) == bad and str(error).startswith("disk"), error
    except RunError as error:
        assert int(process) != bad, error
        assert f"process {bad} failed" in str(error) and f"OSError: disk of {bad} is full: \u00fc" in str(error), error
    else:
        raise AssertionError("went on")
"""


def test_an_error_is_everybodys():
    said = pair(lambda port, i: ["-c", WORKER, str(port), str(i)])
    assert [code for code, _ in said] == [0, 0], said


def test_an_unwritable_output_folder_ends_every_process(tmp_path):
    """Only process 0 writes there; the other must not wait for it."""
    (tmp_path / "file").write_text("in the way")
    settings = ["pde=synthetic", "data=synthetic", "operator.n_modes=[6,6]", f"output={tmp_path / 'file'}"]
    cluster = ["distributed.mode=on", "distributed.num_processes=2"]

    def line(port, i):
        own = [f"distributed.coordinator=localhost:{port}", f"distributed.process_id={i}"]
        return ["train.py", *settings, *cluster, *own]

    first, second = pair(line)
    assert first[0] == second[0] == 1
    assert "error: output: cannot write to" in first[1]
    assert "error: process 0 failed, so this one stops too: OSError: output: cannot write to" in second[1]
