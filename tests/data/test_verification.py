"""A file that solves its equation is told from one that was damaged, scaled or given another name."""

import dataclasses
import json
import sys

import h5py
import numpy as np
import pytest

from data import verify
from data.equation_check import Plan, check_equation
from data.generation import ensure
from data.header_check import check_header
from data.instantiate import instantiate
from data.schema import STATISTICS, read_metadata
from data.splits import SplitSpec
from data.statistics_check import judge_still, survey
from data.verification import FAILS, HOLDS, UNDECIDED, check_samples
from pdes.generators import (
    DarcyFlow,
    GlobalVorticity,
    GPDarcy,
    GPPoisson,
    NavierStokesForcing,
    NavierStokesKolmogorov,
    RandomStart,
)
from pdes.high_dimensional import BallPoisson

BURGERS = RandomStart("Burgers", {"viscosity": 0.02}, shape=(96,), interval=0.1, n_snapshots=3, tau=10.0)
GRAY_SCOTT = RandomStart(
    "GrayScott", {"feed": 0.04, "kill": 0.06}, (24, 24), 1.0, low=(0.4, 0.1), high=(1.0, 0.3), dt=0.5, interval=5.0
)
KOLMOGOROV = NavierStokesKolmogorov(shape=(48, 48), viscosity=0.02, warmup=0.2, interval=0.2, n_snapshots=3, n_inputs=1)
FORCED = NavierStokesForcing(shape=(48, 48), reynolds=50.0, final_time=2.0)
DARCY = DarcyFlow(shape=(48, 48))
POISSON = GPPoisson(shape=(9, 9), modes=4)
SMOOTH_DARCY = GPDarcy(shape=(9, 9), modes=4)
POINTS = BallPoisson(dims=3, points=8)
GLOBE = GlobalVorticity(shape=(12, 24), degree=8, peak=3.0, n_snapshots=3, steps_per_day=8)


@pytest.fixture(scope="module")
def file_of(tmp_path_factory):
    """Generator and stored shape -> its file; made once."""
    root, made = tmp_path_factory.mktemp("verified"), {}

    def make(generator, shape):
        if generator not in made:
            made[generator] = ensure(generator, SplitSpec("train", 2, 3, (shape,)), root)[shape]
        return made[generator]

    return make


@pytest.fixture
def spoilt(file_of, tmp_path):
    """A copy whose fields went through a function, with statistics that agree with them."""

    def spoil(generator, shape, change):
        path = tmp_path / "spoilt.h5"
        path.write_bytes(file_of(generator, shape).read_bytes())
        with h5py.File(path, "r+") as file:
            for name in file["fields"]:
                values = np.asarray(change(name, file[f"fields/{name}"][()]), np.float32)
                file[f"fields/{name}"][...] = values
                axes = (0, *range(2, values.ndim))
                count = values.size // values.shape[1] - 1
                moments = values.mean(axes), values.std(axes) * np.sqrt((count + 1) / count)
                for key, value in zip(STATISTICS, (*moments, values.min(axes), values.max(axes)), strict=True):
                    file[f"stats/{name}/{key}"][...] = value
        return path

    return spoil


def verdicts(path, intervals=1, generator=None):
    metadata = read_metadata(path)
    generator = generator or instantiate(metadata.generator)
    found = check_equation(metadata, generator, Plan.of(metadata, generator, [0, 1], intervals))
    return [finding.verdict for finding in found]


CASES = [
    (BURGERS, (64,)),
    (GRAY_SCOTT, (12, 12)),
    (KOLMOGOROV, (32, 32)),
    (FORCED, (32, 32)),
    (DARCY, (16, 16)),
    (POISSON, (9, 9)),
    pytest.param(SMOOTH_DARCY, (9, 9), marks=pytest.mark.slow),
    (POINTS, (8,)),
    (GLOBE, (12, 24)),
]


@pytest.mark.parametrize(("generator", "shape"), CASES, ids=lambda v: getattr(v, "name", ""))
def test_what_a_generator_made_holds(file_of, generator, shape):
    path = file_of(generator, shape)
    metadata = read_metadata(path)
    assert set(verdicts(path)) == {HOLDS}
    assert {finding.verdict for finding in survey(metadata).findings} == {HOLDS}
    assert {finding.verdict for finding in check_header(metadata, generator)} == {HOLDS}
    assert {finding.verdict for finding in check_samples(metadata, generator, [1])} == {HOLDS}


@pytest.mark.parametrize(
    ("generator", "shape", "change"),
    [
        (BURGERS, (64,), lambda name, u: 1.05 * u),
        (BURGERS, (64,), lambda name, u: u[:, ::-1]),
        (KOLMOGOROV, (32, 32), lambda name, u: 1.05 * u),
        (KOLMOGOROV, (32, 32), lambda name, u: u.swapaxes(-1, -2)),
        (FORCED, (32, 32), lambda name, u: u if name == "forcing" else 1.03 * u),
        (DARCY, (16, 16), lambda name, u: u if name == "pressure" else 1.1 * u),
        (POISSON, (9, 9), lambda name, u: 1.03 * u if name == "solution" else u),
        pytest.param(
            SMOOTH_DARCY, (9, 9), lambda name, u: 1.5 * u if name == "permeability" else u, marks=pytest.mark.slow
        ),
        (POINTS, (8,), lambda name, u: 1.03 * u if name == "solution" else u),
        (GLOBE, (12, 24), lambda name, u: np.roll(u, 3, -2)),
    ],
)
def test_spoilt_fields_are_seen(spoilt, generator, shape, change):
    assert FAILS in verdicts(spoilt(generator, shape, change))


