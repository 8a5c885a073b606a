"""Outputs and gradients recorded from the PyTorch library, reproduced without it.

`tests/fixtures/record_neuraloperator.py` says which configurations, and where the release is wrong and is left out.
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from peer_testing import NAMES, build, channels_last, recorded, relative, unpacked

from operators.interop import load_neuraloperator, to_neuraloperator

# Round-off of a few layers.
FLOAT64, FLOAT32 = 1e-12, 5e-6
# Compiled for the shortest compilation: every configuration runs once.
QUICK = {"xla_backend_optimization_level": 0}


def gradients(operator: nnx.Module, output_shape):
    """Jitted (parameters, input) -> the gradients of mean(|output|^2) with respect to both, and the output."""
    graph, params, rest = nnx.split(operator, nnx.Param, ...)

    def loss(params, u):
        v = nnx.merge(graph, params, rest)(u, output_shape)
        return jnp.mean(jnp.real(v * jnp.conj(v))), v

    return jax.jit(jax.grad(loss, (0, 1), has_aux=True), compiler_options=QUICK), params


@pytest.mark.parametrize("name", NAMES)
def test_outputs_and_gradients(x64, name):
    configuration, arrays = recorded(name)
    operator, output_shape = build(configuration)
    wanted, _ = build(configuration)
    load_neuraloperator(operator, unpacked(configuration, arrays["weights"]), dtype=jnp.float64)
    load_neuraloperator(wanted, unpacked(configuration, arrays["gradients"]), dtype=jnp.float64)
    both, params = gradients(operator, output_shape)
    u, v, du = (channels_last(arrays[key]) for key in ("input", "output", "input_gradient"))
    (grads, got_du), got_v = both(params, jnp.asarray(u))
    assert relative(got_v, v) <= FLOAT64
    # The gradient of a complex input is the conjugate of theirs.
    assert relative(np.conj(got_du), du) <= FLOAT64

    # A constant before an instance norm has no effect: its gradient is round-off, small beside the others.
    least = 1e-3 * np.linalg.norm(arrays["gradients"])
    wants = dict(nnx.to_flat_state(nnx.state(wanted, nnx.Param)))
    for path, got in nnx.to_flat_state(grads):
        want = np.asarray(wants.pop(path)[...])
        distance = np.linalg.norm(np.asarray(got[...]) - want)
        assert distance <= FLOAT64 * max(np.linalg.norm(want), least), path
    assert not wants

    # The comparison can fail: the same with weights changed in the ninth digit.
    (_, got_du), got_v = both(jax.tree.map(lambda p: np.asarray(p) * (1 + 1e-9), params), jnp.asarray(u))
    assert min(relative(got_v, v), relative(np.conj(got_du), du)) > FLOAT64


@pytest.mark.parametrize("name", ["dense 2d", "TFNO 3d", "CP 2d", "TT 2d"])
def test_outputs_in_single_precision(name):
    configuration, arrays = recorded(name)
    operator, output_shape = build(configuration)
    load_neuraloperator(operator, unpacked(configuration, arrays["weights"]))
    u = jnp.asarray(channels_last(arrays["input"]), jnp.float32)
    v = jax.jit(lambda operator, u: operator(u, output_shape), compiler_options=QUICK)(operator, u)
    assert v.dtype == jnp.float32
    assert relative(v, channels_last(arrays["output"])) <= FLOAT32


@pytest.mark.parametrize("name", NAMES)
def test_weights_there_and_back(x64, name):
    configuration, arrays = recorded(name)
    weights = unpacked(configuration, arrays["weights"])
    operator, _ = build(configuration)
    load_neuraloperator(operator, weights, dtype=jnp.float64)
    back = to_neuraloperator(operator)
    assert back.keys() == weights.keys()
    for key, value in back.items():
        assert value.dtype == weights[key].dtype and value.flags.c_contiguous
        np.testing.assert_array_equal(value, weights[key], key)
    again, _ = build(configuration)
    load_neuraloperator(again, back, dtype=jnp.float64)
    jax.tree.map(np.testing.assert_array_equal, nnx.state(again, nnx.Param), nnx.state(operator, nnx.Param))
