"""The factorised operator against what its formula says: plain convolutions, multipliers, counts, depth."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from operator_testing import QUICK, apply, apply_to, build, sample

from operators import FFNO
from operators.layers.axis_conv import AxisConv
from operators.layers.linear import Linear
from operators.layers.norms import LayerNorm
from operators.layers.spectral_conv import SpectralConv

# Round-off of one transform and a product in float32.
ROUND_OFF = 1e-6


def relative(got, want) -> float:
    return float(np.linalg.norm(np.asarray(got) - np.asarray(want)) / np.linalg.norm(want))


def count(operator: nnx.Module) -> int:
    return sum(leaf.size for leaf in jax.tree.leaves(nnx.state(operator, nnx.Param)))


def set_weights(conv: AxisConv, multipliers: list[np.ndarray]) -> None:
    """The same complex number m_j[k] times the unit matrix on every axis."""
    for weight, multiplier in zip(conv.weights, multipliers, strict=True):
        unit = np.eye(weight.shape[-1])
        values = np.stack([multiplier.real, multiplier.imag], 1)[..., None, None] * unit
        weight.set_value(jnp.asarray(values, jnp.float32))


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_one_axis_is_a_plain_convolution(axis):
    shape, n_modes = (7, 8, 9), (5, 6, 20)  # the last axis has fewer frequencies than are stored
    conv = build(lambda: AxisConv(3, n_modes, rngs=nnx.Rngs(0)))
    for j, weight in enumerate(conv.weights):
        if j != axis:
            weight.set_value(jnp.asarray(np.zeros(weight.shape, np.float32)))
    plain = build(lambda: SpectralConv(3, 3, n_modes[axis : axis + 1], bias=False, rngs=nnx.Rngs(0)))
    plain.weight.tensor.set_value(conv.weights[axis][...])
    u = sample(2, *shape, 3)
    lines = np.moveaxis(np.asarray(u), axis + 1, -2)
    want = apply(plain, jnp.asarray(lines.reshape(-1, *lines.shape[-2:])))
    want = np.moveaxis(np.reshape(want, lines.shape), -2, axis + 1)
    assert relative(apply(conv, u), want) <= ROUND_OFF


@pytest.mark.parametrize("shape", [(16,), (12, 15), (9, 10, 11)])
def test_multipliers_add_over_axes(shape):
    """A multiplier m_j(k) of every axis, here that of the derivative, makes the sum of the partial derivatives."""
    n_modes = tuple(s - 1 - s % 2 for s in shape)
    conv = build(lambda: AxisConv(2, n_modes, rngs=nnx.Rngs(0)))
    set_weights(conv, [2j * np.pi * np.arange(n // 2 + 1) for n in n_modes])
    x = np.meshgrid(*[np.arange(s) / s for s in shape], indexing="ij")
    phase = 2 * np.pi * sum((j + 1) * x[j] for j in range(len(shape)))
    u = np.stack([np.sin(phase), np.cos(phase)], axis=-1)[None]
    total = 2 * np.pi * sum(j + 1 for j in range(len(shape)))
    want = total * np.stack([np.cos(phase), -np.sin(phase)], axis=-1)[None]
    # The multiplier magnifies the round-off of the highest frequencies.
    assert relative(apply(conv, jnp.asarray(u, jnp.float32)), want) <= 3 * ROUND_OFF


def test_unit_weights_of_all_frequencies_give_the_input_once_for_every_axis():
    conv = build(lambda: AxisConv(2, (9, 12), rngs=nnx.Rngs(0)))
    set_weights(conv, [np.ones(5, complex), np.ones(7, complex)])
    u = sample(2, 9, 12, 2)
    assert relative(apply(conv, u), 2 * np.asarray(u)) <= ROUND_OFF


@pytest.mark.parametrize("shift", [(3, 0), (0, 5), (4, 7)])
def test_translations_commute(shift):
    operator = build(lambda: FFNO((6, 6), 2, 1, 6, n_layers=2, positional_embedding=None, rngs=nnx.Rngs(0)), scale=0.2)
    u = sample(2, 12, 15, 2)
    u = np.asarray(u)
    got, want = apply(operator, np.roll(u, shift, (1, 2))), np.roll(apply(operator, u), shift, (1, 2))
    assert relative(got, want) <= ROUND_OFF
    placed = build(lambda: FFNO((6, 6), 2, 1, 6, n_layers=2, rngs=nnx.Rngs(0)), scale=0.2)
    assert relative(apply(placed, np.roll(u, shift, (1, 2))), np.roll(apply(placed, u), shift, (1, 2))) > 1e-3


def formula(n_modes, widths, layers, *, factor=2, share_weight=False, layer_norm=False, weight_norm=False) -> int:
    """Parameters as real numbers; `widths` are those of the input with coordinates, layers, projection and output."""
    i, w, middle, o = widths
    fourier = (1 if share_weight else layers) * sum(2 * w * w * (n // 2 + 1) for n in n_modes)
    pairs = [(i, w), *[(w, factor * w), (factor * w, w)] * layers, (w, middle), (middle, o)]
    linear = sum(a * b + b + weight_norm * b for a, b in pairs)
    return fourier + linear + layer_norm * layers * 2 * w


@pytest.mark.parametrize(
    ("n_modes", "middle", "options"),
    [
        ((12,), 128, {}),
        ((8, 11), 128, {"share_weight": True, "layer_norm": True}),
        ((4, 6, 8), 16, {"weight_norm": True, "factor": 4}),
    ],
)
def test_parameter_counts(n_modes, middle, options):
    operator = nnx.eval_shape(
        lambda: FFNO(n_modes, 2, 3, 10, n_layers=3, projection_channels=middle, **options, rngs=nnx.Rngs(0))
    )
    assert count(operator) == formula(n_modes, (2 + len(n_modes), 10, middle, 3), 3, **options)
    if options.get("share_weight"):
        fourier = [leaf for path, leaf in nnx.to_flat_state(nnx.state(operator, nnx.Param)) if path[0] == "convs"]
        assert [leaf.shape for leaf in fourier] == [(5, 2, 10, 10), (6, 2, 10, 10)]


def test_published_counts():
    """Ten layers of width 82 with 32 frequencies on both axes, as another paper's baseline has them: 8,889,057."""
    options = {"n_layers": 10, "positional_embedding": None}
    assert count(nnx.eval_shape(lambda: FFNO((62, 62), 1, 1, 82, **options, rngs=nnx.Rngs(0)))) == 8_889_057


