"""One small generated set for all tests of this folder."""

import pytest

from data.generation import ensure
from data.splits import SplitSpec
from data.synthetic import HeatFlow


@pytest.fixture(scope="session")
def heat():
    """A rectangular problem, so that swapped axes show."""
    return HeatFlow(shape=(24, 20), num_modes=3)


@pytest.fixture(scope="session")
def split():
    return SplitSpec("train", 22, seed=7, resolutions=((12, 10), (24, 20)))


@pytest.fixture(scope="session")
def files(heat, split, tmp_path_factory):
    """Shape to file; read only."""
    return ensure(heat, split, tmp_path_factory.mktemp("data"))


@pytest.fixture
def copy(files, tmp_path):
    """A file of one's own to damage."""
    path = tmp_path / "set.h5"
    path.write_bytes(files[12, 10].read_bytes())
    return path
