"""The training step: parallel, accumulated and chunked forms are the same step."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import nnx
from numpy_weights import build

from operators import FNO
from training.losses import RelativeL2
from training.sharding import collectives, make_mesh
from training.step import init_state, make_chunk, make_update, split_operator, statistics_of

LOSS = RelativeL2((1.0, 1.0))


def problem(devices: int, spectral_dtype: str = "f32", **options):
    """A small FNO, its update and state on a mesh."""
    options_of = {"n_layers": 2, "spectral_dtype": spectral_dtype}
    operator = build(lambda: FNO((4, 4), 1, 1, 8, **options_of, rngs=nnx.Rngs(0)), scale=0.2)
    model_of, params = split_operator(operator)
    optimizer = optax.adam(1e-2)
    update = make_update(model_of, LOSS, optimizer, make_mesh(devices), **options)
    return update, init_state(params, optimizer, "ema_decay" in options)


def batch(size: int = 8):
    rng = np.random.default_rng(1)
    return tuple(jnp.asarray(rng.normal(size=(size, 12, 10, 1)), jnp.float32) for _ in range(2))


def run(update, state, steps: int = 3):
    losses = []
    step = jax.jit(update)
    for _ in range(steps):
        state, metrics = step(state, batch())
        losses.append(float(metrics["loss"]))
    return state, losses


@pytest.fixture(scope="module")
def single():
    return run(*problem(1))


def test_eight_devices_equal_one(single):
    """Sums over samples are taken in another order: round-off of float32, grown by three steps of Adam."""
    _, losses = run(*problem(8))
    np.testing.assert_allclose(losses, single[1], rtol=1e-5)


@pytest.mark.parametrize("dtype", ["bf16", pytest.param("f16", marks=pytest.mark.slow)])
def test_eight_devices_equal_one_with_rounded_mixing(dtype):
    """Rounded (4e-3 in bf16) before sums over samples in another order: the losses differ by some of that."""
    _, one = run(*problem(1, dtype))
    _, eight = run(*problem(8, dtype))
    np.testing.assert_allclose(eight, one, rtol=2e-3)


def test_the_parallel_step_reduces_and_gathers_nothing():
    update, state = problem(8)
    hlo = jax.jit(update).lower(state, batch()).compile().as_text()
    counts = collectives(hlo)
    assert set(counts) == {"all-reduce"}
    # The loss and the gradients (which XLA may combine into one).
    assert 1 <= counts["all-reduce"] <= 3


def test_accumulated_equals_whole(single):
    """The mean over micro-batches is the mean over the batch, in another order."""
    _, losses = run(*problem(1, accumulate=4))
    np.testing.assert_allclose(losses, single[1], rtol=1e-5)


def test_chunk_equals_single_steps(single):
    update, state = problem(1)
    chunk = make_chunk(update, lambda data, step: data, length=5)
    state, metrics = chunk(state, batch(), np.int32(3))
    assert int(state.step) == 3
    # Another program around the same step may fuse differently: round-off.
    np.testing.assert_allclose(metrics["loss"][:3], single[1], rtol=1e-5)
    assert np.isnan(metrics["loss"][3:]).all()
    one_by_one = make_chunk(update, lambda data, step: data, length=1)
    _, state = problem(1)
    for expected in single[1]:
        state, metrics = one_by_one(state, batch(), np.int32(1))
        np.testing.assert_allclose(metrics["loss"], [expected], rtol=1e-5)
    assert int(state.step) == 3


@pytest.fixture(scope="module")
def averaging():
    update, state = problem(1, ema_decay=0.5)
    return jax.jit(update), state


@pytest.mark.parametrize(("step", "decay"), [(0, 0.1), (100, 0.5)])  # at first no more than (1 + t) / (10 + t)
def test_average_follows_the_parameters(averaging, step, decay):
    update, begin = averaging
    before = begin.params
    state, _ = update(begin._replace(step=jnp.int32(step)), batch())
    wanted = jax.tree.map(lambda a, b: decay * a + (1 - decay) * b, before, state.params)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-6, atol=1e-7), state.ema, wanted)


def batch_norm_problem(devices: int, **options):
    """One with batch norms, whose running statistics are a part of the state."""
    operator = nnx.jit(lambda: FNO((4,), 1, 1, 4, n_layers=1, norm="batch_norm", rngs=nnx.Rngs(0)))()
    model_of, params = split_operator(operator)
    # Not Adam: a constant before a norm has no effect, and its gradient, round-off, would be made large.
    optimizer = optax.sgd(0.1)
    update = make_update(model_of, RelativeL2((1.0,)), optimizer, make_mesh(devices), **options)
    return model_of, jax.jit(update), init_state(params, optimizer, False, statistics=statistics_of(operator))


def assert_near(a, b) -> None:
    # Means are taken in another order: round-off, grown by two steps.
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5), a, b)


def test_running_statistics_are_those_of_the_whole_batch():
    part = tuple(v[:, :, 0] for v in batch())
    ends = []
    for devices in (1, 8):
        model_of, update, state = batch_norm_problem(devices)
        begin = state.statistics
        for _ in range(2):
            state, _ = update(state, part)
        ends.append(state)
    one, eight = ends
    assert_near(eight.statistics, one.statistics)
    assert_near(eight.params, one.params)
    with pytest.raises(AssertionError):
        assert_near(one.statistics, begin)

    @jax.jit
    def predictions(state, x):
        arguments = state.params, state.statistics
        return model_of(*arguments)(x), model_of(*arguments, evaluate=True)(x)

    (train, evaluated), (_, others) = (predictions(one, x) for x in (part[0], part[0].at[1:].set(0)))
    assert np.abs(evaluated - train).max() > 1e-2
    # In evaluation a sample does not see those beside it.
    np.testing.assert_allclose(others[0], evaluated[0], atol=1e-6)


def test_running_statistics_see_every_micro_batch():
    model_of, update, state = batch_norm_problem(1, accumulate=2)
    part = tuple(v[:, :, 0] for v in batch())
    after, _ = update(state, part)

    @jax.jit
    def seen(statistics, x):
        model = model_of(state.params, statistics)
        model(x)
        return statistics_of(model)

    first, second = part[0][::2], part[0][1::2]
    assert_near(after.statistics, seen(seen(state.statistics, first), second))


def test_other_state_is_refused():
    class WithState(nnx.Module):
        def __init__(self):
            self.dropout = nnx.Dropout(0.1, rngs=nnx.Rngs(0))

    with pytest.raises(ValueError, match=r"got state besides parameters.*wanted none"):
        split_operator(WithState())


def test_too_many_devices():
    with pytest.raises(ValueError, match=r"mesh.data: got 9, wanted 1 to 8"):
        make_mesh(9)
