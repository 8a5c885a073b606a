import dataclasses

import pytest

from data.errors import DataError
from data.instantiate import TargetError
from data.splits import SplitSpec, content_key, file_path, plan
from data.synthetic import HeatFlow

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
    ],
)
def test_bad_plan(config, message):
    with pytest.raises(DataError, match=message):
        plan(PDE, config)


def test_not_a_generator():
    with pytest.raises(DataError, match=r"got 'optax\.sgd', wanted a subclass of pdes\.generators"):
        plan({"_target_": "optax.sgd", "learning_rate": 0.1}, data())


def test_bad_generator_argument():
    with pytest.raises(TargetError, match=r"'diffusivty'.*wanted those of HeatFlow"):
        plan(PDE | {"diffusivty": 1}, data())


def test_content_key_follows_everything_the_samples_depend_on():
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
    # The name of a file must not change from one release to the next.
    assert file_path(generator, split, (8, 8), "root").as_posix() == "root/heat/train_8x8_7412ab30d3.h5"
