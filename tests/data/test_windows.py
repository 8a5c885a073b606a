"""Windows of trajectories: random starts from (seed, step), and starts far apart."""

import dataclasses
import math
from typing import ClassVar

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import AxisType

from data.generation import ensure
from data.order import batch_rows
from data.source import load
from data.splits import SplitSpec
from data.windows import Trajectories, WindowLoader, load_trajectories
from pdes.generators import FieldInfo, Generator
from spectral.grid import Grid


@dataclasses.dataclass(frozen=True)
class Counting(Generator):
    """Two fields of constants: ten times the sample's number of a stream, plus the time."""

    name: ClassVar[str] = "counting"
    inputs: ClassVar = {"one": (0, 1)}
    targets: ClassVar = {"two": (2,), "one": (3,)}

    @property
    def grid(self):
        return Grid((4, 6), (2 * math.pi,))

    @property
    def fields(self):
        return {name: FieldInfo(tuple(map(float, range(9))), "1", name) for name in ("one", "two")}

    def parameters(self):
        return {}

    def __call__(self, key):
        level = jnp.round(jax.random.uniform(key) * 1e4) * 10
        one = jnp.broadcast_to((level + jnp.arange(9.0))[:, None, None], (9, 4, 6))
        return {"one": one, "two": -one}


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    split = SplitSpec("train", 10, seed=3, resolutions=((4, 6),))
    return ensure(Counting(), split, tmp_path_factory.mktemp("windows"))[4, 6]


@pytest.fixture(scope="module")
def trajectories(path):
    return load_trajectories(path)


def mesh(*sizes):
    names = ("data", "patch_x")[: len(sizes)]
    devices = jax.devices()[: math.prod(sizes)]
    return jax.make_mesh(sizes, names, axis_types=(AxisType.Auto,) * len(sizes), devices=devices)


def test_what_is_held(trajectories):
    """Every stored time once, not every window."""
    assert trajectories.u.shape == (10, 4, 6, 18) and trajectories.starts == 6
    assert trajectories.inputs == (0, 1) and trajectories.targets == (11, 3)


def test_a_batch_is_the_windows_at_its_starts(path, trajectories):
    """Against the set of all windows, in which those of a trajectory are neighbours."""
    every = load(path, windows=True)
    assert len(every) == 60
    loader = WindowLoader(trajectories, 4, seed=5)
    assert loader.steps_per_epoch == 2
    fetch = jax.jit(loader.fetch)
    for step in (0, 1, 2, 17):
        x, y = fetch(loader.data(step), step)
        rows = loader.indices(step) * 6 + loader.starts(step)
        assert np.array_equal(x, every.x[rows]) and np.array_equal(y, every.y[rows])


def test_starts_follow_from_seed_and_step(trajectories):
    loader, again, other = (WindowLoader(trajectories, 4, seed) for seed in (0, 0, 1))
    again.data(40)
    steps = range(200)
    drawn = np.array([loader.starts(step) for step in steps])
    assert np.array_equal(drawn, [again.starts(step) for step in steps])
    assert not np.array_equal(drawn, [other.starts(step) for step in steps])
    # Uniform on 0 .. 5: four standard deviations of a count of 800 / 6.
    counts = np.bincount(drawn.ravel(), minlength=6)
    assert len(counts) == 6 and np.abs(counts - 800 / 6).max() < 4 * math.sqrt(800 * 5 / 36)
    # Trajectories come in the order in which those of any set do, each at most once an epoch.
    assert all(np.array_equal(loader.indices(step), batch_rows(0, step, 10, 4)) for step in steps)


@pytest.mark.parametrize(("sizes", "replicated"), [((2,), True), ((2,), False), ((2, 2), False)])
def test_the_same_bits_on_a_mesh_without_gathers(trajectories, sizes, replicated):
    one, many = WindowLoader(trajectories, 4, 5), WindowLoader(trajectories, 4, 5, mesh(*sizes), replicated=replicated)
    fetch = jax.jit(many.fetch)
    for step in (1, 6):
        for got, want in zip(fetch(many.data(step), step), one.fetch(one.data(step), step), strict=True):
            assert np.array_equal(got, want)
            assert got.addressable_shards[0].data.shape[0] == 2
    text = fetch.lower(many.data(0), 0).compile().as_text()
    assert " all-gather(" not in text and text.count(" reduce-scatter(") == (0 if replicated else 1)


def test_starts_far_apart_share_no_time(path):
    """Windows of four times in nine: two of them."""
    samples = load(path, windows=True, apart=True)
    assert samples.x.shape == (20, 4, 6, 2) and samples.y.shape == (20, 4, 6, 2)
    np.testing.assert_array_equal(samples.x[1::2] - samples.x[::2], 4)
    np.testing.assert_array_equal(samples.y[..., 0], -samples.x[..., 0] - 2)


def test_one_start_is_the_set_itself():
    u = np.arange(2 * 3 * 5, dtype=np.float32).reshape(2, 3, 5)
    loader = WindowLoader(Trajectories(u, (0, 1), (4,), starts=1), 2, 0)
    x, y = loader.fetch(loader.data(0), 0)
    rows = loader.indices(0)
    assert np.array_equal(x, u[rows][..., :2]) and np.array_equal(y, u[rows][..., 4:])


def test_a_batch_larger_than_the_set_is_refused(trajectories):
    with pytest.raises(ValueError, match="got 11 for 10 samples"):
        WindowLoader(trajectories, 11, 0)
