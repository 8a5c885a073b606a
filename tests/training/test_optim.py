"""Schedules begin, peak and end where they say; AdamW is PyTorch's."""

import inspect
import math

import jax.numpy as jnp
import numpy as np
import pytest

from training.optim import adamw, constant, cosine, one_cycle, step_decay, warm_restarts


@pytest.mark.parametrize(
    ("schedule", "points"),
    [
        (cosine(1e-2, 100), {0: 1e-2, 50: 5e-3, 100: 0.0}),
        (cosine(1e-2, 100, warmup=0.1, final=0.1), {0: 0.0, 5: 5e-3, 10: 1e-2, 100: 1e-3}),
        (step_decay(1e-2, 100, every=0.2, factor=0.5), {0: 1e-2, 19: 1e-2, 20: 5e-3, 99: 1e-2 / 16}),
        # PyTorch's CosineAnnealingWarmRestarts(T_0=8): peak (1 + cos(pi t / 8)) / 2 with t from the last restart.
        (warm_restarts(1e-2, 20, every=8), {0: 1e-2, 4: 5e-3, 7: 0.03806e-2, 8: 1e-2, 12: 5e-3, 16: 1e-2}),
        (warm_restarts(1e-2, 20, every=8, final=0.5), {4: 7.5e-3, 8: 1e-2}),
        (one_cycle(1e-2, 100), {0: 1e-2 / 25, 30: 1e-2}),
        (constant(1e-2, 100), {0: 1e-2, 99: 1e-2}),
    ],
)
def test_schedule(schedule, points):
    for step, value in points.items():
        # Schedules are computed in float32; the zero at the end of a cosine is one of round-off.
        np.testing.assert_allclose(schedule(step), value, rtol=1e-5, atol=1e-9)


def test_a_piece_between_restarts_is_a_number_of_steps():
    with pytest.raises(ValueError, match="every: got 0, wanted a whole number of steps"):
        warm_restarts(1e-2, 20, every=0)


@pytest.mark.parametrize(("schedule", "options"), [(cosine, {}), (warm_restarts, {"every": 8})])
@pytest.mark.parametrize("final", ["x", 5, -0.1, math.nan])
def test_a_rate_falls_to_a_part_of_itself(schedule, options, final):
    with pytest.raises(ValueError, match=rf"final: got {final!r}, wanted a fraction of the peak in \[0, 1\]"):
        # Without the types of the annotations, which the tests check first.
        inspect.unwrap(schedule)(1e-2, 20, final=final, **options)


def test_adamw_first_step():
    """First step of Adam is lr * sign(g) (up to eps); decoupled decay takes lr * wd * p besides."""
    transformation, rate = adamw(10, learning_rate=0.1, weight_decay=0.5, schedule=constant)
    params = {"w": jnp.array([1.0, -2.0])}
    grads = {"w": jnp.array([3.0, 4.0])}
    updates, _ = transformation.update(grads, transformation.init(params), params)
    np.testing.assert_allclose(updates["w"], [-0.1 - 0.05, -0.1 + 0.1], atol=1e-6)
    assert float(rate(3)) == pytest.approx(0.1)


def test_clipping_bounds_the_gradient_before_adam():
    transformation, _ = adamw(10, learning_rate=1.0, weight_decay=0.0, b1=0.0, b2=0.0, eps=1.0, clip_norm=1.0)
    params = {"w": jnp.zeros(2)}
    updates, _ = transformation.update({"w": jnp.array([30.0, 40.0])}, transformation.init(params), params)
    # b1 = b2 = 0: the update is g/(|g| + eps) of the clipped gradient (0.6, 0.8).
    np.testing.assert_allclose(updates["w"], [-0.6 / 1.6, -0.8 / 1.8], rtol=1e-5)
