"""States between two known ones: the network at every time, on the straight line or alone."""

import functools
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from operator_testing import apply, apply_to, build, sample

from operators import FNO, Interpolation, ModAFNO
from operators.interpolation import between

NETWORK = functools.partial(ModAFNO, grid=(8, 6), patch_size=2, embed_dim=8, depth=1, mod_dim=4, num_blocks=2)


@pytest.mark.parametrize("order", [0, 1])
def test_every_time_by_the_same_network(order):
    operator = build(lambda: Interpolation(4, 6, network=NETWORK, order=order, fields=2, rngs=nnx.Rngs(0)))
    u = sample(2, 8, 6, 4)
    got = np.asarray(apply(operator, u))
    one = jax.jit(lambda network, u, time: network(u, time=time))
    for n, t in enumerate((0.25, 0.5, 0.75)):
        # Channels: first and last of one field, then of the other; three times of one, then of the other.
        line = order * ((1 - t) * u[..., 0::2] + t * u[..., 1::2])
        np.testing.assert_allclose(got[..., n::3], line + one(operator.network, u, jnp.full(2, t)), atol=1e-5)
    between = jax.jit(lambda operator, u: operator(u, times=(0.5, 0.6)))(operator, u)
    np.testing.assert_allclose(between[..., 0::2], got[..., 1::3], atol=1e-5)
    assert between.shape == (2, 8, 6, 4) and apply_to(operator, u, (16, 6)).shape == (2, 16, 6, 6)


@pytest.mark.parametrize(
    ("channels", "options", "message"),
    [
        ((3, 3), {}, "fields"),
        ((4, 3), {"fields": 2}, "fields"),
        ((2, 3), {"order": 2}, "order"),
        ((2, 3), {"times": (0.5,)}, "times"),
        ((2, 1), {"times": (1.5,)}, "times"),
        ((2, 1), {"times": (math.nan,)}, "times"),
        ((2, 1), {"network": functools.partial(FNO, (4, 4), hidden_channels=4)}, "network"),
    ],
)
def test_bad_arguments_are_named(channels, options, message):
    with pytest.raises(ValueError, match=rf"^{message}: got .*wanted"):
        nnx.eval_shape(lambda: Interpolation(*channels, **{"network": NETWORK, **options}, rngs=nnx.Rngs(0)))


# For constructor and call; their annotated types are checked by the tests first.
@pytest.mark.parametrize("times", [(2.0,), (math.nan,), 0.5, (), "a", (0.5, -0.1), (True,), (0.5, (0.5, 0.5)), [[0.5]]])
def test_bad_times_are_named(times):
    with pytest.raises(ValueError, match=r"^times: got .*wanted a list of one or more numbers from 0 to 1; such as"):
        between(times)


def test_traced_times_and_the_unit_of_the_network():
    hours = functools.partial(NETWORK, max_time=24.0)
    days, hours = (build(lambda n=n: Interpolation(2, 2, network=n, rngs=nnx.Rngs(0))) for n in (NETWORK, hours))
    u = sample(1, 8, 6, 2)
    call = jax.jit(lambda operator, u, times: operator(u, times=times))
    got, same = (np.asarray(call(operator, u, jnp.array([1 / 3, 2 / 3]))) for operator in (days, hours))
    np.testing.assert_allclose(got, apply(days, u), atol=1e-5)
    np.testing.assert_allclose(got, same, atol=1e-5)
