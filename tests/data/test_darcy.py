from pathlib import Path

import pytest

from data.errors import DataError
from data.readers.darcy import load_darcy_benchmark

FILE = Path(__file__).resolve().parents[3] / "shared" / "data" / "darcy_flow_16.h5"


@pytest.mark.skipif(
    not FILE.exists(), reason="darcy_flow_16.h5 is not in ../shared/data: it is not part of this repository"
)
def test_published_set():
    sets = load_darcy_benchmark(FILE)
    assert {name: samples.x.shape for name, samples in sets.items()} == {
        "train_16": (1000, 16, 16, 1),
        "test_16": (50, 16, 16, 1),
        "test_32": (50, 32, 32, 1),
    }
    train = sets["train_16"]
    assert set(train.x.flatten().tolist()) == {0.0, 1.0}
    # Published moments of the targets, to the digits given.
    assert train.y.mean() == pytest.approx(0.386, abs=5e-4) and train.y.std() == pytest.approx(0.340, abs=5e-4)
    assert train.metadata.channels(train.targets) == (("pressure", 0),)


def test_another_file(files):
    with pytest.raises(DataError, match=r"nothing at //train_16/a|train_16/a"):
        load_darcy_benchmark(files[12, 10])
