"""Multi-grid patches: the index rule, and that stitching undoes cutting."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from operator_testing import sample

from operators.layers import patching
from spectral.filters import resize


def patches_of(u, levels, fraction, **options):
    shape = u.shape[1:-1]
    size, padding = patching.patch_size(shape, levels), patching.padding_points(shape, fraction)
    # One compiled program: eager slices would be compiled one by one.
    cut = jax.jit(lambda u: patching.cut(patching.pyramid(u, levels, **options), size, padding))
    return cut(u), padding


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
    np.testing.assert_array_equal(jax.jit(patching.stitch, static_argnums=1)(got[..., :2], padding), u)
    # The same rule as numbers, for the coordinates.
    for j, points in enumerate(shape):
        lines = patching.window_points(points, levels, padding[j])
        for patch, level in np.ndindex(2**levels, levels + 1):
            np.testing.assert_array_equal(lines[patch, :, level], rows(points, levels, level, patch, padding[j]))


def test_coordinates_are_those_of_the_points():
    """Appended to the patches of a field as to the field before it is cut, on every level."""
    u, d = sample(2, 16, 32, 3), 2
    lines = [np.arange(s) / s for s in u.shape[1:-1]]
    grid = jnp.asarray(np.stack(np.meshgrid(*lines, indexing="ij"), -1)[None].repeat(2, 0), jnp.float32)
    wanted, padding = patches_of(jnp.concatenate([u, grid], -1), 2, (0.1, 0.2))
    patches, _ = patches_of(u, 2, (0.1, 0.2))
    points = [patching.window_points(s, 2, p) / s for s, p in zip(u.shape[1:-1], padding, strict=True)]
    got = patching.with_coordinates(patches, [jnp.asarray(line, jnp.float32) for line in points])
    assert got.shape[-1] == (3 + d) * 3
    np.testing.assert_array_equal(got, wanted)


def test_split_is_what_stitching_undoes():
    u = sample(2, 3, 8, 12, 2)
    patches = patching.split(u, 2, 1)
    assert patches.shape == (2, 3, 2, 2, 4, 6, 2)
    np.testing.assert_array_equal(patches[1, 2, 0, 1], u[1, 2, :4, 6:])
    np.testing.assert_array_equal(patching.stitch(patches[0], (0, 0)), u[0])
    with pytest.raises(ValueError, match="wanted axes that divide by 4"):
        patching.split(u[:, :, :6], 2, 2)


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


def test_antialiased_levels_leave_out_what_they_cannot_hold():
    x = np.arange(32) / 32
    slow, fast = np.cos(2 * np.pi * 3 * x), np.cos(2 * np.pi * 13 * x)
    u = jnp.asarray(slow + fast, jnp.float32)[None, :, None]
    aliased, filtered = (patching.pyramid(u, 1, antialias=a)[1][0, :, 0] for a in (False, True))
    np.testing.assert_allclose(filtered, slow[::2], atol=1e-6)  # float32 transforms
    # On 16 points wave 13 is wave 3.
    np.testing.assert_allclose(aliased, 2 * slow[::2], atol=1e-6)
    u = sample(1, 16, 32, 2)
    # By way of a grid without the level's Nyquist frequency, which stands for two waves.
    wanted = resize(resize(u, (3, 7), (1, 2)), (4, 8), (1, 2))
    for spread in (False, True):  # transforms, and matrix products
        coarsest = jax.jit(lambda u, spread=spread: patching.pyramid(u, 2, antialias=True, spread=spread)[2])(u)
        np.testing.assert_allclose(coarsest, wanted, atol=1e-6)


def test_grids_that_cannot_be_cut_are_refused():
    assert patching.aligned_shape((10, 64), 1) == (12, 64)
    for shape, levels, match in (((32, 32), 3, r"resize the field to \(64, 64\)"), ((8, 8), -1, "levels >= 0")):
        with pytest.raises(ValueError, match=match):
            patching.patch_size(shape, levels)
