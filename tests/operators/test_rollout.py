"""A learned step applied again and again."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from operator_testing import apply, build, sample

from operators import FNO
from operators.rollout import Rollout

STEP = functools.partial(FNO, (4,), hidden_channels=4, n_layers=1)


def rollout(steps: int) -> Rollout:
    return build(lambda: Rollout(2, 2 * steps, operator=STEP, rngs=nnx.Rngs(0)))


def test_states_by_hand():
    network, u = rollout(3), sample(2, 12, 2)
    states = [u]
    for _ in range(3):
        states.append(apply(network.step, states[-1]))
    got = apply(network, u)
    # Channel c T + n is channel c of the state n + 1, as a data set with three times of two fields has them.
    for channel in range(2):
        for step in range(3):
            np.testing.assert_allclose(got[..., 3 * channel + step], states[step + 1][..., channel], atol=1e-5)


def test_parameters_do_not_know_how_far_it_looks():
    one, two = rollout(1), rollout(2)
    assert str(nnx.state(one, nnx.Param)) == str(nnx.state(two, nnx.Param))
    u = sample(1, 12, 2)
    np.testing.assert_allclose(apply(two, u)[..., ::2], apply(one, u), atol=1e-6)
    assert jax.eval_shape(lambda: two(u, (24,))).shape == (1, 24, 4)
    assert jax.eval_shape(two, jnp.zeros((3, 2, 12, 2))).shape == (3, 2, 12, 4)


def test_what_is_refused():
    with pytest.raises(ValueError, match="out_channels: got 3, wanted whole states of 2 channels"):
        Rollout(2, 3, operator=STEP, rngs=nnx.Rngs(0))
    with pytest.raises(ValueError, match=r"operator: got .* wanted a function that makes an operator"):
        Rollout(2, 4, operator=lambda in_channels, out_channels, rngs: 3, rngs=nnx.Rngs(0))
    with pytest.raises(ValueError, match="n_modes: got"):
        rollout(1).check_grid((4,))