@pytest.mark.parametrize(
    ("generator", "shape", "key", "value"),
    [(FORCED, (32, 32), "reynolds", 40.0), (KOLMOGOROV, (32, 32), "drag", 0.2), (DARCY, (16, 16), "shape", [48, 48])],
)
def test_another_name_or_number_is_seen(spoilt, generator, shape, key, value):
    """The last changes nothing, and holds."""
    path = spoilt(generator, shape, lambda name, u: u)
    with h5py.File(path, "r+") as file:
        named = json.loads(file.attrs["generator"])
        file.attrs["generator"] = json.dumps(named | {key: value})
    assert (FAILS in verdicts(path)) == (key != "shape")


def test_a_scale_that_a_linear_equation_does_not_fix_is_known_from_the_seed(files, heat):
    metadata = read_metadata(files[24, 20])
    assert {finding.verdict for finding in check_samples(metadata, heat, [0, 3])} == {HOLDS}
    other = dataclasses.replace(metadata, seed=8)
    assert {finding.verdict for finding in check_samples(other, heat, [0])} == {FAILS}


def test_samples_that_are_there_twice(file_of, spoilt):
    """All of a sample or one field of it, with statistics that agree with them."""
    whole = survey(read_metadata(spoilt(BURGERS, (64,), lambda name, u: u[[0, 0]])))
    assert [finding.verdict for finding in whole.findings] == [HOLDS, FAILS]
    assert "0 and 1 are equal in all fields, 1 such in all" in whole.findings[1].detail

    def one_forcing(name, u):
        return u[[1, 1]] if name == "forcing" else u

    (*_, last) = survey(read_metadata(spoilt(FORCED, (32, 32), one_forcing))).findings
    assert last.verdict == FAILS and "equal in forcing" in last.detail

    def constant_forcing(name, u):
        return 0 * u + 1 if name == "forcing" else u

    assert survey(read_metadata(spoilt(FORCED, (32, 32), constant_forcing))).findings[-1].verdict == HOLDS
    (file,) = [file_of(BURGERS, (64,))]
    away = dataclasses.replace(read_metadata(file).stats["velocity"], mean=(1.0, 0.0, 0.0))
    wrong = dataclasses.replace(read_metadata(file), stats={"velocity": away})
    assert survey(wrong).findings[0].verdict == FAILS


def test_states_that_rest(file_of, spoilt):
    """Only the equation can say whether they may."""
    path = spoilt(BURGERS, (64,), lambda name, u: np.stack([u[0], u[1, [0, 1, 1]]]))
    metadata, found = read_metadata(path), survey(read_metadata(path))
    ((field, sample, before, _),) = found.still
    assert (field, sample, before) == ("velocity", 1, metadata.fields["velocity"].times[1])
    plan = Plan.of(metadata, BURGERS, [0, 1], 1, [before])
    assert len(plan.intervals) == 2 and plan.possible == 2
    assert FAILS in {finding.verdict for finding in check_equation(metadata, BURGERS, plan)}
    for solved, chosen, verdict in ((True, plan, HOLDS), (False, plan, UNDECIDED)):
        assert [finding.verdict for finding in judge_still(found.still, solved, chosen)] == [verdict]
    elsewhere = Plan.of(metadata, BURGERS, [0], 2)
    assert [finding.verdict for finding in judge_still(found.still, True, elsewhere)] == [UNDECIDED]
    assert not survey(read_metadata(file_of(BURGERS, (64,)))).still


def json_of(name, **changes):
    def edit(file):
        file.attrs[name] = json.dumps(json.loads(file.attrs[name]) | changes)

    return edit


def times_of(file, values):
    file["fields/velocity"].attrs["times"] = values
    del file["grid/t"]
    file["grid/t"] = values


