"""The multi-grid wrapper around trunks whose result is known."""

import functools

import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from operator_testing import apply, build, sample

from operators import FNO, MGTFNO, TFNO
from operators.base import Operator

SMALL = functools.partial(FNO, (4, 4), hidden_channels=4, n_layers=1, use_channel_mlp=False)


class Stencil(Operator):
    """A nonlinear function of the neighbours up to two points away, of the first channels; periodic."""

    ndim = 2

    def __init__(self, in_channels, out_channels, *, rngs):
        self.in_channels, self.out_channels = in_channels, out_channels

    def __call__(self, u, output_shape=None):
        v = u[..., : self.out_channels]
        for axis in (-3, -2):
            v = jnp.sin(jnp.roll(v, 2, axis)) - v * jnp.roll(v, -1, axis)
        return v


def multigrid(trunk, channels=1, **options):
    return MGTFNO(channels, channels, trunk=trunk, rngs=nnx.Rngs(0), **options)


@pytest.mark.parametrize("levels", [1, 2])
def test_a_halo_as_wide_as_the_stencil_gives_the_whole_field(levels):
    """Patches, halos and stitching without a seam; without a halo there is one."""
    u = sample(2, 16, 32, 3)
    want = apply(Stencil(3, 3, rngs=nnx.Rngs(0)), u)
    got = apply(multigrid(Stencil, 3, levels=levels, padding_fraction=(2 / 16, 2 / 32)), u)
    np.testing.assert_allclose(got, want, atol=1e-6)  # fused differently: round-off
    seamed = apply(multigrid(Stencil, 3, levels=levels, padding_fraction=0), u)
    assert np.abs(seamed - want).max() > 0.1


def test_no_levels_is_the_trunk():
    u = sample(2, 10, 13, 2)
    trunk = build(lambda: SMALL(in_channels=2, out_channels=2, rngs=nnx.Rngs(0)))
    operator = build(lambda: multigrid(SMALL, 2, levels=0, padding_fraction=0, global_coordinates=False))
    np.testing.assert_allclose(apply(operator, u), apply(trunk, u), atol=1e-6)
    # Global coordinates are then those of the trunk.
    bare = functools.partial(SMALL, positional_embedding=None)
    operator = build(lambda: multigrid(bare, 2, levels=0, padding_fraction=0))
    np.testing.assert_allclose(apply(operator, u), apply(trunk, u), atol=1e-6)


@pytest.mark.parametrize("everywhere", [False, True])
def test_only_global_coordinates_tell_patches_apart(everywhere):
    u = jnp.tile(sample(1, 16, 16, 1), (1, 2, 2, 1))
    v = apply(build(lambda: multigrid(SMALL, global_coordinates=everywhere)), u)
    difference = np.abs(v[:, :16, :16] - v[:, 16:, 16:]).max()
    assert difference > 1e-2 if everywhere else difference < 1e-6


def test_trunk_channels():
    operator = nnx.eval_shape(lambda: multigrid(functools.partial(TFNO, 4, hidden_channels=4), 3, levels=2, ndim=1))
    assert operator.trunk.in_channels == (3 + 1) * 3
    operator = nnx.eval_shape(lambda: multigrid(SMALL, 3, levels=2, global_coordinates=False))
    assert operator.trunk.in_channels == 3 * 3


def test_the_coarse_levels_are_seen():
    """A point far from a patch changes it through the coarse levels, or not at all."""
    u = sample(1, 32, 32, 1)
    far = u.at[:, 20, 20].add(1.0)
    operator = build(lambda: multigrid(SMALL, levels=2, padding_fraction=0))
    assert np.abs(apply(operator, far) - apply(operator, u))[:, :8, :8].max() > 1e-3
    # An odd point lies on no coarse level.
    odd = u.at[:, 21, 21].add(10.0)
    np.testing.assert_array_equal(apply(operator, odd)[:, :8, :8], apply(operator, u)[:, :8, :8])
    filtered = build(lambda: multigrid(SMALL, levels=2, padding_fraction=0, antialias=True))
    assert np.abs(apply(filtered, odd) - apply(filtered, u))[:, :8, :8].max() > 1e-3


def test_the_function_does_not_depend_on_the_grid():
    """A field that every level holds, on 32 and on 64 points: the outputs agree up to what the seams alias."""
    operator = build(lambda: multigrid(functools.partial(SMALL, positional_embedding=None), levels=1))
    outputs = []
    for n in (32, 64, 128):
        x = 2 * np.pi * np.arange(n) / n
        u = jnp.asarray(np.sin(x)[:, None] * np.cos(2 * x)[None, :], jnp.float32)[None, ..., None]
        outputs.append(np.asarray(apply(operator, u))[:, :: n // 32, :: n // 32])
    coarse, middle, fine = outputs
    change = [np.linalg.norm(a - b) / np.linalg.norm(fine) for a, b in ((coarse, middle), (middle, fine))]
    # First order in the spacing: a patch is periodic in a trunk whose coefficients see a jump at its ends.
    assert change[1] < 0.6 * change[0] and change[1] < 0.05


def test_training_grids_are_checked_by_the_patch():
    operator = nnx.eval_shape(lambda: multigrid(functools.partial(FNO, (12, 12), hidden_channels=4), levels=2))
    operator.check_grid((64, 64))  # patches of 16 + 2 * 8 points
    with pytest.raises(ValueError, match=r"on a grid of shape \(8, 8\)"):
        operator.check_grid((16, 16))
    with pytest.raises(ValueError, match=r"resize the field to \(64, 64\), or take fewer levels"):
        operator.check_grid((60, 64))


def test_bad_arguments():
    for options, match in (
        ({"levels": -1}, "levels: got -1"),
        ({"padding_fraction": (0.1,)}, "padding_fraction"),
        ({"ndim": 3}, "trunk: got an operator of 2 axes, wanted 3"),
    ):
        with pytest.raises(ValueError, match=match):
            nnx.eval_shape(functools.partial(multigrid, SMALL, **options))
