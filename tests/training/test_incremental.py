"""Growing modes: the masked operator is the smaller one, rules decide as they say, runs resume with the same bits."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import nnx
from numpy_weights import build
from run_testing import final_digests, losses, rows, train

from operators import FNO
from operators.layers.modes import mode_window, stored_modes
from training.build import build_growing
from training.config import Run
from training.incremental import ExplainedVariance, Growing, Growth, LossGap, band, weights
from training.losses import RelativeL2
from training.sharding import make_mesh
from training.spectral_layout import spectral_layout
from training.step import init_state, make_update, split_operator


@pytest.mark.parametrize("stored", [(8, 5), (9, 4), (7,), (6, 5, 4)])
def test_bands_are_the_windows_of_smaller_operators(stored):
    full = (*stored[:-1], 2 * (stored[-1] - 1))
    bands = jax.jit(lambda counts: [band(stored, axis, n) for axis, n in enumerate(counts)])
    for count in range(1, max(full) + 1):
        counts = tuple(min(count, n) for n in full)
        windows = mode_window(stored, stored_modes(counts))
        for found, window in zip(bands(counts), windows, strict=True):
            wanted = np.zeros(len(found), bool)
            wanted[window] = True
            np.testing.assert_array_equal(found, wanted)


def growing_of(operator, rule, steps_per_epoch=2):
    model_of, params = split_operator(operator)
    return Growing(rule, operator.n_modes, spectral_layout(operator), model_of, steps_per_epoch), params


@pytest.mark.parametrize("factorization", [None, "Tucker", "CP", "TT"])
@pytest.mark.parametrize("kind", ["per layer", "joint_factorization", "separable"])
def test_every_layer_is_the_operator_with_fewer_modes(factorization, kind):
    """Masked weights, as dense tensors, are the stored ones on the window of 4 x 2 modes and zero elsewhere."""
    options = {} if kind == "per layer" else {kind: True}
    options |= {"n_layers": 2, "factorization": factorization, "rank": 0.5}
    operator = build(lambda: FNO((6, 8), 1, 1, 4, **options, rngs=nnx.Rngs(0)))
    growing, params = growing_of(operator, LossGap())
    state = growing.init()._replace(modes=jnp.array([4, 2]))
    small = growing.model_of(jax.jit(growing.mask)(params, state))
    dense = jax.jit(lambda weight: weight.dense())
    window = (..., *mode_window((6, 5), stored_modes((4, 2))))
    for stored, masked in zip(weights(operator), weights(small), strict=True):
        whole, rest = (np.array(dense(weight)) for weight in (stored, masked))
        # The same products in the same order, of rows that are there or zero.
        np.testing.assert_allclose(rest[window], whole[window], rtol=1e-5, atol=1e-7)
        rest[window] = 0
        assert np.abs(whole[window]).min() > 0 and not rest.any()


def batch():
    rng = np.random.default_rng(1)
    return tuple(jnp.asarray(rng.normal(size=(8, 12, 10, 1)), jnp.float32) for _ in range(2))


def test_modes_that_do_not_take_part_stay_zero_and_then_learn():
    """Two steps an epoch, and a rule that always grows: 2 modes, then 4; weight decay and moments leave zeros alone."""
    operator = build(lambda: FNO((6, 6), 1, 1, 4, n_layers=2, rngs=nnx.Rngs(0)))
    growing, params = growing_of(operator, LossGap(start=2, tolerance=np.inf))
    optimizer = optax.adamw(1e-2, weight_decay=0.1)
    update = make_update(growing.model_of, RelativeL2((1.0, 1.0)), optimizer, make_mesh(1), growing=growing)
    state, step = init_state(params, optimizer, True, growing=growing), jax.jit(update)
    for done, modes in enumerate([2, 2, 4, 4, 6, 6], 1):
        state, metrics = step(state, batch())
        assert metrics["modes_0"] == metrics["modes_1"] == modes
        for block in growing.model_of(state.params).blocks:
            along = np.abs(np.array(block.conv.weight.dense())).sum((0, 1))
            window = mode_window((6, 4), stored_modes((modes, modes)))
            assert along[window].min() > 0, f"step {done}: every mode of every layer learns"
            along[window] = 0
            assert not along.any()
    assert jnp.isinf(growing.init().previous) and jnp.isfinite(state.growth.previous)


def test_loss_gap():
    rule, modes = LossGap(tolerance=0.1), jnp.array([4, 4])
    for previous, mean, wanted in [(jnp.inf, 1.0, False), (1.0, 0.8, False), (0.5, 0.45, True), (0.5, 0.55, True)]:
        np.testing.assert_array_equal(rule.grows(jnp.float32(previous), jnp.float32(mean), None, modes), wanted)


def test_explained_variance():
    """The second layer has 5% of its energy at f_x = -2, which is the buffer of a band of 4 x 4 modes."""
    operator = build(lambda: FNO((6, 6), 1, 1, 4, n_layers=2, rngs=nnx.Rngs(0)))
    for block, edge in zip(operator.blocks, (0.01, 0.05), strict=True):
        tensor = np.zeros(block.conv.weight.tensor.shape, np.float32)
        tensor[3, 0], tensor[1, 0] = np.sqrt(1 - edge), np.sqrt(edge)  # f_x = 0 and -2
        block.conv.weight.tensor[...] = jnp.asarray(tensor)
    modes = jnp.array([4, 4])
    for explained, wanted in [(0.9, [False, False]), (0.97, [True, False])]:
        rule = ExplainedVariance(explained=explained, buffer=1)
        np.testing.assert_array_equal(rule.grows(None, None, operator, modes), wanted)


@pytest.mark.parametrize(("stored", "axis"), [((7, 4), 0), ((7, 4), 1), ((6, 5), 1), ((4,), 0)])
def test_the_inner_band_lacks_modes_at_every_count(stored, axis):
    """However many modes take part, odd or even, some of them are the buffer: the rule cannot stick."""
    rule = ExplainedVariance(start=4, buffer=3)
    for count in range(rule.start, 2 * stored[axis] if axis == len(stored) - 1 else stored[axis] + 1):
        inner, whole = rule._inner(stored, axis, jnp.int32(count)), band(stored, axis, jnp.int32(count))
        assert inner.sum() < whole.sum() and not (inner & ~whole).any(), count


def test_an_odd_count_still_grows():
    """All energy at the outermost frequency, f = 2 of the last axis, of 5 modes."""
    operator = build(lambda: FNO((8,), 1, 1, 4, n_layers=1, rngs=nnx.Rngs(0)))
    weight = operator.blocks[0].conv.weight
    weight.tensor[...] = jnp.zeros_like(weight.tensor[...]).at[2].set(1.0)
    assert ExplainedVariance(buffer=1).grows(None, None, operator, jnp.array([5])).all()


def test_the_maximum_is_that_of_the_operator():
    operator = build(lambda: FNO((5, 3), 1, 1, 4, n_layers=1, rngs=nnx.Rngs(0)))
    growing, params = growing_of(operator, LossGap(start=4, step=3, tolerance=np.inf), steps_per_epoch=1)
    state = growing.init()
    assert state.modes.tolist() == [4, 3]
    state = growing.advance(state, jnp.int32(0), jnp.float32(1.0), params)
    assert isinstance(state, Growth) and state.modes.tolist() == [5, 3]


@pytest.mark.parametrize(
    ("rule", "bad"),
    [(ExplainedVariance, {"start": 0}), (ExplainedVariance, {"explained": 1.0}), (ExplainedVariance, {"buffer": 4}),
     (LossGap, {"tolerance": -1.0}), (LossGap, {"tolerance": float("nan")})],
)  # fmt: skip
def test_settings_out_of_range(rule, bad):
    with pytest.raises(ValueError, match=rf"{next(iter(bad))}: got"):
        rule(**bad)


def test_complex_data_do_not_grow():
    """Their last axis stores both signs, of which `band` knows nothing."""
    run = Run(operator={"_target_": "operators.FNO"}, growth={"_target_": "training.incremental.LossGap"})
    operator = build(lambda: FNO((6, 6), 1, 1, 4, n_layers=1, complex_data=True, rngs=nnx.Rngs(0)))
    with pytest.raises(ValueError, match="growth: got an operator of complex data"):
        build_growing(run, operator, lambda params: operator, 1)


@pytest.mark.timeout(240)
def test_a_run_grows_and_resumes_with_the_same_bits(place, monkeypatch):
    """Balanced losses, growing modes, a coarse grid at first, two devices; cut inside the second epoch of four."""
    from training import run as module

    incremental = (
        "loss=l2_h1", "growth=loss_gap", "growth.start=2", "growth.tolerance=1e9", "trainer.strides=[2,1]",
        "trainer.epochs_per_stride=1", "operator=fno", "operator.n_layers=1", "mesh.data=2",
    )  # fmt: skip
    train(place, "run_id=whole", *incremental)
    fit = module.fit

    def cut(state, *args, stop_requested, **options):
        return fit(state, *args, stop_requested=lambda step: step >= 7, **options)

    monkeypatch.setattr(module, "fit", cut)
    with pytest.raises(SystemExit):
        train(place, "run_id=cut", *incremental)
    monkeypatch.setattr(module, "fit", fit)
    train(place, "run_id=cut", *incremental)
    whole, resumed = place / "outputs" / "whole", place / "outputs" / "cut"
    assert rows(resumed) == rows(whole)
    digests = final_digests(whole)
    assert final_digests(resumed) == digests
    assert {"growth/modes", "balance"} <= set(digests)
    modes = [row["metrics"]["modes_0"] for row in rows(whole) if row["split"] == "train"]
    assert modes == sorted(modes) and modes[0] == 2 and modes[-1] == 6
    assert losses(whole)[-1] < losses(whole)[0]


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        ("trainer.strides=[2]", r"trainer.strides: got \[2\], wanted 1 as the last"),
        ("trainer.strides=[4,1]", r"n_modes: got \(6, 6\) on a grid of shape \(4, 4\)"),
        ("trainer.strides=[0,1]", r"trainer.strides: got \[0, 1\]"),
        ("+growth._target_=training.losses.RelativeL2", r"RelativeL2"),
    ],
)
def test_bad_input_is_refused(place, bad, message):
    with pytest.raises(ValueError, match=message):
        train(place, "run_id=refused", bad)
