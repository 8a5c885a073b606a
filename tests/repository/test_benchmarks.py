"""Benchmarks measure what they say: the rows of the table of compression, and the compiled step."""

import dataclasses
import json
import math
import os
import sys
from functools import partial

import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from benchmarks import gp_scattered, high_dimension, interpolation, refiner, token_mixers, transform_once_accuracy
from benchmarks.compiled_step import compiled_step
from benchmarks.compression import DENSE, completed, count, rows
from benchmarks.token_mixers import MIXERS, cases, parameters, table
from benchmarks.transform_once_accuracy import ROWS, Study, least
from operators import FNO, STFNO
from operators.layers.afno_mixer import AFNOMixer
from spectral.plan import OVERRIDE, plan
from training.sharding import make_mesh
from training.trajectory import Trajectory


def test_rows_of_the_table_compress_as_they_say():
    table = rows()
    assert len({(row.group, row.label) for row in table}) == len(table)
    dense = count(DENSE)
    # The rank is the largest that will do: a sixth more compression would be a smaller one.
    row = next(row for row in table if row.group == "TFNO, CP, joint" and row.times == 150)
    assert row.times is not None
    assert row.times <= dense / count(completed(row, ())) < row.times * 7 / 6


def test_a_compiled_step_of_any_operator():
    def make() -> FNO:
        return FNO((4,), 1, 1, 4, n_layers=1, norm="batch_norm", rngs=nnx.Rngs(0))

    memory = compiled_step(make, (8,), 2, make_mesh(1)).memory_analysis()
    assert memory is not None and memory.argument_size_in_bytes > 0


@pytest.mark.parametrize(
    ("benchmark", "options", "message"),
    [
        (high_dimension, ["--dims", "10", "--directions", "20"], "--directions: got 20 of 10 dimensions"),
        (gp_scattered, ["--equation", "darcy", "--reaches", "2"], "--equation: got darcy beside --reaches"),
    ],
    ids=["high_dimension", "gp_scattered"],
)
def test_doors_refuse_what_they_would_ignore_or_fail_on(benchmark, options, message, capsys):
    with pytest.raises(SystemExit, match="2"):
        benchmark.main(options)
    assert message in capsys.readouterr().err


def test_interpolation_names_what_a_run_lacks(tmp_path, monkeypatch, capsys):
    with pytest.raises(SystemExit, match=r"^error: .*nothere"):
        interpolation.main([str(tmp_path / "nothere")])
    monkeypatch.setattr(interpolation, "read_settings", lambda run: None)
    monkeypatch.setattr(interpolation.build, "build_splits", lambda run: {"train": None, "valid": None})
    with pytest.raises(SystemExit, match="2"):
        interpolation.main(["run"])
    assert "run: got the sets train, valid, wanted one named test" in capsys.readouterr().err


def test_interpolation_errors_beside_the_straight_line():
    x, y = np.array([[0.0, 4.0, 8.0, 8.0]]), np.array([[1.5, 4.0, 8.0, 9.0]])
    rows = interpolation.table(x, y, y + 0.5, (0.25, 0.75)).splitlines()[2:]
    # The line has 1 and 8 at 0.25, where the truth is 1.5 and 8, and 3 and 8 at 0.75 (4 and 9).
    assert rows == ["| 0.25 | 0.5 | 0.3536 | 1.41 |", "| 0.75 | 0.5 | 1 | 0.50 |"]


def test_token_mixers_have_about_as_many_parameters():
    counts = {name: parameters(make) for name, (_, make) in MIXERS.items()}
    assert counts["AFNO, 1 block"] == counts["attention"] == 66_048
    assert max(counts.values()) < 1.02 * min(counts.values())
    assert parameters(cases(16)["global filter"][1]) == 2 * 128 * 16 * 9


def test_the_table_of_token_mixers(monkeypatch):
    monkeypatch.setattr(token_mixers, "cases", lambda side: {"AFNO": (8, partial(AFNOMixer, 8, num_blocks=2))})
    header, _, row = table((4, 8), rounds=1).splitlines()
    assert "time ~ N^" in header and row.startswith(f"| AFNO | 8 | {4 * 8**2 // 2 + 4 * 8} |")


def test_time_per_token_by_backend(monkeypatch):
    monkeypatch.setattr(token_mixers, "MIXERS", {"AFNO, 1 block": (8, partial(AFNOMixer, 8, num_blocks=1))})
    monkeypatch.setenv(OVERRIDE, "fft")
    rows = token_mixers.per_token((4,), rounds=1).splitlines()
    assert rows[0] == "| transforms | 1 x 16 tokens, us |"
    assert [row.split()[1] for row in rows[2:]] == ["fft", "matmul", "plan"]
    for backend, reason in (("matmul", OVERRIDE), (None, "fastest")):
        with token_mixers.transforms_by(backend):
            found = plan((8, 8), (2, 2))
            assert found.reason == reason and backend in (None, found.backend)
    assert os.environ[OVERRIDE] == "fft"