def gradient_norm(n_layers: int) -> float:
    """Of the first layer's parameters, at the start."""
    operator = nnx.jit(lambda: FFNO((8,), 1, 1, 8, n_layers=n_layers, rngs=nnx.Rngs(0)))()
    u = sample(4, 16, 1)
    graph, params, rest = nnx.split(operator, nnx.Param, ...)

    def loss(params):
        return jnp.square(nnx.merge(graph, params, rest)(u) - u).mean()

    grads = jax.jit(jax.grad(loss), compiler_options=QUICK)(params)
    first = [grads["convs"][0], grads["mlps"][0]]
    return float(np.sqrt(sum(np.square(leaf).sum() for leaf in jax.tree.leaves(first))))


def test_gradients_reach_the_first_of_many_layers():
    shallow, deep = gradient_norm(2), gradient_norm(16)
    assert 0.1 < deep / shallow < 10


def test_weight_norm_starts_as_the_plain_layer_and_ignores_the_scale_of_a_direction():
    plain, normed = Linear(3, 4, rngs=nnx.Rngs(0)), Linear(3, 4, weight_norm=True, rngs=nnx.Rngs(0))
    u = sample(5, 3)
    np.testing.assert_allclose(normed(u), plain(u), atol=ROUND_OFF)
    normed.weight.set_value(3 * normed.weight[...])
    np.testing.assert_allclose(normed(u), plain(u), atol=ROUND_OFF)
    normed.length.set_value(2 * normed.length[...])
    np.testing.assert_allclose(normed(u), 2 * plain(u) - plain.bias[...][None], atol=2 * ROUND_OFF)


def test_layer_norm_is_of_every_point():
    y = LayerNorm(8)(3 + 2 * sample(2, 5, 6, 8))
    np.testing.assert_allclose(y.mean(-1), 0, atol=ROUND_OFF)
    np.testing.assert_allclose(y.std(-1), 1, atol=1e-3)  # eps beside a variance of eight numbers


def test_recomputed_layers_have_the_same_gradients():
    options = {"n_layers": 2, "layer_norm": True, "domain_padding": 0.25}
    make = [
        lambda remat=remat: FFNO((4, 4), 1, 1, 4, remat=remat, **options, rngs=nnx.Rngs(0)) for remat in (False, True)
    ]
    u = sample(1, 8, 9, 1)

    def gradients(operator):
        graph, params, rest = nnx.split(operator, nnx.Param, ...)
        run = jax.grad(lambda params: jnp.square(nnx.merge(graph, params, rest)(u)).mean())
        return jax.jit(run, compiler_options=QUICK)(params)

    plain, again = (gradients(build(m)) for m in make)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-5 * np.abs(a).max()), plain, again)


def test_output_grid_keeps_a_padded_function_in_place():
    operator = build(
        lambda: FFNO((6, 6), 1, 1, 4, n_layers=2, domain_padding=0.25, positional_embedding=None, rngs=nnx.Rngs(0)),
        scale=0.2,
    )
    u = jnp.ones((1, 12, 16, 1))
    same, finer = apply(operator, u), apply_to(operator, u, (24, 32))
    # The function is the same one; the jump at the padding rings between its points.
    assert relative(finer[:, ::2, ::2], same) < 0.02


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        ({"n_layers": 0}, "n_layers: got 0, wanted a whole number of at least 1"),
        ({"positional_embedding": "polar"}, "positional_embedding: got 'polar'"),
        ({"factor": 0}, "factor: got 0, wanted a ratio"),
        ({"non_linearity": "step"}, "non_linearity: got 'step'"),
        ({"n_modes": (4, 0)}, "n_modes: got"),
    ],
)
def test_what_makes_no_operator_is_named(arguments, match):
    arguments = {"n_modes": (4, 4)} | arguments
    with pytest.raises(ValueError, match=match):
        FFNO(in_channels=1, out_channels=1, hidden_channels=4, **arguments, rngs=nnx.Rngs(0))


def test_training_grids_are_checked_on_every_axis():
    operator = nnx.eval_shape(lambda: FFNO((8, 8), 1, 1, 4, rngs=nnx.Rngs(0)))
    operator.check_grid((9, 10))
    with pytest.raises(ValueError, match=r"n_modes: got \(8, 8\) on a grid of shape \(10, 8\)"):
        operator.check_grid((10, 8))
