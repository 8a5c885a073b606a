"""A file that solves its equation is told from one that was damaged, scaled or given another name."""

import dataclasses
import json
import sys

import h5py
import numpy as np
import pytest

from data import verify
from data.equation_check import check_equation
from data.generation import ensure
from data.instantiate import instantiate
from data.schema import STATISTICS, read_metadata
from data.splits import SplitSpec
from data.verification import FAILS, HOLDS, UNDECIDED, check_samples, check_statistics
from pdes.generators import DarcyFlow, NavierStokesForcing, NavierStokesKolmogorov, RandomStart

BURGERS = RandomStart("Burgers", {"viscosity": 0.02}, shape=(96,), interval=0.1, n_snapshots=3, tau=10.0)
GRAY_SCOTT = RandomStart(
    "GrayScott", {"feed": 0.04, "kill": 0.06}, (24, 24), 1.0, low=(0.4, 0.1), high=(1.0, 0.3), dt=0.5, interval=5.0
)
KOLMOGOROV = NavierStokesKolmogorov(shape=(48, 48), viscosity=0.02, warmup=0.2, interval=0.2, n_snapshots=3, n_inputs=1)
FORCED = NavierStokesForcing(shape=(48, 48), reynolds=50.0, final_time=2.0)
DARCY = DarcyFlow(shape=(48, 48))


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


def verdicts(path, intervals=1):
    metadata = read_metadata(path)
    found = check_equation(metadata, instantiate(metadata.generator), [0, 1], intervals)
    return [finding.verdict for finding in found]


CASES = [
    (BURGERS, (64,)),
    (GRAY_SCOTT, (12, 12)),
    (KOLMOGOROV, (32, 32)),
    (FORCED, (32, 32)),
    (DARCY, (16, 16)),
]


@pytest.mark.parametrize(("generator", "shape"), CASES, ids=lambda v: getattr(v, "name", ""))
def test_what_a_generator_made_holds(file_of, generator, shape):
    path = file_of(generator, shape)
    metadata = read_metadata(path)
    assert set(verdicts(path)) == {HOLDS}
    assert {finding.verdict for finding in check_statistics(metadata)} == {HOLDS}
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


def test_statistics_and_twins(file_of, tmp_path):
    path = tmp_path / "set.h5"
    path.write_bytes(file_of(BURGERS, (64,)).read_bytes())
    with h5py.File(path, "r+") as file:
        (field,) = file["fields"].values()
        field[1] = field[0]
    (finding,) = check_statistics(read_metadata(path))
    assert finding.verdict == FAILS and "samples 0 and 1 are equal, 1 such in all" in finding.detail


def test_too_coarse_to_tell(file_of):
    """Eight modes of a front are stored, a quarter of what was solved for: its own equation is not denied."""
    found = verdicts(file_of(dataclasses.replace(BURGERS, warmup=0.1), (16,)), intervals=2)
    assert UNDECIDED in found and FAILS not in found


def test_what_has_all_but_decayed_is_measured_by_what_is_left(file_of, spoilt):
    """Of the wave a hundredth is left at the end, so an error of half of it is half a percent of what has changed."""
    decayed = dataclasses.replace(BURGERS, coefficients={"viscosity": 0.1}, interval=1.5, n_snapshots=2)
    path = file_of(decayed, (64,))
    assert verdicts(path) == [HOLDS]
    metadata = read_metadata(path)
    near = dataclasses.replace(decayed, coefficients={"viscosity": 0.11})
    assert [finding.verdict for finding in check_equation(metadata, near, [0, 1], 1)] == [FAILS]


def test_fields_of_another_problem(file_of):
    metadata = read_metadata(file_of(BURGERS, (64,)))
    (finding,) = check_equation(metadata, DARCY, [0], 1)
    assert finding.verdict == UNDECIDED and "no permeability, pressure" in finding.detail


def run(monkeypatch, *arguments):
    monkeypatch.setattr(sys, "argv", ["verify", *map(str, arguments)])
    with pytest.raises(SystemExit) as ended:
        verify.main()
    return ended.value.code


def test_door(file_of, spoilt, monkeypatch, capsys):
    path = file_of(BURGERS, (64,))
    assert run(monkeypatch, path, "--intervals", 1) == 0
    assert "the file solves burgers" in capsys.readouterr().out
    named = ("pde=advection_diffusion", "pde.shape=[96]", "pde.coefficients={velocity: [1.0], diffusivity: 0.02}")
    assert run(monkeypatch, path, *named) == 1
    assert "NOT what it says" in capsys.readouterr().out
    assert "wanted pde=NAME" in run(monkeypatch, path, "data=burgers")
    nameless = spoilt(BURGERS, (64,), lambda name, u: u)
    with h5py.File(nameless, "r+") as file:
        file.attrs["generator"] = "{}"
    assert "names no generator" in run(monkeypatch, nameless)
    assert "got no file" in run(monkeypatch, "nowhere.h5")
