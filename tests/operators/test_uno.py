"""The U-shaped operator: identities with numbers, grids, and what is refused."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from operator_testing import apply, apply_to, build, sample

from operators import FNO, UNO
from operators.interop import load_neuraloperator, to_neuraloperator
from operators.layers.by_position import cubic_matrix, interpolate, linear_matrix
from operators.layers.spectral_conv import SpectralConv

SMALL = {"lifting_channels": 8, "projection_channels": 8}


def uno(n_layers: int = 2, ndim: int = 1, scalings=(0.5, 2), **options) -> UNO:
    lists = {
        "n_layers": n_layers,
        "uno_out_channels": (4,) * n_layers,
        "uno_n_modes": ((4,) * ndim,) * n_layers,
        "uno_scalings": scalings,
    }
    return UNO(1, 1, 4, **SMALL | lists | options, rngs=nnx.Rngs(0))


def field(*shape: int) -> np.ndarray:
    """A trigonometric polynomial with frequencies up to 2 on every axis, of every sign, [1, *shape, 1]."""
    rng, points = np.random.default_rng(0), np.meshgrid(*(np.arange(s) / s for s in shape), indexing="ij")
    u = np.zeros(shape)
    for k in np.ndindex(*[5] * len(shape)):
        phase = sum((f - 2) * x for f, x in zip(k, points, strict=True))
        u += rng.normal() * np.cos(2 * np.pi * phase + rng.uniform(0, 6))
    return (u / 5 ** len(shape))[None, ..., None].astype(np.float32)


def unit_weights(network: UNO) -> UNO:
    """Channels pass every block's convolution as they are."""
    for block in network.blocks:
        re = jnp.broadcast_to(jnp.eye(4), (*block.conv.weight.tensor.shape[:-3], 4, 4))
        block.conv.weight.tensor[...] = jnp.stack([re, 0 * re], axis=-3)
        block.conv.bias[...] = jnp.zeros(4)
    return network


@pytest.mark.parametrize(("shape", "factor"), [((12,), 0.5), ((9, 10), 2), ((10, 13), [1.5, 0.6]), ((7, 6, 8), 1.5)])
def test_a_block_carries_a_band_limited_function(shape, factor):
    """Up, down, odd, rectangular: the same function on the other grid, and the skip of its block once more."""
    options = {"scalings": (factor,), "uno_n_modes": ((5,) * len(shape),), "fno_skip": "identity"}
    network = unit_weights(build(lambda: uno(1, use_channel_mlp=False, positional_embedding=None, **options)))
    grid = network.grids(shape).output
    assert grid == tuple(round(f * s) for f, s in zip(np.broadcast_to(factor, len(shape)), shape, strict=True))
    # The lifting and the projection are pointwise, but not linear.
    got = apply_to(network.blocks[0], jnp.tile(field(*shape), 4), grid)
    np.testing.assert_allclose(got, np.tile(2 * field(*grid), 4), atol=2e-6)


def test_with_factors_of_one_and_no_skips_it_is_an_fno():
    shared = {"norm": "group_norm", "domain_padding": 0.25, "channel_mlp_skip": "linear"}
    fno = build(lambda: FNO((4,), 1, 1, 4, n_layers=3, rngs=nnx.Rngs(0), **shared))
    network = build(lambda: uno(3, scalings=(1, 1, 1), horizontal_skips_map={}, **shared), seed=1)
    network.blocks, network.lifting, network.projection = fno.blocks, fno.lifting, fno.projection
    u = sample(2, 11, 1)
    np.testing.assert_array_equal(apply(network, u), apply(fno, u))
    # With compat the blocks have no activation.
    other = build(lambda: uno(3, scalings=(1, 1, 1), horizontal_skips_map={}, compat="neuralop2", **shared))
    assert [block.activate for block in network.blocks] == [True, True, False]
    assert not any(block.activate for block in other.blocks)


def test_skips_by_hand():
    network = build(lambda: uno(3, scalings=(0.5, 1, 2), domain_padding=0.25))
    assert network.sources == (None, None, 0)

    @jax.jit
    def by_hand(network, u):
        x = jnp.pad(network.lifting(network.embedding(u)), ((0, 0), (3, 3), (0, 0)))
        first = network.blocks[0](x, (9,))
        x = jnp.concatenate([network.blocks[1](first), network.horizontal_skips["0"](first)], -1)
        return network.projection(network.blocks[2](x, (18,))[:, 3:-3])

    u = sample(2, 12, 1)
    np.testing.assert_allclose(apply(network, u), by_hand(network, u), atol=1e-5)


