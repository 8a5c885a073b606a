"""Multi-grid patches: the index rule, and that stitching undoes cutting."""

import math

import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from operator_testing import sample

from operators.layers import patching
from spectral.filters import resize


def patches_of(u, levels, fraction, **options):
    shape = u.shape[1:-1]
    size, padding = patching.patch_size(shape, levels), patching.padding_points(shape, fraction)
    return patching.cut(patching.pyramid(u, levels, **options), size, padding), padding


def rows(points, levels, level, patch, padding):
    """Points of the whole axis that one window holds, from the published rule."""
    n, s = 2**levels, 2**level
    h = points // n
    start = patch * (h // s) - math.ceil((h + (n - 1) * h / s - points / s) / 2) - padding
    return np.arange(start, start + h + 2 * padding) % (points // s) * s


def cut_by_index(u, levels, padding):
    d = u.ndim - 2
    patches = []
    for index in np.ndindex(*(2**levels,) * d):
        windows = []
        for level in range(levels + 1):
            lines = [rows(u.shape[1 + j], levels, level, index[j], padding[j]) for j in range(d)]
            windows.append(np.asarray(u)[(slice(None), *np.ix_(*lines))])
        patches.append(np.concatenate(windows, -1))
    whole = np.stack(patches, 1)
    return whole.reshape(u.shape[0], *(2**levels,) * d, *whole.shape[2:])


@pytest.mark.parametrize(
    ("shape", "levels", "fraction"),
    [
        ((32, 32), 1, (0.0, 0.0)),
        ((32, 32), 2, (0.125, 0.125)),
        ((64, 32), 2, (0.1, 0.0)),
        ((64, 64), 3, (0.07, 0.3)),
        ((128, 64), 3, (0.0, 0.05)),
        ((16, 16), 1, (0.9, 0.6)),  # more padding than a coarse level has points
        ((48,), 2, (0.1,)),
        ((4, 8, 12), 1, (0.25, 0.0, 0.1)),
        ((5, 6), 0, (0.0, 0.2)),
    ],
    ids=str,
)
def test_every_window_holds_the_points_of_the_rule(shape, levels, fraction):
    u = sample(2, *shape, 2)
    got, padding = patches_of(u, levels, fraction)
    np.testing.assert_array_equal(got, cut_by_index(u, levels, padding))
    np.testing.assert_array_equal(patching.stitch(got[..., :2], padding), u)


def test_columns_of_a_small_case():
    """64 points, two levels: the first patch and the start of the second, written out."""
    u = jnp.arange(64.0)[None, :, None]
    got, _ = patches_of(u, 2, (0.0,))
    assert got.shape == (1, 4, 16, 3)
    np.testing.assert_array_equal(got[0, 0, :, 0], range(16))
    np.testing.assert_array_equal(got[0, 0, :, 1], [56, 58, 60, 62, 0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22])
    np.testing.assert_array_equal(got[0, 0, :, 2], [40, 44, 48, 52, 56, 60, 0, 4, 8, 12, 16, 20, 24, 28, 32, 36])
    assert float(got[0, 1, 0, 1]) == 8
    padded, _ = patches_of(u, 2, (1 / 64,))
    # One point more at both ends, of each level.
    np.testing.assert_array_equal(padded[0, 0, [0, -1]], [[63, 54, 36], [16, 24, 40]])


@settings(max_examples=12, deadline=None)
@given(st.integers(0, 2), st.tuples(st.integers(1, 2), st.integers(1, 2)), st.tuples(*[st.floats(0, 0.4)] * 2))
def test_stitching_undoes_cutting(levels, units, fraction):
    u = sample(1, *(unit * 4**levels for unit in units), 3)
    patches, padding = patches_of(u, levels, fraction)
    np.testing.assert_array_equal(patching.stitch(patches[..., :3], padding), u)


def test_antialiased_levels_leave_out_what_they_cannot_hold():
    x = np.arange(32) / 32
    slow, fast = np.cos(2 * np.pi * 3 * x), np.cos(2 * np.pi * 13 * x)
    u = jnp.asarray(slow + fast, jnp.float32)[None, :, None]
    aliased, filtered = (patching.pyramid(u, 1, antialias=a)[1][0, :, 0] for a in (False, True))
    np.testing.assert_allclose(filtered, slow[::2], atol=1e-6)  # float32 transforms
    # On 16 points wave 13 is wave 3.
    np.testing.assert_allclose(aliased, 2 * slow[::2], atol=1e-6)
    both = patching.pyramid(sample(1, 16, 32, 2), 2, antialias=True)
    np.testing.assert_allclose(both[2], resize(both[0], (4, 8), (1, 2)), atol=1e-6)


def test_grids_that_cannot_be_cut_are_refused():
    assert patching.aligned_shape((10, 64), 1) == (12, 64)
    for shape, levels, match in (((32, 32), 3, r"resize the field to \(64, 64\)"), ((8, 8), -1, "levels >= 0")):
        with pytest.raises(ValueError, match=match):
            patching.patch_size(shape, levels)
