"""`python -m data.convert`: what it prints, and how quickly it answers."""

import contextlib
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from foreign_files import apebench, numbers, pdearena

from data import conversion
from data.convert import main
from data.schema import read_metadata
from data.source import load

ROOT = Path(__file__).resolve().parents[2]


def test_help_starts_neither_jax_nor_hdf5(tmp_path):
    code = (
        "import sys, atexit, runpy; sys.argv = ['convert', '--help']\n"
        "atexit.register(lambda: print(sorted({'jax', 'h5py', 'numpy', 'scipy'} & set(sys.modules))))\n"
        "runpy.run_module('data.convert', run_name='__main__')"
    )
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    said = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert said.returncode == 0 and "the_well" in said.stdout and "--stride" in said.stdout, said.stderr
    assert said.stdout.splitlines()[-1] == "[]"


def test_says_what_it_found_and_wrote(tmp_path, capsys):
    made, target = pdearena(tmp_path), tmp_path / "new" / "smoke.h5"
    options = ["--range", "1:5", "--samples", "3", "--times", "0,2", "--stride", "2,3", "--fields", "smoke,buoyancy"]
    main(["pdearena", str(made.paths[0]), *options, "--option", "extent=[1,2]", "--output", str(target)])
    said = capsys.readouterr().out
    for part in (
        "buoyant_smoke, 3 samples of 1 file",
        "4x2 points (cell), sides (1, 2)",
        "2 times, 18 to 74",
        str(target),
    ):
        assert part in said
    samples = load(target)
    np.testing.assert_array_equal(samples.y[..., 0], made.fields["smoke"][1:4, 2, ::2, ::3])
    assert read_metadata(target).extent == (1.0, 2.0) and samples.inputs == {"buoyancy": [0], "smoke": [0]}


def test_without_a_name_the_file_is_found_by_its_content(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("SPECTRAL_DATA", str(tmp_path / "data"))
    (path,) = apebench(tmp_path).paths
    command = ["apebench", str(path), "--option", "extent=[1,1,1]", "--option", "equation=burgers"]
    main(command)
    first = capsys.readouterr().out.splitlines()[-1]
    main(command)
    assert first.startswith("wrote ") and capsys.readouterr().out.splitlines()[-1] == first.replace("wrote", "found")
    assert "apebench/burgers_" in first


@pytest.mark.parametrize(
    ("command", "message"),
    [
        (["apebnch", "u.npy"], "error: source: got 'apebnch', wanted one of"),
        (["apebench", "none.npy"], "none.npy: got nothing there, wanted a file"),
        (["apebench", "u.npy"], "does not say how large its box is"),
        (["apebench", "u.npy", "--option", "extent"], "error: --option: got 'extent', wanted NAME=VALUE"),
        (["apebench", "u.npy", "--option", "extent=[1]", "--times", "3:"], "got times 3::"),
        (
            ["apebench", "u.npy", "--option", "extent=[1]", "--times", "1:0"],
            "got times 1:0: in the selection, wanted some",
        ),
        (
            ["apebench", "u.npy", "--times", "a,b"],
            "error: --times: got 'a,b', wanted indices such as 0:50:10 or 0,10,20",
        ),
        (["apebench", "u.npy", "--stride", "x"], "error: --stride: got 'x', wanted whole numbers, such as 2, or 2,4"),
        (["apebench", "u.npy", "--samples", "x"], "error: --samples: got 'x', wanted a whole number"),
        (["apebench", "u.npy", "--range", "-1:3"], "error: range: got (-1, 3), wanted two rising whole numbers"),
        (
            ["apebench", "u.npy", "--option", "extent=[1]", "--output", "/proc/no/u.h5"],
            "in another folder with --output",
        ),
    ],
)
def test_errors_are_one_line(tmp_path, monkeypatch, command, message):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SPECTRAL_DATA", str(tmp_path / "data"))
    np.save("u.npy", numbers(2, 3, 1, 8))
    with pytest.raises(SystemExit) as stopped:
        main(command)
    assert message in str(stopped.value) and "\n" not in str(stopped.value)
    assert not (tmp_path / "data").exists()


def test_a_file_that_is_named_is_never_written_over(tmp_path, monkeypatch, capsys):
    """Also where it has come while another process held the folder."""
    made, target = apebench(tmp_path), tmp_path / "new" / "set.h5"
    command = ["apebench", str(made.paths[0]), "--option", "extent=[1,1,1]", "--output", str(target)]

    @contextlib.contextmanager
    def waited(folder):
        assert folder == target.parent
        target.write_bytes(b"of another process")
        yield

    monkeypatch.setattr(conversion, "exclusive", waited)
    with pytest.raises(SystemExit, match="which is there already, wanted a new file"):
        main(command)
    assert target.read_bytes() == b"of another process"