def test_grids():
    network = build(lambda: uno(5, 2, scalings=(1, 0.5, [0.5, 1], 2, [2, 1])))
    # By the product of the factors: what goes down to a half of 13 comes back to 13, and 7 and 6 do not mix.
    assert network.grids((13, 14)).inner == ((13, 14), (6, 7), (3, 7), (6, 14), (13, 14))
    theirs = build(lambda: uno(5, 2, scalings=(1, 0.5, [0.5, 1], 2, [2, 1]), compat="neuralop2"))
    assert theirs.grids((15, 14)).inner == ((15, 14), (8, 7), (4, 7), (8, 14), (15, 14))
    assert network.grids((13, 14), (20, 9)).inner[-1] == network.grids((13, 14), (20, 9)).output == (20, 9)
    padded = build(lambda: uno(2, domain_padding=0.25))
    plan = padded.grids((10,))
    assert (plan.entry, plan.inner, plan.begin, plan.output) == ((14,), ((7,), (14,)), (2,), (10,))


@pytest.mark.parametrize("padding", [None, 0.125])
def test_resolutions_agree(padding):
    """Only activations and the padding's edges alias: the difference falls with resolution."""
    options = {"positional_embedding": None, "domain_padding": padding, "uno_n_modes": ((6,), (5,), (6,))}
    network = build(lambda: uno(3, scalings=(0.5, 1, 2), **options), scale=0.3)
    outputs = {n: np.asarray(apply(network, 4 * field(n))) for n in (32, 64, 128)}
    differences = [np.linalg.norm(outputs[2 * n][:, ::2] - outputs[n]) / np.linalg.norm(outputs[n]) for n in (32, 64)]
    assert differences[1] < differences[0] and differences[1] < 1e-3


def test_complex_data_and_adaptive_norm():
    z = sample(2, 12, 1) + 1j * sample(2, 12, 1, seed=1)
    network = build(lambda: uno(2, complex_data=True))
    v = apply(network, z)
    assert v.dtype == jnp.complex64 and v.shape == (2, 12, 1) and np.isfinite(v).all()
    adaptive = build(lambda: uno(2, norm="ada_in", ada_in_features=3))
    call = jax.jit(lambda network, u, embedding: network(u, embedding=embedding))
    one, other = (call(adaptive, sample(2, 12, 1), jnp.full(3, value)) for value in (0.0, 1.0))
    assert np.abs(one - other).max() > 1e-3


def test_facts_of_the_librarys_change_of_grid(x64):
    """How far it is from the periodic function: the reason why it is not the default."""
    for target, distance in ((32, 0.117), (8, 0.236)):
        fine, coarse = (np.cos(2 * np.pi * np.arange(n) / n) for n in (target, 16))
        error = np.linalg.norm(cubic_matrix(16, target) @ coarse - fine) / np.linalg.norm(fine)
        assert error == pytest.approx(distance, abs=5e-4)
    for make in (linear_matrix, cubic_matrix):
        np.testing.assert_allclose(make(9, 5).sum(1), 1, atol=1e-14)
        np.testing.assert_allclose(make(9, 9), np.eye(9), atol=1e-14)
        # Straight lines stay straight away from the ends, where taps are taken from the end.
        np.testing.assert_allclose((make(9, 17) @ np.arange(9.0))[4:-4], np.arange(17)[4:-4] / 2, atol=1e-14)
    wave = np.cos(2 * np.pi * np.arange(16) / 16)[:, None, None] + np.zeros((16, 4, 4))
    got = interpolate(jnp.asarray(wave[None, ..., None]), (32, 4, 4))[0, :, 0, 0, 0]
    np.testing.assert_allclose(got, np.cos(2 * np.pi * np.arange(32) / 32), atol=1e-14)


def test_facts_of_the_librarys_convolution():
    """A wave along a leading axis is lost to wrong bins by half (down) or 0.71 (up); along the last it is exact."""
    x = np.arange(16) / 16
    wave = np.broadcast_to(np.cos(2 * np.pi * x)[:, None, None], (16, 16, 1))
    for axis, target, error in ((0, 32, 0.71), (0, 8, 0.5), (1, 32, 0), (1, 8, 0)):
        conv = build(lambda: SpectralConv(1, 1, (6, 6), bias=False, compat="neuralop2", rngs=nnx.Rngs(0)))
        conv.weight.tensor[...] = jnp.zeros(conv.weight.tensor.shape).at[..., 0, :, :].set(1)
        got = apply_to(conv, jnp.asarray(np.moveaxis(wave, 0, axis)[None], jnp.float32), (target, target))
        want = np.moveaxis(np.broadcast_to(np.cos(2 * np.pi * np.arange(target) / target), (target, target)), 1, axis)
        assert np.linalg.norm(got[0, ..., 0] - want) / np.linalg.norm(want) == pytest.approx(error, abs=5e-3)


