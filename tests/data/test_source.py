import h5py
import numpy as np
import pytest

from data.errors import DataError
from data.source import load


@pytest.fixture
def stored(files):
    with h5py.File(files[12, 10]) as file:
        return file["fields/temperature"][()]


def test_default_map(files, stored):
    samples = load(files[12, 10])
    assert samples.x.shape == samples.y.shape == (22, 12, 10, 1)
    np.testing.assert_array_equal(samples.x[..., 0], stored[:, 0])
    np.testing.assert_array_equal(samples.y[..., 0], stored[:, 1])
    assert samples.nbytes == 2 * 22 * 120 * 4


def test_channels_in_the_order_of_the_map(files, stored):
    samples = load(files[12, 10], inputs={"temperature": [-1, 0]}, samples=slice(3, 9))
    np.testing.assert_array_equal(samples.x[..., 0], stored[3:9, 1])
    np.testing.assert_array_equal(samples.x[..., 1], stored[3:9, 0])


def test_every_start_in_time_is_a_sample(files, stored):
    same = {"temperature": [0]}
    samples = load(files[12, 10], same, same, windows=True)
    # Two times are stored, so a map from a time to itself fits twice; those of a trajectory follow each other.
    assert len(samples) == 2 * len(stored)
    np.testing.assert_array_equal(samples.x[..., 0], stored.reshape(-1, 12, 10))
    np.testing.assert_array_equal(samples.x, samples.y)
    assert len(load(files[12, 10], windows=True)) == len(stored)


def test_take(files):
    samples = load(files[12, 10])
    some = samples.take([4, 2])
    assert len(some) == 2
    np.testing.assert_array_equal(some.y, samples.y[[4, 2]])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"inputs": {"pressure": [0]}}, r"field 'pressure'.*wanted one of \['temperature'\]"),
        ({"targets": {"temperature": [2]}}, r"time index 2 .* wanted -2 .. 1"),
        ({"targets": {"temperature": []}}, "empty field map"),
        ({"samples": slice(30, 40)}, "some of 22"),
    ],
)
def test_bad_request(files, arguments, message):
    with pytest.raises(DataError, match=message):
        load(files[12, 10], **arguments)
