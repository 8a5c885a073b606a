"""Importing must not create an array: a pod's processes join before JAX starts a backend."""

import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

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


@pytest.mark.parametrize("asked", [["--help"], ["--cfg", "job"]], ids=" ".join)
@pytest.mark.parametrize(
    ("door", "said"),
    [
        (["train.py"], "operators.TFNO"),
        (["-m", "data.generate"], "pdes.generators"),
        (["-m", "training.evaluate"], "resolution"),
        (["-m", "training.convert"], "weights"),
    ],
    ids=["train", "generate", "evaluate", "convert"],
)
def test_a_door_answers_without_jax(door, said, asked):
    """The goal is a second of processor time, which a loaded machine stretches little; twice that for slow machines."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    line = [sys.executable, "-X", "importtime", *door, *asked]
    done = subprocess.run(line, cwd=ROOT, capture_output=True, text=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert done.returncode == 0, done.stderr
    assert said in done.stdout
    imported = {row.rsplit("|", 1)[-1].strip().split(".")[0] for row in done.stderr.splitlines() if "|" in row}
    assert "hydra" in imported
    assert not imported & {"jax", "jaxlib", "flax", "optax", "orbax", "matplotlib", "wandb"}
    assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < 2
