"""Importing must not create an array: a pod's processes join before JAX starts a backend."""

import os
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
MODULES = sorted(
    ".".join(p.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
    for floor in ("spectral", "operators", "pdes", "data", "training")
    for p in (ROOT / floor).rglob("*.py")
    if p.name != "__main__.py"
)


def python(code: str, **environment: str) -> subprocess.CompletedProcess:
    env = os.environ | {"PYTHONPATH": str(ROOT)} | environment
    return subprocess.run([sys.executable, "-c", code], env=env, cwd=ROOT, capture_output=True, text=True)


def test_every_module_imports_without_a_backend():
    """A platform that does not exist fails at the first array, so a passing import made none."""
    done = python(
        "import importlib\n" + "\n".join(f"importlib.import_module({m!r})" for m in MODULES),
        JAX_PLATFORMS="no_such_platform",
    )
    assert done.returncode == 0, done.stderr
    # The negative control: the same environment cannot make an array.
    assert python("import jax.numpy as jnp; jnp.zeros(1)", JAX_PLATFORMS="no_such_platform").returncode != 0


def test_doors_do_not_import_jax():
    """`--help` and Tab completion answer at once only where JAX waits for the task."""
    for door in ("train", "data.generate", "training.evaluate"):
        done = python(f"import sys, importlib; importlib.import_module({door!r}); assert 'jax' not in sys.modules")
        assert done.returncode == 0, f"{door}: {done.stderr}"


def test_help_is_quick():
    """The goal is a second; the bound leaves room for a loaded machine, where importing JAX would take longer."""
    begin = time.perf_counter()
    done = subprocess.run(
        [sys.executable, str(ROOT / "train.py"), "--cfg", "job"], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert "operators.TFNO" in done.stdout
    assert time.perf_counter() - begin < 10
