"""The space-time operator: counts of the paper, values of the published code, and what the corrected numerics keep."""

import math
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from operator_testing import apply, build, sample

from operators import STFNO
from operators.interop import load_torch_cfd
from operators.layers.space_time_output import OutputOperator

RECORDED = Path(__file__).parents[1] / "fixtures" / "torch_cfd.npz"


@jax.jit(static_argnums=(2, 3))
def call(operator, u, out_steps=None, output_shape=None):
    return operator(u, output_shape, out_steps)


def relative(got, want):
    return np.linalg.norm(got - want) / np.linalg.norm(want)


@pytest.mark.parametrize(("n_modes", "width", "count"), [((64, 64, 9), 10, 16_469_791), ((24, 24, 9), 20, 9_242_461)])
def test_parameters_of_the_published_models(n_modes, width, count):
    operator = nnx.eval_shape(lambda: STFNO(n_modes, 10, 10, width, rngs=nnx.Rngs(0)))
    leaves = jax.tree.leaves(nnx.state(operator, nnx.Param))
    assert sum(math.prod(leaf.shape) for leaf in leaves) == count


@pytest.fixture(scope="module")
def recorded():
    with np.load(RECORDED) as file:
        arrays = dict(file)
    weights = {name.removeprefix("weights/"): a for name, a in arrays.items() if name.startswith("weights/")}
    return weights, arrays


def published(**options):
    options = {"n_layers": 3, "latent_steps": 4, "compat": "torch_cfd"} | options
    return nnx.eval_shape(lambda: STFNO((6, 4, 3), 5, 4, 6, **options, rngs=nnx.Rngs(0)))


def test_values_of_the_published_code(recorded, x64):
    """Also where time is stretched: nine outputs of a window made for four."""
    weights, arrays = recorded
    operator = published()
    load_torch_cfd(operator, weights, dtype=jnp.float64)
    u = jnp.asarray(arrays["input"], jnp.float64)
    for steps in (4, 9):
        # Round-off of doubles.
        assert relative(call(operator, u, steps), arrays[f"output/{steps}"]) < 1e-12


def test_the_corrected_numerics_are_other_ones(recorded, x64):
    weights, arrays = recorded
    theirs, ours = published(), published(compat=None)
    load_torch_cfd(theirs, weights, dtype=jnp.float64)
    nnx.update(ours, nnx.state(theirs, nnx.Param))
    assert relative(call(ours, jnp.asarray(arrays["input"], jnp.float64), 4), arrays["output/4"]) > 0.1


def test_weights_that_do_not_fit_are_named(recorded):
    weights, _ = recorded
    with pytest.raises(ValueError, match=r"compat=None.*wanted .torch_cfd"):
        load_torch_cfd(published(compat=None), weights)
    with pytest.raises(ValueError, match=r"reduction.bias: got nothing, wanted real \[1\]"):
        load_torch_cfd(published(), {name: w for name, w in weights.items() if name != "reduction.bias"})
    with pytest.raises(ValueError, match=r"output_operator.conv.bias in parts \[0, 1, 2\], wanted four"):
        load_torch_cfd(published(), {name: w for name, w in weights.items() if name != "output_operator.conv.bias.3"})
    with pytest.raises(ValueError, match=r"w.1.bias: got real \[6\], wanted nothing"):
        load_torch_cfd(published(n_layers=2), weights)


# -- the corrected numerics ---------------------------------------------------


@pytest.fixture(scope="module")
def operator():

    def make():
        return STFNO((7, 6, 5), 6, 5, 8, n_layers=2, latent_steps=5, rngs=nnx.Rngs(0))

    return build(make, scale=0.3)


@pytest.fixture(scope="module")
def snapshots():
    return sample(2, 12, 16, 6)


