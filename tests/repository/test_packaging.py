"""The wheel holds what a user imports and the yaml files that the doors compose."""

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
TOP_LEVEL = {"spectral", "operators", "pdes", "data", "training", "configs", "train.py"}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> list[str]:
    folder = tmp_path_factory.mktemp("wheel")
    # Built from a copy of the tracked files, so that nothing is written into the tree.
    source = folder / "source"
    files = subprocess.run(["git", "-C", str(ROOT), "ls-files"], capture_output=True, text=True, check=True).stdout
    for line in files.splitlines():
        if (ROOT / line).is_file():
            (source / line).parent.mkdir(parents=True, exist_ok=True)
            (source / line).write_bytes((ROOT / line).read_bytes())
    command = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "--no-build-isolation", "-w", str(folder)]
    done = subprocess.run([*command, str(source)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return zipfile.ZipFile(next(folder.glob("*.whl"))).namelist()


def test_top_level_names(wheel):
    names = {entry.split("/")[0] for entry in wheel}
    assert {n for n in names if not n.endswith(".dist-info")} == TOP_LEVEL


def test_every_config_is_shipped(wheel):
    yaml = {p.relative_to(ROOT).as_posix() for p in (ROOT / "configs").rglob("*.yaml")}
    assert yaml and yaml <= set(wheel)
