"""Rollouts on coefficients are rollouts of fields."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from operator_testing import apply, build, sample

from operators import FNO, T1, Rollout
from spectral.truncation import Truncation

roll = jax.jit(lambda operator, u, steps: operator(u, steps=steps), static_argnums=2)


@pytest.mark.parametrize("basis", ["cosine", "fourier"])
@pytest.mark.parametrize("order", [0, 1, 2])
def test_on_coefficients_as_on_fields(order, basis):
    step = functools.partial(T1, (5, 4), hidden_channels=4, n_layers=1, projection_channels=4, basis=basis)
    operator = build(lambda: Rollout(4, 2, step=step, order=order, fields=2, rngs=nnx.Rngs(0)), scale=0.2)
    truncation = Truncation((5, 4), basis)
    u = truncation.inverse(truncation.forward(sample(2, 9, 12, 4)), (9, 12))  # no other modes
    got = roll(operator, u, 10)
    assert got.shape == (2, 9, 12, 20)
    one = jax.jit(lambda step, u: step(u))
    earlier, last = u[..., 0::2], u[..., 1::2]
    expected = []
    for _ in range(10):
        f = one(operator.step, jnp.stack([earlier, last], -1).reshape(u.shape))
        earlier, last = last, f + (0, last, 2 * last - earlier)[order]
        expected.append(last)
    expected = np.stack(expected, -1).reshape(got.shape)
    # Round-off of ten steps; with order 2 it adds up twice.
    assert np.linalg.norm(got - expected) < 1e-5 * np.linalg.norm(expected)


@pytest.mark.parametrize("order", [0, 1])
def test_the_floor_is_below_what_a_step_reaches(order):
    """A step that adds nothing: what it was given comes out whole, in the order that adds it."""
    step = functools.partial(T1, (6, 6), hidden_channels=2, n_layers=1, selection="top_energy", kept_modes=4)
    operator = build(lambda: Rollout(1, 1, step=step, order=order, rngs=nnx.Rngs(0)), scale=0.0)
    truncation = Truncation((6, 6), "cosine")
    u = truncation.inverse(truncation.forward(sample(2, 9, 12, 1)), (9, 12))
    error, floor = (np.linalg.norm(v - u) for v in (roll(operator, u, 1), operator.project(u)))
    assert floor <= error + 1e-5 * np.linalg.norm(u)
    assert (floor < 1e-5 * np.linalg.norm(u)) == (order > 0)


def test_of_an_operator_without_coefficients():
    step = functools.partial(FNO, (4, 4), hidden_channels=4, n_layers=1)
    operator = build(lambda: Rollout(2, 3, step=step, order=1, rngs=nnx.Rngs(0)))
    u = sample(2, 8, 8, 2)
    first, second, _ = jnp.moveaxis(roll(operator, u, None), -1, 0)
    expected = u[..., 1] + apply(operator.step, u)[..., 0]
    np.testing.assert_allclose(first, expected, atol=1e-5)
    again = apply(operator.step, jnp.stack([u[..., 1], first], -1))[..., 0]
    np.testing.assert_allclose(second, first + again, atol=1e-5 * float(jnp.abs(second).max()))


def test_every_channel_is_a_field_of_the_only_frame():
    step = functools.partial(FNO, (4,), hidden_channels=4, n_layers=1)
    one, three = (
        build(lambda n=n: Rollout(2, 2 * n, step=step, fields=None, rngs=nnx.Rngs(0))) for n in (1, 3)
    )  # fmt: skip
    assert str(nnx.state(one, nnx.Param)) == str(nnx.state(three, nnx.Param)), "how far it looks is no parameter"
    u = sample(2, 12, 2)
    got, state = roll(three, u, None), u
    # Channel c T + n is channel c of the state n + 1, as a data set with three times of two fields has them.
    for n in range(3):
        state = roll(one, state, None)
        np.testing.assert_allclose(got[..., n::3], state, atol=1e-5)


@pytest.mark.parametrize(
    ("arguments", "options", "message"),
    [
        ((1, 3), {"order": 2}, "order"),
        ((2, 3), {"order": 3}, "order"),
        ((3, 4), {"fields": 2}, "fields"),
        ((2, 2), {"step": functools.partial(T1, (4, 4))}, "step"),
        ((2, 2), {"step": lambda **_: None}, "step"),
    ],
)
def test_bad_arguments_are_named(arguments, options, message):
    options = {"step": functools.partial(T1, (4, 4), hidden_channels=4)} | options
    with pytest.raises(ValueError, match=rf"^{message}: got"):
        nnx.eval_shape(lambda: Rollout(*arguments, rngs=nnx.Rngs(0), **options))
