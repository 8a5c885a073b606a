"""The AFNO mixer: values of the published code, and what truncation, shrinkage, activations and biases do."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from jaxtyping import config
from operator_testing import apply, build, sample

from operators.layers.afno_mixer import AFNOMixer
from operators.layers.afno_modes import Truncation
from operators.layers.global_filter import GlobalFilter
from operators.layers.shrinkage import SoftShrink
from spectral.transforms import inverse_planes


def wave(shape: tuple[int, ...], size: float = 1.0, start: float = 0.2, step: float = 0.53) -> jax.Array:
    """size sin(start + step i) over the flat index i."""
    return jnp.asarray(size * np.sin(start + step * np.arange(np.prod(shape))).reshape(shape), jnp.float32)


def mixer(factor: int = 1, **options) -> AFNOMixer:
    """16 channels in 4 blocks, with the weights that the values below were recorded for."""
    made = nnx.eval_shape(lambda: AFNOMixer(16, num_blocks=4, hidden_size_factor=factor, rngs=nnx.Rngs(0), **options))
    made.w1.set_value(wave((2, 4, 4, 4 * factor), 0.2, 0.3, 0.7))
    made.w2.set_value(wave((2, 4, 4 * factor, 4), 0.2, 0.9, 0.37))
    if made.b1 is not None:
        made.b1.set_value(wave((2, 4, 4 * factor), 0.05, 0.1, 1.3))
        made.b2.set_value(wave((2, 4, 4), 0.05, 0.5, 0.11))
    return made


def half(name: str) -> dict:
    return {"truncation": name, "hard_thresholding_fraction": 0.5}


LINE, PLANE = (2, 32, 16), (2, 8, 12, 16)
# Options; sum, sum of squares, first four numbers, last number.
RECORDED = [
    ({}, PLANE, 7.058245, 1483.060792, (0.419628, 0.857845, 1.113366, 1.115341), 0.353627),
    ({"sparsity_threshold": 0}, PLANE, 10.193591, 1479.308241, (0.50536, 0.943134, 1.195129, 1.192806), 0.338401),
    ({"sparsity_threshold": 0.1}, PLANE, 0.508197, 1520.606669, (0.189667, 0.655424, 0.941191, 0.968852), 0.453494),
    ({"factor": 2}, PLANE, 11.163963, 1547.257295, (0.276595, 0.752829, 1.057652, 1.116028), 0.516509),
    (
        {"truncation": "two_sided", "n_modes": (4, 4)},
        *(PLANE, 7.058245, 1536.228326, (0.249813, 0.708999, 0.983947, 0.999883), 0.468692),
    ),
    ({"bias": None}, PLANE, 0.508197, 1477.723858, (0.163726, 0.621462, 0.901537, 0.925985), 0.370405),
    (
        {"truncation": "fourcastnet"},
        *(PLANE, 7.058244, 1485.283317, (0.371806, 0.806737, 1.061139, 1.060573), 0.351454),
    ),
    (half("fourcastnet"), PLANE, 0.508197, 1535.672026, (0.228229, 0.694879, 0.977423, 0.998619), 0.470012),
    ({"ndim": 1}, LINE, 6.882433, 495.322514, (0.379927,), 0.744691),
    ({"ndim": 1, **half("two_sided")}, LINE, 6.882433, 513.563171, (0.268616,), 0.882681),
]


def check_recorded(y: jax.Array, total: float, squares: float, first: tuple[float, ...], last: float) -> None:
    """Recorded in float32 with the published modules and in float64 with NumPy, which agree to 1e-8."""
    y = np.asarray(y, np.float64).ravel()
    assert y.sum() == pytest.approx(total, abs=1e-4)
    assert (y**2).sum() == pytest.approx(squares, rel=1e-5)
    np.testing.assert_allclose([*y[: len(first)], y[-1]], [*first, last], atol=5e-6)


@pytest.mark.parametrize(("options", "shape", "total", "squares", "first", "last"), RECORDED, ids=str)
def test_values_of_the_published_code(options, shape, total, squares, first, last):
    check_recorded(apply(mixer(**options), wave(shape)), total, squares, first, last)


def test_global_filter_values_of_the_published_code():
    layer = nnx.eval_shape(lambda: GlobalFilter(16, (8, 12), rngs=nnx.Rngs(0)))
    # Theirs is [h, w//2 + 1, c, (re, im)] in NumPy's order of rows.
    theirs = np.asarray(wave((8, 7, 16, 2), 0.2, 0.3, 0.7))
    layer.weight.tensor.tensor.set_value(jnp.asarray(np.roll(theirs, 4, axis=0).transpose(3, 2, 0, 1)))
    values = (0.242007, 0.128318, -0.087486, -0.11691)
    check_recorded(apply(layer, wave(PLANE)), 0.035997, 61.746019, values, -0.097907)


def test_one_linear_layer_of_blocks_with_the_values_of_the_published_code():
    """Their BFNO2D: no biases, no activation, no shrinkage, and no second layer, which is an identity here."""
    layer = mixer(bias=None, sparsity_threshold=0, non_linearity=lambda z: z)
    layer.w2.set_value(jnp.zeros((2, 4, 4, 4)).at[0].set(jnp.eye(4)))
    check_recorded(apply(layer, wave(PLANE)), 0.320495, 1584.776502, (0.360406, 0.832440, 1.043624, 0.950518), 0.721164)


def test_a_global_filter_belongs_to_frequencies():
    """A band-limited function is filtered alike on a finer grid: no weight moves to another frequency."""
    layer = build(lambda: GlobalFilter(2, (7, 9), rngs=nnx.Rngs(0)))
    re, im = sample(1, 5, 3, 2), sample(1, 5, 3, 2, seed=1)
    coarse, fine = (apply(layer, inverse_planes(re, im, shape, axes=(1, 2))) for shape in ((7, 9), (14, 18)))
    np.testing.assert_allclose(fine[:, ::2, ::2], coarse, atol=1e-5)


def test_modes_of_fourcastnet():
    """Columns are limited by the height, and a fraction keeps the band around the highest frequencies."""
    whole = Truncation("fourcastnet", 2)((90, 180))
    assert whole is not None and whole.rows is None and whole.n_modes[1] // 2 + 1 == 46
    part = Truncation("fourcastnet", 2, fraction=0.5)((90, 180))
    assert part is not None and part.rows is not None
    frequencies = np.abs(np.arange(-45, 45))[part.rows]
    # The slice 46 - 23 : 46 + 23 of the unshifted rows: 23 .. 45, then -45 .. -22.
    assert (frequencies.min(), frequencies.max(), part.n_modes[1] // 2 + 1) == (22, 45, 23)


def test_modes_of_the_two_sided_rule():
    kept = Truncation("two_sided", 3, fraction=0.5)((9, 8, 12))
    assert kept is not None and kept.n_modes == (4, 4, 4) and kept.rows is None
    assert Truncation("two_sided", 2)((9, 12)) == ((9, 12), None)


@pytest.mark.parametrize(
    "options",
    [
        {"sparsity_threshold": np.inf},
        {"sparsity_threshold": np.inf, "shrink": "magnitude"},
        {"truncation": "two_sided", "hard_thresholding_fraction": 0.0},
        {"truncation": "fourcastnet", "hard_thresholding_fraction": 0.1},
    ],
    ids=str,
)
def test_nothing_kept_is_the_skip(options):
    x = sample(2, 8, 12, 16)
    np.testing.assert_array_equal(apply(mixer(**options), x), x)


def test_spectral_biases_are_a_pattern_at_the_origin():
    zero = jnp.zeros(PLANE)
    y = np.abs(np.asarray(apply(mixer(), zero)))
    # All modes get the same number, so its transform is a pulse in row 0.
    assert y[:, 0].max() > 0.1 and y[:, 1:].max() < 1e-6
    assert not np.any(apply(mixer(bias=None), zero))


def commutator(layer: AFNOMixer, x: jax.Array) -> float:
    """How far a shift by (3, 5) tokens is from commuting with what the mixer adds, relative to that."""

    def added(u):
        return np.asarray(apply(layer, u) - u)

    def shift(u):
        return np.roll(u, (3, 5), axis=(1, 2))

    direct = added(x)
    return float(np.linalg.norm(added(jnp.asarray(shift(x))) - shift(direct)) / np.linalg.norm(direct))


@pytest.mark.parametrize("options", [{"sparsity_threshold": 0}, {"shrink": "magnitude"}], ids=str)
def test_modulus_mixers_commute_with_shifts(options):
    x = sample(2, 8, 12, 16)
    modulus = build(
        lambda: AFNOMixer(16, num_blocks=4, non_linearity="modulus", bias="spatial", rngs=nnx.Rngs(0), **options)
    )
    modulus.spatial_bias.set_value(jnp.zeros(16))
    assert commutator(modulus, x) < 1e-5
    # Activations and shrinkage of parts do not, whatever the biases.
    assert commutator(mixer(bias=None, **options), x) > 0.5


def test_cartesian_shrinkage_of_a_modulus_mixer_does_not_commute():
    layer = mixer(non_linearity="modulus", bias=None, sparsity_threshold=0.1)
    layer.modulus_bias.set_value(jnp.zeros((4, 4)))
    assert commutator(layer, sample(2, 8, 12, 16)) > 0.01


def test_a_relative_threshold_has_no_scale():
    z = sample(4, 2, 30, 2, 4)
    for kind in ("cartesian", "magnitude"):
        shrink = jax.jit(SoftShrink(0.5, kind, relative=True).__call__)
        np.testing.assert_allclose(shrink(100 * z), 100 * shrink(z), rtol=1e-5, atol=1e-4)
        # In units of the root mean square of each sample by itself.
        np.testing.assert_allclose(shrink(z)[:, 1], shrink(z[:, 1:])[:, 0], rtol=1e-6)
        assert np.isfinite(jax.jit(jax.grad(lambda z, shrink=shrink: shrink(z).sum()))(0 * z)).all()
    np.testing.assert_allclose(
        SoftShrink(0.3, "magnitude")(z), z * np.maximum(1 - 0.3 / np.hypot(*np.split(z, 2, 3)), 0), atol=1e-6
    )


@pytest.mark.parametrize(("init", "least", "most"), [("fixed", 0.95, 1.0), ("fan_in", 0.0, 0.5)])
def test_units_that_are_dead_at_the_start(init, least, most):
    """Blocks of 4 channels: the published initialisation leaves nothing above the shrinkage but the bias."""
    layer = AFNOMixer(16, num_blocks=4, init=init, bias=None, rngs=nnx.Rngs(0))
    z = layer._in_blocks(sample(1, 8, 7, 16), sample(1, 8, 7, 16, seed=1))
    dead = float(np.mean(np.asarray(layer._mixed(z, None)) == 0))
    assert least <= dead <= most


def test_a_mixer_in_the_forward_norm_is_one_map_of_functions():
    """With low modes of both signs it gives the same function on two grids; in the published norm it does not."""
    options = {"truncation": "two_sided", "n_modes": (4, 4), "inner_skip": None, "sparsity_threshold": 0.003}
    re, im = 0.1 * sample(1, 3, 2, 16), 0.1 * sample(1, 3, 2, 16, seed=1)
    for norm, same in (("forward", True), ("ortho", False)):
        layer = mixer(norm=norm, **options)
        coarse, fine = (apply(layer, inverse_planes(re, im, shape, axes=(1, 2))) for shape in ((8, 12), (16, 24)))
        assert np.allclose(fine[:, ::2, ::2], coarse, atol=1e-5) == same


def test_skips_and_biases():
    x = sample(1, 6, 8, 16)
    plain, none = apply(mixer(), x), apply(mixer(inner_skip=None), x)
    np.testing.assert_allclose(plain, none + x, atol=1e-6)
    linear, spatial = (
        build(lambda o=o: AFNOMixer(16, rngs=nnx.Rngs(0), **o)) for o in ({"inner_skip": "linear"}, {"bias": "spatial"})
    )
    assert linear.skip.weight.shape == (16, 16) and linear.skip.bias is None
    assert (spatial.b1, spatial.b2) == (None, None)
    moved = nnx.clone(spatial)
    moved.spatial_bias.set_value(spatial.spatial_bias[...] + 1)
    np.testing.assert_allclose(apply(moved, x), apply(spatial, x) + 1, atol=1e-5)


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"num_blocks": 3}, "num_blocks: got 3, wanted a divisor of the 16 channels"),
        ({"truncation": "low"}, "truncation: got 'low'"),
        ({"truncation": "fourcastnet", "ndim": 1}, "truncation: got 'fourcastnet'"),
        ({"n_modes": (4, 4)}, "n_modes: got"),
        ({"n_modes": (4,), "truncation": "two_sided"}, "n_modes: got .* wanted 2 counts"),
        ({"hard_thresholding_fraction": 0.5}, "hard_thresholding_fraction: got 0.5"),
        ({"hard_thresholding_fraction": 2, "truncation": "two_sided"}, "hard_thresholding_fraction: got 2"),
        ({"sparsity_threshold": -1}, "sparsity_threshold: got -1"),
        ({"shrink": "hard"}, "shrink: got 'hard'"),
        ({"relative_threshold": 1}, "relative_threshold: got 1"),
        ({"bias": "both"}, "bias: got 'both'"),
        ({"inner_skip": "conv"}, "inner_skip: got 'conv'"),
        ({"init": "zeros"}, "init: got 'zeros'"),
        ({"norm": "backward"}, "norm: got 'backward'"),
        ({"non_linearity": "sine"}, "non_linearity: got 'sine'"),
        ({"hidden_size_factor": 0.5}, "hidden_size_factor: got 0.5"),
    ],
    ids=str,
)
def test_bad_options_are_named(options, match, monkeypatch):
    # As users have it: the types of arguments are not checked.
    monkeypatch.setattr(config, "jaxtyping_disable", True)
    with pytest.raises(ValueError, match=f"^{match}") as error:
        nnx.eval_shape(lambda: AFNOMixer(16, **{"num_blocks": 4, **options}, rngs=nnx.Rngs(0)))
    assert "wanted" in str(error.value) and ";" in str(error.value)
