"""The floors of the house: who may import whom, which library may be used where, how long a file may be."""

import ast
import functools
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FLOORS = {
    "spectral": {"spectral"},
    "operators": {"spectral", "operators"},
    "pdes": {"spectral", "pdes"},
    "data": {"spectral", "pdes", "data"},
    "training": {"spectral", "operators", "pdes", "data", "training"},
}
# Library -> the files that may import it ("*" stands for anything below).
ROOMS = {
    "wandb": ("training/",),
    "orbax": ("training/",),
    "h5py": ("data/",),
    "grain": ("data/",),
    # Doors, and where a config becomes objects.
    "hydra": (
        "benchmarks/",
        "training/config.py",
        "training/build.py",
        "training/convert.py",
        "training/evaluate.py",
        "training/forecast.py",
        "data/generate.py",
        "data/verify.py",
        "train.py",
    ),
    "torch": ("benchmarks/", "training/convert.py"),
    "neuralop": ("benchmarks/",),
    "exponax": ("benchmarks/",),
    "jax_cfd": ("benchmarks/",),
    "torch_cfd": ("benchmarks/",),
}
SOURCES = sorted(p for floor in FLOORS for p in (ROOT / floor).rglob("*.py"))
EVERYTHING = [*SOURCES, ROOT / "train.py", *sorted((ROOT / "benchmarks").rglob("*.py"))]


@functools.cache
def imports(path: Path) -> set[str]:
    """Top-level names of all absolute imports of a file, also those inside functions."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            found.add(node.module.split(".")[0])
    return found


def name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("path", SOURCES, ids=name)
def test_a_floor_imports_only_what_lies_below(path):
    floor = name(path).split("/")[0]
    ours = imports(path) & {*FLOORS, "configs", "train", "benchmarks", "tests"}
    assert ours <= FLOORS[floor], f"{name(path)} may not import {sorted(ours - FLOORS[floor])}"


@pytest.mark.parametrize("path", EVERYTHING, ids=name)
def test_libraries_stay_in_their_rooms(path):
    for library, rooms in ROOMS.items():
        if library in imports(path):
            assert name(path).startswith(rooms), f"{library} may only be imported in {rooms}"


@pytest.mark.parametrize("path", EVERYTHING, ids=name)
def test_no_file_is_long(path):
    lines = len(path.read_text().splitlines())
    assert lines <= 400, f"{name(path)} has {lines} lines; split it by purpose"


def test_only_the_transforms_call_an_fft():
    """One place decides how a transform is computed; elsewhere `jnp.fft` is a shortcut past the plan."""
    allowed = {name(p) for p in (ROOT / "spectral").rglob("*.py")}
    for path in SOURCES:
        tree = ast.parse(path.read_text())
        uses = {ast.unparse(n) for n in ast.walk(tree) if isinstance(n, ast.Attribute) and n.attr == "fft"}
        assert name(path) in allowed or not uses & {"jnp.fft", "jax.numpy.fft"}, f"{name(path)} uses {uses}"