def test_learning_rates_are_searched_on_both_sides():
    asked = []

    def error(power: int) -> float:
        asked.append(power)
        return {3: math.inf}.get(power, abs(power - 2))  # a rate too high diverges

    assert least(error) == 2 and max(asked) == 3
    assert least(lambda power: abs(power + 1)) == -1
    assert least(abs) == 0


def test_a_row_that_came_later_is_timed_beside_the_first(tmp_path, monkeypatch):
    *early, late = [row.name for row in ROWS]
    (tmp_path / "steps.json").write_text(json.dumps({name: 2.0 + n for n, name in enumerate(early)}))
    monkeypatch.setattr(transform_once_accuracy, "maker", lambda row: None)
    monkeypatch.setattr(transform_once_accuracy, "make_step", lambda *_: None)
    # The machine is four times as fast now, or less busy.
    monkeypatch.setattr(transform_once_accuracy, "median_times", lambda steps, *_: dict.fromkeys(steps, 0.5))
    seconds = Study(tmp_path, 5, False).step_seconds()
    assert seconds == {name: 2.0 + n for n, name in enumerate(early)} | {late: 2.0}


def test_the_solver_of_equal_error():
    """The one with the fewest evaluations that is as exact; its evaluations as a part of the candidate's."""

    def row(name: str, base: str | None, error: float, evals: int) -> refiner.Row:
        return refiner.Row(refiner.Candidate(name, base, jnp.asarray, evals), error, 1e-3 * evals)

    solvers = [row("cn_rk4, 1", None, 1e-3, 50), row("etdrk4, 1", None, 2e-3, 40), row("cn_rk4, 2", None, 1e-4, 100)]
    for error, evals in ((5e-3, 40), (1e-3, 50), (1e-4, 100)):
        found = refiner.equal(row("refined", "base", error, 600), solvers)
        assert found is not None and found.candidate.evals == evals
    assert refiner.equal(row("refined", "base", 1e-5, 600), solvers) is None
    assert refiner.line(row("refined", "base", 5e-3, 400), solvers).split()[-1] == "0.1"
    searched = row("refined", "base", 5e-3, 400)
    searched = searched._replace(candidate=searched.candidate._replace(at_least=True))
    assert refiner.line(searched, solvers).split()[-1] == "≤0.1" and " ≥400 " in refiner.line(searched, solvers)
    assert refiner.flow(64, 1e-3).grid.shape == (96, 96)


def test_networks_of_other_flows_or_times_are_no_candidates():
    equation = refiner.flow(16, 1e-3)
    net = nnx.eval_shape(lambda: STFNO((4, 4, 3), 10, 10, 8, rngs=nnx.Rngs(0)))
    right = Trajectory(equation, refiner.INTERVAL, 20)
    refiner.check_run("run", net, right, equation, 10)
    forced = dataclasses.replace(equation, forcing=jnp.ones(equation.grid.shape))
    thick = refiner.flow(16, 5e-3)
    for outputs, trajectory, message in (
        (20, right, "--outputs: got 20 for the STFNO in run, wanted the 10 it was trained on; set --outputs 10"),
        (
            10,
            right._replace(equation=forced),
            "--runs: got a run of NavierStokes on .*wanted NavierStokes w",
        ),
        (
            10,
            right._replace(equation=thick),
            "--viscosity: got 0.001 for the run run, wanted its 0.005",
        ),
        (10, right._replace(interval=0.1), "--runs: got snapshots 0.1 apart in run, wanted 0.055"),
    ):
        with pytest.raises(SystemExit, match=message):
            refiner.check_run("run", net, trajectory, equation, outputs)


@pytest.mark.slow
def test_the_plane_of_the_refiner(monkeypatch, capsys, tmp_path):
    """Every candidate on small windows: solvers become more exact, Newton ends at that of its residual."""
    picture = tmp_path / "plane.png"
    numbers = {"size": 16, "viscosity": 0.05, "outputs": 8, "samples": 1, "steps": 20}
    arguments = [f"--{name}={number}" for name, number in numbers.items()]
    monkeypatch.setattr(sys, "argv", ["refiner", *arguments, "--dtype=float64", f"--plot={picture}"])
    monkeypatch.setenv("XLA_FLAGS", os.environ.get("XLA_FLAGS", ""))  # what it adds is for a process of its own
    refiner.main()
    text = capsys.readouterr().out
    print(text)
    errors = {line[:44].strip(): float(line[44:].split()[0]) for line in text.splitlines()[2:15]}
    assert errors["etdrk4, 8 a snapshot"] < errors["etdrk4, 1 a snapshot"] / 100
    assert errors["base + shooting in two, Newton"] < 2 * errors["cn_rk4, 2 a snapshot"]
    assert "residual {'collective-permute': 1}" in text and picture.stat().st_size > 20_000
