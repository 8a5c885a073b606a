"""Networks of AFNO blocks: published sizes, patches, places, heads, modulation."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from jaxtyping import config
from operator_testing import apply, build, sample

from operators import DPOT, AFNONet, ModAFNO
from operators.afno_classifier import AFNOClassifier
from operators.layers.afno_mixer import AFNOMixer
from operators.layers.drop_path import DropPath
from operators.layers.patch_embedding import patchify, unpatchify
from operators.layers.position_embedding import PositionEmbedding
from operators.layers.scale_shift import ScaleShift
from operators.layers.time_aggregator import TimeAggregator
from operators.presets import DPOT_SIZES, afno_vit_s4, dpot, fourcastnet

SMALL = {"grid": (8, 12), "patch_size": (2, 3), "embed_dim": 8, "depth": 2, "num_blocks": 2}


def net(**options) -> AFNONet:
    return AFNONet(2, 3, **SMALL | options, rngs=nnx.Rngs(0))


def count(make) -> int:
    state = nnx.state(nnx.eval_shape(lambda: make(rngs=nnx.Rngs(0))), nnx.Param)
    return sum(math.prod(leaf.shape) for leaf in jax.tree.leaves(state))


def test_published_sizes():
    assert count(lambda rngs: AFNOMixer(768, num_blocks=8, rngs=rngs)) == 297_984
    assert count(fourcastnet) == 74_690_304
    # Its code has a final norm that it never calls.
    assert count(lambda rngs: fourcastnet(final_norm=True, rngs=rngs)) == 74_691_840
    assert count(lambda rngs: fourcastnet(final_norm=True, num_blocks=16, rngs=rngs)) == 72_922_368
    # "16M" in the paper, which is without the 1.2M of 56 x 56 places.
    assert count(afno_vit_s4) - 56**2 * 384 == 16_389_736
    assert count(lambda rngs: afno_vit_s4(embed_dim=256, rngs=rngs)) == 8_190_696


@pytest.mark.parametrize(("size", "published"), [*zip(DPOT_SIZES, (7, 30, 122, 509, 1030), strict=True)])
def test_published_sizes_of_dpot(size, published):
    width = DPOT_SIZES[size][0]
    # The head that names one of 12 data sets is left out.
    head = 2 * width * (width + 1) + 12 * (width + 1)
    got = (count(lambda rngs: dpot(size, rngs=rngs)) + head) / 1e6
    assert got == pytest.approx(published, abs=max(0.9, 5e-3 * published))


@pytest.mark.parametrize(("shape", "patch"), [((6,), (3,)), ((4, 9), (2, 3)), ((4, 2, 6), (2, 1, 3))])
def test_patches_there_and_back(shape, patch):
    u = sample(2, *shape, 3)
    tokens = patchify(u, patch)
    assert tokens.shape == (2, *(s // p for s, p in zip(shape, patch, strict=True)), 3 * math.prod(patch))
    # The first token is the first patch, its points in order, channels fastest.
    first = u[(0, *(slice(p) for p in patch))]
    np.testing.assert_array_equal(tokens[(0, *[0] * len(shape))], first.ravel())
    np.testing.assert_array_equal(unpatchify(tokens, patch), u)


def test_places_are_interpolated_between_the_centres_of_cells():
    layer = build(lambda: PositionEmbedding((8, 6), 2, rngs=nnx.Rngs(0)))
    centres = (np.arange(8) + 0.5) / 8
    # A parabola in one direction, which cubic convolution keeps away from the ends.
    layer.vectors.set_value(jnp.asarray(np.broadcast_to(centres[:, None, None] ** 2, (8, 6, 2)), jnp.float32))
    fine = np.asarray(apply(layer, jnp.zeros((1, 16, 6, 2))))[0, :, 0, 0]
    np.testing.assert_allclose(fine[4:-4], ((np.arange(16) + 0.5) / 16)[4:-4] ** 2, atol=1e-6)


def test_double_skip_by_hand():
    x = sample(2, 4, 4, 8)
    for double in (True, False):
        block = build(lambda double=double: net(double_skip=double)).trunk.blocks[0]
        mixed = block.mixer(block.norm1(x))
        want = (mixed + x) + block.mlp(block.norm2(mixed + x)) if double else x + block.mlp(block.norm2(mixed))
        np.testing.assert_allclose(apply(block, x), want, atol=1e-5)


@pytest.mark.parametrize("mixer", ["global_filter", "attention"])
def test_other_mixers(mixer):
    options = {"num_heads": 2} if mixer == "attention" else {}
    small = {name: value for name, value in SMALL.items() if name != "num_blocks"}
    network = build(lambda: AFNONet(2, 3, mixer=mixer, remat=True, **small, **options, rngs=nnx.Rngs(0)))
    u = sample(1, 8, 12, 2)
    v = apply(network, u)
    assert v.shape == (1, 8, 12, 3) and np.isfinite(v).all()
    # Attention without places does not know where a token is: with equal places tokens may change theirs.
    if mixer == "attention":
        network.trunk.position = None
        moved = apply(network, jnp.roll(u, 2, axis=1))
        np.testing.assert_allclose(moved, np.roll(apply(network, u), 2, axis=1), atol=1e-5)


def test_patches_on_another_grid():
    network = build(net)
    assert apply(network, sample(2, 4, 6, 2)).shape == (2, 4, 6, 3)
    with pytest.raises(
        ValueError, match=r"u: got \(9, 12\), wanted multiples of patch_size=\(2, 3\).* such as \(8, 12\)"
    ):
        network(sample(1, 9, 12, 2))
    with pytest.raises(ValueError, match=r"shape: got \(9, 12\), wanted multiples"):
        network.check_grid((9, 12))
    limited = build(lambda: net(truncation="two_sided", n_modes=(4, 4)))
    assert limited.mode_grids((16, 24)) == [("n_modes", (4, 4), (8, 8))]
    with pytest.raises(ValueError, match=r"n_modes: got \(4, 4\) on a grid of shape \(4, 4\)"):
        limited.check_grid((8, 12))


def test_recomputing_blocks_changes_nothing():
    u = sample(2, 8, 12, 2)
    network, again = build(net), build(lambda: net(remat=True))
    np.testing.assert_allclose(apply(again, u), apply(network, u), atol=1e-5)


def test_samples_on_several_devices():
    """Values and gradients are those of one device, and nothing is gathered."""
    network, u = build(lambda: net(depth=1)), sample(4, 8, 12, 2)
    graph, state = nnx.split(network)
    mesh = jax.make_mesh((4,), ("data",), axis_types=(jax.sharding.AxisType.Auto,))

    def loss(state, u):
        return jnp.mean(jnp.square(nnx.merge(graph, state)(u)))

    spread = jax.shard_map(
        jax.value_and_grad(lambda state, u: jax.lax.pmean(loss(state, u), "data")),
        mesh=mesh,
        in_specs=(jax.P(), jax.P("data")),
        out_specs=jax.P(),
    )
    program = jax.jit(spread).lower(state, u).compile()
    assert "all-gather" not in (program.as_text() or "")
    got, want = jax.jit(spread)(state, u), jax.jit(jax.value_and_grad(loss))(state, u)
    # Another order of sums.
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5), got, want)


def test_classifier():
    small = {**SMALL, "double_skip": False}
    classifier = build(lambda: AFNOClassifier(3, 5, rngs=nnx.Rngs(0), **small))
    logits = apply(classifier, sample(2, 8, 12, 3))
    assert logits.shape == (2, 5) and classifier.trunk.final_norm is not None
    assert jax.eval_shape(classifier, jnp.zeros((4, 2, 8, 12, 3))).shape == (4, 2, 5)


def test_modulation():
    """Outputs depend on the time; times may differ from sample to sample."""
    small = {**SMALL, "mod_dim": 4}
    network = build(lambda: ModAFNO(2, 3, rngs=nnx.Rngs(0), **small))
    u = sample(2, 8, 12, 2)
    call = jax.jit(lambda network, u, time: network(u, time=time))
    both = call(network, u, jnp.array([0.2, 0.8]))
    for sample_, time in enumerate((0.2, 0.8)):
        np.testing.assert_allclose(both[sample_], call(network, u, jnp.array([time]))[sample_], atol=1e-5)
    assert np.abs(both[1] - call(network, u, jnp.array([0.2]))[1]).max() > 1e-2
    plain = nnx.eval_shape(lambda: ModAFNO(2, 3, bias="spatial", rngs=nnx.Rngs(0), **small))
    assert jax.eval_shape(lambda plain, u: plain(u), plain, u).shape == (2, 8, 12, 3)


def test_what_a_modulated_network_refuses():
    def made(**options) -> ModAFNO:
        return ModAFNO(1, 1, grid=(8, 8), embed_dim=8, depth=1, mod_dim=8, rngs=nnx.Rngs(0), **options)

    with pytest.raises(ValueError, match="max_time: got 0, wanted a time above 0"):
        made(max_time=0)
    with pytest.raises(ValueError, match=r"n_modes: got \(8, 8\)"):
        made(truncation="two_sided", n_modes=(8, 8)).check_grid((8, 8))
    with pytest.raises(ValueError, match=r"time: got \(3,\), wanted one time, or one for each of 2 samples"):
        made()(sample(2, 8, 8, 1), time=jnp.zeros(3))
    with pytest.raises(ValueError, match="embed_dim: got 12, wanted a multiple of 8"):
        DPOT(1, 1, n_steps=1, grid=(8, 8), embed_dim=12, depth=1, rngs=nnx.Rngs(0))


def test_a_complex_scale_is_a_complex_product():
    layer = build(lambda: AFNOMixer(4, num_blocks=2, rngs=nnx.Rngs(0)))
    z, scale, shift = sample(2, 3, 5, 2, 2), sample(3, 2, 4, seed=1), sample(3, 2, 4, seed=2)
    got = np.asarray(layer._modulated(z, scale, shift))
    for block in range(2):
        s, t = (np.asarray(a)[..., 2 * block : 2 * block + 2] for a in (scale, shift))
        want = (z[block, ..., 0, :] + 1j * z[block, ..., 1, :]) * (s[:, 0] + 1j * s[:, 1])[:, None]
        want = want + (t[:, 0] + 1j * t[:, 1])[:, None]
        np.testing.assert_allclose(got[block, ..., 0, :] + 1j * got[block, ..., 1, :], want, atol=1e-5)
    # The untrained one is nearly 1, not 1 + i.
    made = ScaleShift(4, 6, pair=True, rngs=nnx.Rngs(0))
    np.testing.assert_allclose(made(jnp.zeros((1, 4)))[0], np.array([[[1.0] * 6, [0.0] * 6]]), atol=1e-6)


def test_time_aggregation_by_hand():
    layer = build(lambda: TimeAggregator(3, 2, rngs=nnx.Rngs(0)))
    x = np.asarray(sample(1, 3, 4, 2))
    want = sum(
        (x[:, n] * np.cos(np.asarray(layer.frequency[...]) * n / 2)) @ np.asarray(layer.weight[n]) for n in range(3)
    )
    np.testing.assert_allclose(apply(layer, jnp.asarray(x)), want, atol=1e-5)


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"patch_size": 0}, "patch_size: got"),
        ({"patch_size": (2, 3, 4)}, "patch_size: got"),
        ({"grid": (9, 12)}, r"grid: got \(9, 12\), wanted multiples of"),
        ({"grid": None}, "grid: got None, wanted that of the data"),
        ({"embed_dim": "a"}, "embed_dim: got 'a'"),
        ({"depth": 0}, "depth: got 0"),
        ({"mlp_ratio": 0}, "mlp_ratio: got 0"),
        ({"double_skip": 1}, "double_skip: got 1"),
        ({"norm": "batch_norm"}, "norm: got 'batch_norm'"),
        ({"norm": "group_norm", "embed_dim": 12}, "norm: got 'group_norm'"),
        ({"position": "sine"}, "position: got 'sine'"),
        ({"mixer": "fno"}, "mixer: got 'fno'"),
        ({"num_heads": 2}, "num_heads: got 2, wanted an option of AFNOTrunk; it has .*num_blocks"),
        ({"remat": 1}, "remat: got 1"),
        ({"final_norm": "no"}, "final_norm: got 'no'"),
    ],
    ids=str,
)
def test_bad_options_are_named(options, match, monkeypatch):
    # As users have it: the types of arguments are not checked.
    monkeypatch.setattr(config, "jaxtyping_disable", True)
    with pytest.raises(ValueError, match=f"^{match}"):
        nnx.eval_shape(lambda: net(**options))


def test_dropped_paths_keep_the_mean():
    drop = DropPath(0.5, 3, rngs=nnx.Rngs(0))
    first, second = (np.asarray(drop(4000)) for _ in range(2))
    assert drop.rates == (0, 0.25, 0.5) and not np.array_equal(first, second)
    np.testing.assert_array_equal(first[0], 1)
    for factors, rate in zip(first[1:], drop.rates[1:], strict=True):
        np.testing.assert_allclose(np.unique(factors), [0, 1 / (1 - rate)], rtol=1e-6)
        assert factors.mean() == pytest.approx(1, abs=0.05)  # three standard deviations of 4000 draws
    drop.eval()
    assert drop(4) is None
    assert DropPath(0.5, 1, rngs=nnx.Rngs(0)).rates == (0.5,)
    with pytest.raises(ValueError, match=r"drop_path: got 1.0, wanted a probability"):
        DropPath(1.0, 3, rngs=nnx.Rngs(0))


@pytest.mark.parametrize("remat", [False, True])
def test_paths_are_dropped_while_training_alone(remat):
    dropping, plain = net(drop_path=0.9, remat=remat), net()
    nnx.update(dropping, nnx.state(plain, nnx.Param))
    u = sample(16, 8, 12, 2)
    calls = [np.asarray(nnx.jit(lambda m, u: m(u))(dropping, u)) for _ in range(2)]
    want = np.asarray(apply(plain, u))
    # Most samples skip the last MLP, others than in the next call; the MLP of the first block is never dropped.
    drop = dropping.trunk.drop
    assert np.abs(calls[0] - calls[1]).max() > 1e-3 and drop is not None and int(drop.calls[...]) == 2
    dropping.eval()
    np.testing.assert_allclose(apply(dropping, u), want, rtol=1e-5, atol=1e-5)
