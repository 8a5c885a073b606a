import itertools
import pickle

import jax
import numpy as np
import pytest
from jax.sharding import AxisType

from data.loader import ResidentLoader, fits
from data.order import check_batches
from data.source import load
from data.stream import StreamLoader

BATCH = 4  # 22 samples: five steps an epoch, two samples sit out


@pytest.fixture(scope="module")
def samples(files):
    return load(files[12, 10])


def mesh(devices):
    return jax.make_mesh((devices,), ("data",), axis_types=(AxisType.Auto,), devices=jax.devices()[:devices])


def test_an_epoch_sees_every_sample_at_most_once(samples):
    loader = ResidentLoader(samples, BATCH, seed=0)
    assert loader.steps_per_epoch == 5
    epochs = [np.concatenate([loader.indices(5 * e + i) for i in range(5)]) for e in range(8)]
    assert all(len(set(order.tolist())) == 20 for order in epochs)
    assert len({tuple(order.tolist()) for order in epochs}) == 8
    assert set(np.concatenate(epochs).tolist()) == set(range(22))  # not always the same two sit out


def test_whole_epoch_where_the_batch_divides(samples):
    loader = ResidentLoader(samples, 11, seed=3)
    assert sorted(np.concatenate([loader.indices(4), loader.indices(5)]).tolist()) == list(range(22))


def test_order_depends_on_seed_and_step_alone(samples):
    first, again, other = (ResidentLoader(samples, BATCH, seed) for seed in (0, 0, 1))
    again.indices(3)
    assert np.array_equal(first.indices(17), again.indices(17))
    assert not np.array_equal(first.indices(17), other.indices(17))


def test_an_order_is_drawn_once_an_epoch(samples, monkeypatch):
    """And is that of JAX's generator: a resumed run must find the same, with any release."""
    draw, drawn = jax.random.permutation, []
    monkeypatch.setattr(jax.random, "permutation", lambda *a, **k: drawn.append(1) or draw(*a, **k))
    loader = ResidentLoader(samples, BATCH, seed=123)
    orders = [loader.data(step)[2] for step in range(10)]
    assert len(drawn) == 2 and orders[0] is orders[4]
    key = jax.random.fold_in(jax.random.key(123), 1)
    assert np.array_equal(orders[5], draw(key, np.arange(22, dtype=np.int32)))
    assert all(np.array_equal(orders[5][4 * i : 4 * i + 4], loader.indices(5 + i)) for i in range(5))


@pytest.mark.parametrize(("devices", "replicated"), [(None, None), (1, True), (2, True), (2, False), (4, False)])
def test_batches_are_the_rows(samples, devices, replicated):
    """The same bits, wherever the set lies."""
    loader = ResidentLoader(samples, BATCH, 5, mesh(devices) if devices else None, replicated=replicated)
    fetch = jax.jit(loader.fetch)
    for step in (0, 13):
        x, y = fetch(loader.data(step), step)
        rows = np.asarray(loader.indices(step))
        assert np.array_equal(x, samples.x[rows]) and np.array_equal(y, samples.y[rows])
    if devices:
        assert [shard.data.shape[0] for shard in x.addressable_shards] == [BATCH // devices] * devices


@pytest.mark.parametrize("replicated", [True, False])
def test_further_axes_of_the_mesh_split_space(samples, replicated):
    space = jax.make_mesh((2, 2), ("data", "patch_x"), axis_types=(AxisType.Auto,) * 2, devices=jax.devices()[:4])
    loader = ResidentLoader(samples, BATCH, 5, space, replicated=replicated)
    x, _ = jax.jit(loader.fetch)(loader.data(3), 3)
    assert np.array_equal(x, samples.x[np.asarray(loader.indices(3))])
    for shard in (x, loader.data(3)[0]):
        assert shard.addressable_shards[0].data.shape[1:3] == (6, 10)


def test_what_travels(samples):
    """Nothing from a replicated set; one reduce-scatter per array, of a batch, from a split one."""
    for replicated, wanted in ((True, 0), (False, 2)):
        loader = ResidentLoader(samples, BATCH, 0, mesh(2), replicated=replicated)
        text = jax.jit(loader.fetch).lower(loader.data(0), 0).compile().as_text()
        counts = {
            name: text.count(f" {name}(") for name in ("reduce-scatter", "all-gather", "all-reduce", "all-to-all")
        }
        assert counts == {"reduce-scatter": wanted, "all-gather": 0, "all-reduce": 0, "all-to-all": 0}


@pytest.mark.parametrize("make", [lambda s, f: ResidentLoader(s, **f), lambda s, f: StreamLoader(s.metadata.path, **f)])
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"batch_size": 23}, "got 23 for 22 samples, wanted 1 .. 22"),
        ({"batch_size": 0}, "got 0 for 22"),
        ({"batch_size": 6, "mesh": 4}, "got 6 for 4 devices x 1 micro-batches, wanted a multiple of 4; take 4 or 8"),
    ],
)
def test_bad_batch_size(samples, make, arguments, message):
    if "mesh" in arguments:
        arguments = arguments | {"mesh": mesh(arguments["mesh"])}
    with pytest.raises(ValueError, match=message):
        make(samples, arguments | {"seed": 0})


def test_micro_batches_divide_too():
    assert check_batches(22, 8, devices=2, accumulate=2) == 2
    with pytest.raises(ValueError, match="got 8 for 8 devices x 2 micro-batches, wanted a multiple of 16; take 16, or"):
        check_batches(22, 8, devices=8, accumulate=2)


@pytest.mark.parametrize("devices", [None, 2])
def test_stream_gives_the_resident_batches_from_any_step(samples, files, devices):
    grid = mesh(devices) if devices else None
    resident = ResidentLoader(samples, BATCH, 5, grid)
    stream = StreamLoader(files[12, 10], BATCH, 5, mesh=grid)
    assert stream.steps_per_epoch == resident.steps_per_epoch
    fetch = jax.jit(resident.fetch)
    for first in (0, 3, 1000):  # across the end of an epoch, and far away
        for step, (x, y) in zip(range(first, first + 4), stream.batches(first), strict=False):
            wanted = fetch(resident.data(step), step)
            assert np.array_equal(x, wanted[0]) and np.array_equal(y, wanted[1]), step
            assert x.sharding.is_equivalent_to(wanted[0].sharding, x.ndim)


def test_stream_maps_and_subset(files):
    stream = StreamLoader(files[12, 10], 2, 0, inputs={"temperature": [1, 0]}, samples=6)
    wanted = load(files[12, 10], inputs={"temperature": [1, 0]}, samples=slice(0, 6))
    for step, (x, _) in enumerate(itertools.islice(stream.batches(), 3)):
        assert np.array_equal(x, wanted.x[stream.indices(step)])


def test_stream_opens_its_file_late(files):
    """An open HDF5 handle cannot go to another process; the path can."""
    stream = StreamLoader(files[12, 10], BATCH, 0)
    assert stream._reader._open is None
    next(stream.batches())
    reader = pickle.loads(pickle.dumps(stream._reader))
    assert reader._open is None and reader(np.arange(2))[0].shape == (2, 12, 10, 1)


def test_fits():
    assert fits(2**20) and not fits(2**50)
