import dataclasses

import pytest
from jaxtyping import config

from data.errors import DataError
from data.instantiate import TargetError
from data.splits import SplitSpec, check_resolutions, content_key, file_path, plan
from data.synthetic import HeatFlow
from pdes.generators import NavierStokesDecaying, NavierStokesForcing

PDE = {"_target_": "data.synthetic.HeatFlow", "shape": [16, 16]}


def data(**train):
    values = {"samples": 4, "seed": 0, "resolutions": [[8, 8]]} | train
    return {"splits": {"train": values, "test": {"samples": 2, "seed": 1, "resolutions": [[8, 8], [16, 16]]}}}


def test_plan():
    planned = plan(PDE, data(generator={"shape": [32, 32]}))
    generator, split = planned["train"]
    assert generator == HeatFlow((32, 32)) and planned["test"][0] == HeatFlow((16, 16))
    assert split == SplitSpec("train", 4, 0, ((8, 8),))
    assert planned["test"][1].resolutions == ((8, 8), (16, 16))


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"splits": {}}, "got none"),
        (data(sample=3), "unknown .'sample'."),
        ({"splits": {"train": {"samples": 3}}}, "missing .'resolutions', 'seed'."),
        (data(seed=1), "seeds .*'train': 1, 'test': 1.*different"),
        (data(samples=0), "train.samples: got 0"),
        (data(seed=-1), "train.seed: got -1"),
        (data(resolutions=[8, 8]), "train.resolutions"),
        (data(resolutions=[[8, 8], [8, 8]]), "train.resolutions"),
        (data(resolutions=[]), "train.resolutions"),
        (data(resolutions=[[8.5, 8]]), r"train.resolutions: got \[\[8.5, 8\]"),
        (data(resolutions=[["a", 8]]), "train.resolutions"),
        (data(samples="abc"), "train.samples: got 'abc', wanted a whole number"),
        (data(seed=1.5), "train.seed: got 1.5"),
        (data() | {"normalise_inputs": "pixel"}, "'normalise_inputs', wanted .* did you mean data.normalize_inputs"),
        (data() | {"batch_size": "abc"}, "data.batch_size: got 'abc', wanted a whole number"),
        (data() | {"batch_size": 16.0}, "data.batch_size: got 16.0, wanted a whole number"),
        ({"splits": "abc"}, "data.splits: got 'abc'"),
        (data(generator="abc"), "data.splits.train.generator: got 'abc', wanted arguments"),
        (data() | {"root": 5}, "data.root: got 5, wanted the path"),
        ({"splits": {"train": 3}}, "data.splits.train: got 3"),
        (data() | {"inputs": {"nope": [0]}}, "data.inputs: got field 'nope'.*'temperature'"),
        (data() | {"targets": {"temperature": [2]}}, r"data.targets: got time index 2 .*-2 \.\. 1"),
        (data() | {"targets": "temperature"}, "data.targets: got 'temperature', wanted {field"),
    ],
)
def test_bad_plan(config, message):
    with pytest.raises(DataError, match=message):
        plan(PDE, config)


def test_not_a_generator():
    with pytest.raises(DataError, match=r"got 'optax\.sgd', wanted a subclass of pdes\.generators"):
        plan({"_target_": "optax.sgd", "learning_rate": 0.1}, data())


@pytest.mark.parametrize("allow", ["optax.", 3, [""], [3], None])
def test_allowed_prefixes_are_a_list_of_texts(allow, monkeypatch):
    """Of a text every letter would be one, and the empty one would allow everything."""
    monkeypatch.setattr(config, "jaxtyping_disable", True)
    with pytest.raises(TargetError, match=r"allow: got .*wanted a list of prefixes"):
        plan({"_target_": "os.system", "command": "true"}, data(), allow)