def test_any_number_of_outputs_samples_one_function(operator, snapshots):
    """Twice as many meet the others at every second time; the increments have the size they have."""
    few, many = call(operator, snapshots, 5), call(operator, snapshots, 20)
    assert few.shape == (2, 12, 16, 5) and many.shape == (2, 12, 16, 20)
    # Round-off of float32.
    np.testing.assert_allclose(many[..., 3::4], few, atol=1e-5)
    sizes = [np.sqrt(np.mean((v - snapshots[..., -1:]) ** 2)) for v in (few, many)]
    assert sizes[0] > 0.02
    # Means over other times of the same function.
    np.testing.assert_allclose(sizes[1] / sizes[0], 1, atol=0.05)


def test_published_increments_shrink_with_their_number(snapshots):
    """The flaw that the corrected numerics mend: the test above would fail with theirs."""

    def make():
        return STFNO((6, 6, 5), 6, 5, 8, n_layers=2, latent_steps=5, compat="torch_cfd", rngs=nnx.Rngs(0))

    operator = build(make, scale=0.3)
    sizes = [np.sqrt(np.mean((call(operator, snapshots, n) - snapshots[..., -1:]) ** 2)) for n in (5, 20)]
    assert sizes[1] < 0.8 * sizes[0]


def test_zero_weights_of_the_output_are_persistence(operator, snapshots):
    still = nnx.clone(operator)
    nnx.update(still.output, jax.tree.map(jnp.zeros_like, nnx.state(still.output, nnx.Param)))
    np.testing.assert_array_equal(apply(still, snapshots), np.repeat(snapshots[..., -1:], 5, -1))


def test_the_latent_and_the_output_make_the_operator(operator, snapshots):
    v, last = jax.jit(lambda m, u: m.latent(u))(operator, snapshots)
    assert v.shape == (2, 12, 16, 5, 1) and last.shape == (2, 12, 16, 1)
    np.testing.assert_array_equal(last, snapshots[..., -1:])
    later = jax.jit(lambda q, v, last: q(v, last, 5))
    whole = apply(operator, snapshots)
    # Another program; round-off of float32.
    np.testing.assert_allclose(later(operator.output, v, last)[..., 0], whole, atol=1e-5)
    larger = operator.output.enlarged((12, 11, 11))
    assert larger.n_modes == (12, 11, 11) and larger.weight.tensor.shape == (12, 11, 6, 2, 1, 1)
    np.testing.assert_allclose(later(larger, v, last)[..., 0], whole, atol=1e-5)
    # The new modes are at work: with ones in the highest of time, which the old layer has not, it is another map.
    larger.bias.set_value(larger.bias[...].at[:, :, -1].set(1.0))
    assert np.abs(later(larger, v, last)[..., 0] - whole).max() > 1e-2


def test_biases_of_an_enlarged_output_keep_their_size(operator):
    old, new = operator.output, operator.output.enlarged((9, 9, 7))
    old_size, new_size = (np.linalg.norm(q.bias[...]) * q._scale(()) for q in (old, new))
    np.testing.assert_allclose(new_size, old_size, rtol=1e-6)
    with pytest.raises(ValueError, match=r"wanted at least \(7, 6, 5\)"):
        old.enlarged((9, 5, 7))


def test_a_shift_in_space_shifts_what_has_no_place(snapshots):
    for embedding, wanted in ((None, True), ("grid", False)):
        options = {"n_layers": 2, "latent_steps": 5, "positional_embedding": embedding}

        def make(options=options):
            return STFNO((7, 6, 5), 6, 5, 8, **options, rngs=nnx.Rngs(0))

        operator = build(make, scale=0.3)
        nnx.update(operator.output.bias, jnp.zeros_like(operator.output.bias[...]))  # a field with a place of its own
        rolled = call(operator, jnp.roll(snapshots, (3, 5), (1, 2)))
        distance = np.abs(rolled - jnp.roll(call(operator, snapshots), (3, 5), (1, 2))).max()
        assert (distance < 1e-5) == wanted, (embedding, distance)


