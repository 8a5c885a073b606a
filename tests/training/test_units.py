"""Units of a run that begins with the parameters of another."""

import numpy as np
import pytest

from data.normalizer import Normalizer
from training.directory import write_normalizers
from training.units import TOLERANCE, check_units


def units(*pairs: tuple[float, float]) -> Normalizer:
    mean, std = np.array(pairs, np.float32).T
    return Normalizer(mean, std)


U, V = (10.0, 2.0), (-1.0, 0.5)
FIELDS = 2, 2


@pytest.fixture
def first(tmp_path):
    write_normalizers(tmp_path, units(U, V), units(U, V))
    return tmp_path


@pytest.mark.parametrize(
    "targets",
    [
        units(U, V),
        units(U, U, V, V),  # two times of each field: the second stage of a forecast
        units((10.0 + 0.9 * 2.0 * TOLERANCE, 2.0), (-1.0, 0.5 * (1 + 0.9 * TOLERANCE))),  # other samples
    ],
)
def test_the_same_units(first, targets):
    check_units(first, (units(U, V), targets), FIELDS)


@pytest.mark.parametrize(
    "targets",
    [
        units(V, U),  # fields in another order
        units(U, V, U, V),  # times of other fields
        units((10.0 + 1.1 * 2.0 * TOLERANCE, 2.0), V),
        units(U, (-1.0, 0.5 * (1 - 1.1 * TOLERANCE))),
        units(U, V, V),  # no whole number of times
        Normalizer.identity(2),
        Normalizer(np.full((4, 4, 2), U[0], np.float32), np.full((4, 4, 2), U[1], np.float32)),  # of points
    ],
)
def test_other_units(first, targets):
    with pytest.raises(
        ValueError, match=r"start_from: got targets of mean and scale .*, wanted those that .* 10 and 2, "
    ):
        check_units(first, (units(U, V), targets), FIELDS)
    with pytest.raises(ValueError, match=r"start_from: got inputs .* take its data.normalize_inputs"):
        check_units(first, (targets, units(U, V)), FIELDS)


def test_a_field_that_does_not_vary(tmp_path):
    # It has no scale to compare with: float32 sums round its mean.
    write_normalizers(tmp_path, units((0.1, 0.0)), units(U))
    check_units(tmp_path, (units((0.1 * (1 + 1e-6), 1e-9)), units(U)), (1, 1))
    with pytest.raises(ValueError, match="got inputs"):
        check_units(tmp_path, (units((0.2, 0.0)), units(U)), (1, 1))