@pytest.mark.parametrize("nested", [False, True])
def test_nothing_foreign_is_called(tmp_path, nested):
    """Neither in the place of the generator, even where its package is allowed, nor among its arguments."""
    path = {"_target_": "training.restore.resolve", "directory": str(tmp_path / "written")}
    attack = {"_target_": "training.directory.write_text", "path": path, "text": "x"}
    cases = [((), TargetError)] if nested else [((), TargetError), (("training.",), DataError)]
    for allow, error in cases:
        with pytest.raises(error, match=r"got 'training.*wanted a"):
            plan(PDE | {"shape": attack} if nested else attack, data(), allow)
    with pytest.raises(TargetError, match=r"pde\..*_target_: got 'posix\.system', wanted a"):
        bad = {"_target_": "posix.system", "command": f"touch {tmp_path / 'written'}"}
        plan(PDE | {"shape": bad} if nested else bad, data())
    assert not list(tmp_path.iterdir())


def test_null_switches_a_split_off():
    config = data()
    config["splits"]["test"] = None
    assert list(plan(PDE, config)) == ["train"]
    with pytest.raises(DataError, match="got none"):
        plan(PDE, {"splits": {"train": None}})


@pytest.mark.parametrize(("solver", "stored"), [(128, 85), (192, 128), (64, 42)])
def test_dealiased_solvers_resolve_two_thirds(solver, stored):
    """Stored finer than that, a file would hold zeros for the highest modes."""
    generator = NavierStokesForcing((solver, solver))
    assert generator.max_shape == NavierStokesDecaying((solver, solver)).max_shape == (stored, stored)
    assert generator.solver_shape((stored, stored)) <= (solver, solver)
    assert generator.solver_shape((stored + 1, stored + 1)) > (solver, solver)


def test_every_split_is_checked_for_its_resolution():
    pde = {"_target_": "pdes.generators.NavierStokesForcing", "shape": [128, 128]}
    config = data(resolutions=[[64, 64]])
    config["splits"]["test"]["resolutions"] = [[64, 64], [128, 128]]
    message = r"test\.resolutions: got \(128, 128\), wanted at most \(85, 85\).*pde\.shape=\[192, 192\]"
    with pytest.raises(DataError, match=message):
        plan(pde, config)
    config["splits"]["test"]["generator"] = {"shape": [192, 192]}
    assert plan(pde, config)["test"][0].max_shape == (128, 128)


def test_resolution_of_other_dimension():
    with pytest.raises(DataError, match=r"train\.resolutions: got \(8,\), wanted 2 sizes"):
        check_resolutions(HeatFlow((16, 16)), SplitSpec("train", 4, 0, ((8,),)))


def test_bad_generator_argument():
    with pytest.raises(TargetError, match=r"'diffusivty'.*wanted those of HeatFlow"):
        plan(PDE | {"diffusivty": 1}, data())


def test_generator_argument_of_a_wrong_type():
    with pytest.raises(TargetError, match=r"(?s)HeatFlow: got .*'num_modes': 'abc'.*num_modes: int = 4"):
        plan(PDE | {"num_modes": "abc"}, data())


def test_content_key_follows_everything_the_samples_depend_on(monkeypatch):
    generator, split = HeatFlow((16, 16)), SplitSpec("train", 4, 0, ((8, 8), (16, 16)))
    variants = [(generator, split, (8, 8)), (generator, split, (16, 16))]
    variants += [(dataclasses.replace(generator, diffusivity=0.1), split, (8, 8))]
    variants += [
        (generator, dataclasses.replace(split, **change), (8, 8))
        for change in ({"name": "valid"}, {"samples": 5}, {"seed": 1})
    ]
    assert len({content_key(*variant) for variant in variants}) == len(variants)
    fewer = dataclasses.replace(split, resolutions=((8, 8),))
    assert content_key(generator, fewer, (8, 8)) == content_key(generator, split, (8, 8))
    with monkeypatch.context() as changed:
        changed.setattr(HeatFlow, "version", 2)
        newer = content_key(*variants[0])
    assert newer not in {content_key(*variant) for variant in variants}
    # The name of a file must not change from one release to the next.
    assert file_path(generator, split, (8, 8), "root").as_posix() == "root/heat/train_8x8_7412ab30d3.h5"
