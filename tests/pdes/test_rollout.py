"""Trajectories: what is recorded, and derivatives through them."""

import flow_testing as flow
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flow_testing import relative, square

from pdes.equations import NavierStokes
from pdes.steppers import etdrk4, rollout

pytestmark = pytest.mark.usefixtures("x64")


def test_records_every_inner_steps_and_vmaps():
    step, start = etdrk4(NavierStokes(square(32), 1e-2), 0.02), flow.turbulence(32)
    every = jax.jit(lambda w: rollout(step, w, 12))(start)
    batch = jax.jit(jax.vmap(lambda w: rollout(step, w, 3, 4)))(jnp.stack([start, 0.5 * start]))
    assert batch.shape == (2, 3, 32, 17)
    for i, state in enumerate(batch[0]):
        assert relative(state, every[4 * i + 3]) <= 1e-14
    assert relative(batch[1], batch[0]) > 0.1


def test_counts_below_one_are_explained():
    with pytest.raises(ValueError, match="wanted at least 1"):
        rollout(lambda w: w, flow.turbulence(32), 0)


def test_gradient_through_ten_steps():
    equation, start = NavierStokes(square(32), 1e-2), flow.turbulence(32)
    step, direction = etdrk4(equation, 0.05), 1j * flow.turbulence(32)[::-1]
    initial, tangent = equation.to_physical(start), equation.to_physical(direction)

    def loss(vorticity, remat):
        states = rollout(step, equation.to_spectral(vorticity), 2, 5, remat)
        return jnp.sum(jnp.abs(states) ** 2)

    gradient = jax.jit(jax.grad(loss), static_argnums=1)
    with_remat, without = gradient(initial, True), gradient(initial, False)
    np.testing.assert_array_equal(with_remat, without)
    # Central differences: h^2 of truncation against eps / h of round-off.
    h, value = 1e-5, jax.jit(loss, static_argnums=1)
    difference = (value(initial + h * tangent, True) - value(initial - h * tangent, True)) / (2 * h)
    assert float(jnp.vdot(with_remat, tangent)) == pytest.approx(float(difference), rel=1e-6)


def test_remat_keeps_the_recorded_states_only():
    """Saved for the backward pass: n_outputs states instead of every intermediate of every step."""
    step, start = etdrk4(NavierStokes(square(32), 1e-2), 0.05), flow.turbulence(32)

    def temporaries(remat):
        def loss(w):
            return jnp.sum(jnp.abs(rollout(step, w, 4, 16, remat)[-1]) ** 2)

        return jax.jit(jax.grad(loss)).lower(start).compile().memory_analysis().temp_size_in_bytes

    assert 2 * temporaries(True) < temporaries(False)