@pytest.mark.parametrize(
    ("edit", "what"),
    [
        (lambda file: file.attrs.update(equation="heat", dataset_name="heat"), "equation: got heat, wanted burgers"),
        (lambda file: file.attrs.update(dataset_name="heat"), "dataset_name: got heat, wanted burgers"),
        (json_of("parameters", viscosity=123.0), "parameters: viscosity: got 123.0, wanted 0.02"),
        (json_of("parameters", colour="red"), "parameters: colour: got red, wanted nothing"),
        (lambda file: file["params/viscosity"].write_direct(np.array(1.0)), "/params: viscosity: got 1.0, wanted 0.02"),
        (lambda file: file["grid/x"].write_direct(7 * file["grid/x"][()]), "/grid/x: got 64 points 0 .. "),
        (lambda file: file.attrs.update(extent=(2.0,)), "extent: got (2.0,), wanted (1.0,)"),
        (lambda file: file.attrs.update(grid_type="cell"), "grid_type: got cell, wanted periodic"),
        (lambda file: times_of(file, (0.0, 0.2, 0.4)), "fields: velocity: got ((0.0, 0.2, 0.4), "),
        (lambda file: file["fields/velocity"].attrs.update(unit="m"), "fields: velocity: got "),
        (json_of("inputs", velocity=[1]), "inputs: velocity: got [1], wanted [0]"),
        (lambda file: file.attrs.update(seed=4), "content_key"),
        (lambda file: file.attrs.update(split="test"), "content_key"),
        (json_of("generator", interval=0.2), "fields: velocity: got ((0.0, 0.1, 0.2), "),
    ],
)  # fmt: skip
def test_a_header_that_says_otherwise_is_seen(spoilt, edit, what):
    path = spoilt(BURGERS, (64,), lambda name, u: u)
    with h5py.File(path, "r+") as file:
        edit(file)
    metadata = read_metadata(path)
    found = list(check_header(metadata, instantiate(metadata.generator)))
    assert {finding.verdict for finding in found} == {FAILS}
    assert any(what in f"{finding.check.removeprefix('header, ')}: {finding.detail}" for finding in found), found


def test_another_version_of_the_code(file_of):
    """An old set is not wrong, and what newer code makes of its seed says nothing."""
    metadata = dataclasses.replace(read_metadata(file_of(BURGERS, (64,))), generator_version=3, content_key="old")
    found = [*check_header(metadata, BURGERS), *check_samples(metadata, BURGERS, [0])]
    assert {finding.verdict for finding in found} == {UNDECIDED}
    assert "made by version 3 of burgers, this is version 1" in found[0].detail


def test_too_coarse_to_tell(file_of):
    """Eight modes of a front are stored, a quarter of what was solved for: its own equation is not denied."""
    found = verdicts(file_of(dataclasses.replace(BURGERS, warmup=0.1), (16,)), intervals=2)
    assert UNDECIDED in found and FAILS not in found


def test_what_has_all_but_decayed_is_measured_by_what_is_left(file_of, spoilt):
    """Of the wave a hundredth is left at the end, so an error of half of it is half a percent of what has changed."""
    decayed = dataclasses.replace(BURGERS, coefficients={"viscosity": 0.1}, interval=1.5, n_snapshots=2)
    path = file_of(decayed, (64,))
    assert verdicts(path) == [HOLDS]
    near = dataclasses.replace(decayed, coefficients={"viscosity": 0.11})
    assert verdicts(path, generator=near) == [FAILS]


def test_fields_of_another_problem(file_of):
    metadata = read_metadata(file_of(BURGERS, (64,)))
    (finding,) = check_equation(metadata, DARCY, Plan.of(metadata, DARCY, [0], 1))
    assert finding.verdict == UNDECIDED and "no permeability, pressure" in finding.detail


def run(monkeypatch, *arguments):
    monkeypatch.setattr(sys, "argv", ["verify", *map(str, arguments)])
    with pytest.raises(SystemExit) as ended:
        verify.main()
    return ended.value.code


def test_door(file_of, spoilt, monkeypatch, capsys):
    path = file_of(BURGERS, (64,))
    assert run(monkeypatch, path, "--intervals", 1) == 0
    assert (
        "the file solves burgers: looked at 2 of 2 samples, 1 of 2 intervals, 1 made again" in capsys.readouterr().out
    )
    assert run(monkeypatch, path, "--all") == 0
    assert "2 of 2 samples, 2 of 2 intervals, 2 made again" in capsys.readouterr().out
    named = ("pde=advection_diffusion", "pde.shape=[96]", "pde.coefficients={velocity: [1.0], diffusivity: 0.02}")
    assert run(monkeypatch, path, *named) == 1
    assert "NOT what it says" in capsys.readouterr().out
    twice = spoilt(BURGERS, (64,), lambda name, u: u[[0, 0]])
    assert run(monkeypatch, twice, "--intervals", 1, "--again", 0) == 1
    assert "samples: 0 and 1 are equal in all fields" in capsys.readouterr().out
    assert run(monkeypatch, path, "pde=darcy") == 2
    assert "for all that can be said: 1 of" in capsys.readouterr().out


def test_errors_of_the_door_are_no_verdicts(spoilt, monkeypatch, capsys):
    nameless = spoilt(BURGERS, (64,), lambda name, u: u)
    with h5py.File(nameless, "r+") as file:
        file.attrs["generator"] = "{}"
    for arguments, message in (
        ((nameless, "data=burgers"), "wanted pde=NAME"),
        ((nameless,), "names no generator"),
        (("nowhere.h5",), "got no file"),
        ((nameless, "--samples", 0), "wanted at least 1"),
        ((nameless, "--samples", "a"), "invalid int value"),
        ((), "required: file"),
    ):
        assert run(monkeypatch, *arguments) == 3
        said = capsys.readouterr().err
        assert said.startswith("error: ") and said.count("\n") == 1 and message in said