def test_increments_of_a_velocity_are_solenoidal(x64):
    """Two fields on a box of unequal sides; div u to round-off of doubles."""
    extent = (1.0, 2.5)
    output = OutputOperator((5, 7, 3), fields=2, extent=extent, rngs=nnx.Rngs(0))
    rng = np.random.default_rng(0)
    state = jax.tree.map(lambda p: jnp.asarray(rng.normal(size=p.shape)), nnx.state(output, nnx.Param))
    nnx.update(output, state)
    v, last = jnp.asarray(rng.normal(size=(1, 10, 12, 4, 2))), jnp.zeros((1, 10, 12, 2))
    u = np.asarray(jax.jit(lambda q: q(v, last, 3))(output))
    k = [2 * np.pi * np.fft.fftfreq(n, side / n) for n, side in zip((10, 12), extent, strict=True)]
    hat = np.fft.fft2(u, axes=(1, 2), norm="forward")
    div = k[0][None, :, None, None] * hat[..., 0] + k[1][None, None, :, None] * hat[..., 1]
    assert np.abs(div).max() < 1e-12 and np.std(u) > 0.1
    free = OutputOperator((5, 7, 3), fields=2, rngs=nnx.Rngs(0))
    nnx.update(free, state)
    hat = np.fft.fft2(jax.jit(lambda q: q(v, last, 3))(free), axes=(1, 2), norm="forward")
    assert np.abs(k[0][None, :, None, None] * hat[..., 0] + k[1][None, None, :, None] * hat[..., 1]).max() > 1e-2
    with pytest.raises(ValueError, match=r"extent: .*as many fields"):
        OutputOperator((5, 7, 3), fields=1, extent=extent, rngs=nnx.Rngs(0))


def test_fields_keep_to_their_channels(x64):
    """Steps of a field are neighbours: with zero increments every output is the last snapshot of its own field."""
    operator = nnx.eval_shape(lambda: STFNO((4, 3), 6, 8, 8, fields=2, n_layers=2, rngs=nnx.Rngs(0)))
    nnx.update(operator, jax.tree.map(lambda p: jnp.zeros(p.shape), nnx.state(operator, nnx.Param)))
    u = jnp.asarray(np.random.default_rng(0).normal(size=(1, 9, 6)))
    y = apply(operator, u)
    np.testing.assert_array_equal(y, np.repeat(u[..., [2, 5]], 4, -1))


def test_float32_agrees_with_float64(operator, snapshots):
    single = apply(operator, snapshots)
    with jax.enable_x64(True):
        wide = nnx.clone(operator)
        nnx.update(wide, jax.tree.map(lambda p: jnp.asarray(p, jnp.float64), nnx.state(operator, nnx.Param)))
        double = np.asarray(apply(wide, jnp.asarray(snapshots, jnp.float64)))
    assert double.dtype == np.float64
    # Round-off of float32 through three layers.
    assert relative(np.asarray(single), double) < 2e-6


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"n_modes": (8,)}, "n_modes: got .* wanted modes of one or two spatial axes and of time"),
        ({"hidden_channels": 5}, "hidden_channels: got 5, wanted at least 6"),
        ({"fields": 4}, "in_channels: got 6, wanted a multiple of fields=4"),
        ({"interval": 0.0}, "interval: got 0.0, wanted a positive time"),
        ({"n_layers": 1}, "n_layers: got 1, wanted a whole number of at least 2"),
        ({"compat": "neuralop2"}, "compat: got 'neuralop2', wanted one of None, \"torch_cfd\""),
    ],
)
def test_what_makes_no_operator(change, message):
    arguments = {"n_modes": (7, 6, 5), "in_channels": 6, "out_channels": 5, "hidden_channels": 8} | change
    with pytest.raises(ValueError, match=message):
        nnx.eval_shape(lambda: STFNO(**arguments, rngs=nnx.Rngs(0)))


def test_training_up_to_the_nyquist_frequency_is_for_the_published_numerics():
    for compat in (None, "torch_cfd"):
        operator = nnx.eval_shape(lambda compat=compat: STFNO((8, 8, 3), 4, 4, 8, compat=compat, rngs=nnx.Rngs(0)))
        operator.check_grid((9, 12))
        if compat:
            operator.check_grid((8, 8))
        else:
            with pytest.raises(ValueError, match="below the Nyquist frequency"):
                operator.check_grid((8, 8))
        with pytest.raises(ValueError, match="below the Nyquist frequency"):
            operator.check_grid((7, 8))
