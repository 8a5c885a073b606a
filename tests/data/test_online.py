"""Samples made while training are those of the file, and go on after its last one."""

import dataclasses
import itertools

import jax
import numpy as np
import pytest
from jax.sharding import AxisType

from data.errors import DataError
from data.generation import ensure
from data.online import OnlineLoader
from data.source import load

BATCH = 6


def mesh(devices: int):
    return jax.make_mesh((devices,), ("data",), axis_types=(AxisType.Auto,), devices=jax.devices()[:devices])


@pytest.fixture(scope="module")
def whole(heat, split, tmp_path_factory):
    """Four epochs' worth of samples on disk."""
    many = dataclasses.replace(split, samples=88)
    return load(ensure(heat, many, tmp_path_factory.mktemp("many"))[12, 10])


@pytest.mark.parametrize("devices", [None, 2])
def test_batches_are_the_samples_of_the_file_in_order(heat, split, whole, devices):
    """From any step, over the end of the split, with rounds that do not end where batches do."""
    grid = mesh(devices) if devices else None
    online = OnlineLoader(heat, split, BATCH, mesh=grid)
    assert online.steps_per_epoch == 3 and online._solver.count % BATCH
    for first in (0, 3, 11):
        for step, (x, y) in zip(range(first, first + 3), online.batches(first), strict=False):
            rows = slice(step * BATCH, (step + 1) * BATCH)
            assert np.array_equal(online.indices(step), np.arange(88)[rows])
            assert np.array_equal(x, whole.x[rows]) and np.array_equal(y, whole.y[rows]), step
            assert len(x.sharding.device_set) == (devices or 1)


def test_maps(heat, split, whole):
    online = OnlineLoader(heat, split, 2, inputs={"temperature": [1, 0]})
    for step, (x, _) in enumerate(itertools.islice(online.batches(), 3)):
        assert np.array_equal(x[..., ::-1], np.stack([whole.x, whole.y], -1)[2 * step : 2 * step + 2, ..., 0, :])
    with pytest.raises(DataError, match="time index 2 of field 'temperature'"):
        OnlineLoader(heat, split, 2, targets={"temperature": [2]})


def test_solver_that_leaves_the_finite_numbers_names_the_sample(heat, split, monkeypatch):
    online = OnlineLoader(heat, split, BATCH)
    program = online._solver._program

    def broken(seed, indices):
        made = jax.tree.map(np.array, program(seed, indices))
        made[0]["temperature"][np.asarray(indices) == 40] = np.nan
        return made

    monkeypatch.setattr(online._solver, "_program", broken)
    batches = online.batches(3)
    next(batches)
    with pytest.raises(FloatingPointError, match=r"temperature that is not finite in sample 40 \(seed 7\)"):
        list(itertools.islice(batches, 10))


def test_bad_batch_size(heat, split):
    with pytest.raises(ValueError, match="got 23 for 22 samples"):
        OnlineLoader(heat, split, 23)