def test_weights_there_and_back():
    options = {"norm": "group_norm", "horizontal_skip": "soft-gating", "factorization": "Tucker", "rank": 0.5}
    network = build(lambda: uno(3, scalings=(0.5, 1, 2), **options))
    state_dict = to_neuraloperator(network)
    assert {"horizontal_skips.0.weight", "fno_blocks.2.convs.0.weight.core", "fno_blocks.1.norm.1.bias"} <= set(
        state_dict
    )
    assert state_dict["fno_blocks.2.fno_skips.0.conv.weight"].shape == (4, 8, 1)
    other = build(lambda: uno(3, scalings=(0.5, 1, 2), **options), seed=1)
    load_neuraloperator(other, state_dict)
    u = sample(1, 12, 1)
    np.testing.assert_array_equal(apply(other, u), apply(network, u))
    theirs = to_neuraloperator(build(lambda: uno(2, complex_data=True, horizontal_skips_map={1: 0})))
    assert {"lifting.fr.fcs.0.weight", "horizontal_skips.0.fi.conv.weight"} <= set(theirs)
    another = build(lambda: uno(2, complex_data=True, horizontal_skips_map={1: 0}), seed=1)
    load_neuraloperator(another, theirs)
    back = to_neuraloperator(another)
    assert theirs.keys() == back.keys() and all(np.array_equal(theirs[name], back[name]) for name in theirs)
    del state_dict["horizontal_skips.0.weight"]
    with pytest.raises(ValueError, match=r"1 of .* do not fit.*\n.*horizontal_skips\.0\.weight: got nothing"):
        load_neuraloperator(other, state_dict)
    options = {"norm": "group_norm", "use_channel_mlp": False}
    with pytest.raises(ValueError, match='compat="neuralop2"'):
        load_neuraloperator(
            build(lambda: uno(**options)), to_neuraloperator(build(lambda: uno(compat="neuralop2", **options)))
        )


def test_training_grids_of_all_blocks_are_checked():
    network = build(lambda: uno(3, scalings=(1, 0.5, 2), uno_n_modes=((12,), (6,), (6,))))
    network.check_grid((16,))
    with pytest.raises(
        ValueError, match=r"uno_n_modes\[1\]: got \(6,\) on a grid of shape \(6,\).* at most uno_n_modes"
    ):
        network.check_grid((13,))
    build(lambda: uno(3, scalings=(1, 0.5, 2), uno_n_modes=((12,), (6,), (6,)), domain_padding=0.125)).check_grid((14,))
    fno = FNO((6,), 1, 1, 4, n_layers=2, resolution_scaling_factor=[0.5, 2], rngs=nnx.Rngs(0))
    fno.check_grid((14,))
    with pytest.raises(ValueError, match=r"n_modes: got \(6,\) on a grid of shape \(6,\)"):
        fno.check_grid((12,))


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"uno_out_channels": (4,)}, r"uno_out_channels: got \(4,\), wanted a list of n_layers=2"),
        ({"uno_n_modes": (4, (4, 4))}, "uno_n_modes: got .* as many counts for every block"),
        ({"scalings": (1, 2, 1)}, "uno_scalings: got .* wanted a list of n_layers=2"),
        ({"scalings": (1, -2)}, "uno_scalings: got .* positive factor"),
        ({"scalings": ((1, 2), 1)}, "uno_scalings: got .* list of 1, one per axis"),
        ({"horizontal_skips_map": {1: 1}}, r"horizontal_skips_map: got \{1: 1\}, wanted"),
        ({"horizontal_skips_map": {"2": 0}}, r"horizontal_skips_map: got \{'2': 0\}, wanted"),
        ({"horizontal_skip": None}, "horizontal_skip: got None"),
        ({"horizontal_skip": "conv"}, "skip: got 'conv'"),
        (
            {"channel_mlp_skip": "soft-gating"},
            'channel_mlp_skip: got .* from 8 channels to 4: .* keeps the channels; use "linear"',
        ),
        ({"positional_embedding": "sinusoidal"}, "positional_embedding: got"),
        ({"n_layers": 0}, "n_layers: got 0"),
        ({"compat": "neuralop1"}, "compat: got 'neuralop1'"),
    ],
    ids=str,
)
def test_bad_options_are_named(options, match):
    with pytest.raises(ValueError, match=match):
        nnx.eval_shape(lambda: uno(**options))


def test_a_grid_without_points_is_named():
    with pytest.raises(ValueError, match=r"shape: got a grid \(1,\) that factors \(0.5,\) scale to \(0,\)"):
        build(uno)(sample(1, 1, 1))
