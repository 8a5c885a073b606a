"""Outputs and gradients recorded from the PyTorch library, reproduced without it.

`tests/fixtures/record_neuraloperator.py` says which configurations, and where the release is wrong and is left out.
"""

import json
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from carried_weights import carry, relative
from flax import nnx

import operators
from operators.layers.spectral_conv import SpectralConv

RECORDED = np.load(Path(__file__).parents[1] / "fixtures" / "neuraloperator.npz")
NAMES = sorted({key.split("/")[0] for key in RECORDED.files if "/" in key})
# Round-off of a few layers.
FLOAT64, FLOAT32 = 1e-12, 5e-6
# Compiled for the shortest compilation: every configuration runs once.
QUICK = {"xla_backend_optimization_level": 0}


def unpacked(configuration: dict, row: np.ndarray) -> dict[str, np.ndarray]:
    """One long row -> arrays by the library's names."""
    values, begin = {}, 0
    for name, shape, is_complex in configuration["parameters"]:
        end = begin + (1 + is_complex) * int(np.prod(shape))
        part = row[begin:end].view(complex) if is_complex else row[begin:end]
        values[name], begin = part.reshape(shape), end
    assert begin == len(row)
    return values


def build(configuration: dict) -> tuple[nnx.Module, tuple[int, ...] | None]:
    """Our abstract operator, and the grid of its output where it is another one."""
    options = dict(configuration["options"])
    output_shape = options.pop("output_shape", None)
    kind = SpectralConv if configuration["class"] == "SpectralConv" else getattr(operators, configuration["class"])
    operator = nnx.eval_shape(lambda: kind(**options, rngs=nnx.Rngs(0)))
    return operator, output_shape and tuple(output_shape)


def channels_last(u: np.ndarray) -> np.ndarray:
    return np.moveaxis(u, 1, -1)


def recorded(name: str) -> tuple[dict, dict[str, np.ndarray]]:
    """What a configuration is made of, and its arrays."""
    arrays = {key.split("/")[1]: RECORDED[key] for key in RECORDED.files if key.startswith(name + "/")}
    return json.loads(arrays.pop("configuration").item()), arrays


def gradients(operator: nnx.Module, output_shape):
    """Jitted (parameters, input) -> the gradients of mean(output^2) with respect to both, and the output."""
    graph, params, rest = nnx.split(operator, nnx.Param, ...)

    def loss(params, u):
        v = nnx.merge(graph, params, rest)(u, output_shape)
        return jnp.mean(jnp.square(v)), v

    return jax.jit(jax.grad(loss, (0, 1), has_aux=True), compiler_options=QUICK), params


@pytest.mark.parametrize("name", NAMES)
def test_outputs_and_gradients(x64, name):
    configuration, arrays = recorded(name)
    operator, output_shape = build(configuration)
    wanted, _ = build(configuration)
    carry(operator, unpacked(configuration, arrays["weights"]), jnp.float64)
    carry(wanted, unpacked(configuration, arrays["gradients"]), jnp.float64)
    both, params = gradients(operator, output_shape)
    u, v, du = (channels_last(arrays[key]) for key in ("input", "output", "input_gradient"))
    (grads, got_du), got_v = both(params, jnp.asarray(u))
    assert relative(got_v, v) <= FLOAT64
    assert relative(got_du, du) <= FLOAT64

    # A constant before an instance norm has no effect: its gradient is round-off, small beside the others.
    least = 1e-3 * np.linalg.norm(arrays["gradients"])
    wants = dict(nnx.to_flat_state(nnx.state(wanted, nnx.Param)))
    for path, got in nnx.to_flat_state(grads):
        want = np.asarray(wants.pop(path)[...])
        distance = np.linalg.norm(np.asarray(got[...]) - want)
        assert distance <= FLOAT64 * max(np.linalg.norm(want), least), path
    assert not wants

    # The comparison can fail: the same with weights changed in the ninth digit.
    (_, got_du), got_v = both(jax.tree.map(lambda p: p * (1 + 1e-9), params), jnp.asarray(u))
    assert min(relative(got_v, v), relative(got_du, du)) > FLOAT64


@pytest.mark.parametrize("name", ["dense 2d", "TFNO 3d", "CP 2d", "TT 2d"])
def test_outputs_in_single_precision(name):
    configuration, arrays = recorded(name)
    operator, output_shape = build(configuration)
    carry(operator, unpacked(configuration, arrays["weights"]), jnp.float32)
    u = jnp.asarray(channels_last(arrays["input"]), jnp.float32)
    v = jax.jit(lambda operator, u: operator(u, output_shape), compiler_options=QUICK)(operator, u)
    assert v.dtype == jnp.float32
    assert relative(v, channels_last(arrays["output"])) <= FLOAT32
