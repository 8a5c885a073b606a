"""AdamW with modulus second moment against the PyTorch library's, step by step."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from training.optim import adamw_modulus, constant

torch = pytest.importorskip("torch", reason="torch is not installed (extra `peers`)")
library = pytest.importorskip("neuralop.training", reason="neuraloperator is not installed (extra `peers`)")

# The library imports with deprecation warnings of its own dependencies.
pytestmark = [pytest.mark.peers, pytest.mark.filterwarnings("default")]


def test_five_steps_on_complex_and_real_parameters(x64):
    rng = np.random.default_rng(0)
    start = {"w": rng.normal(size=(3, 4)) + 1j * rng.normal(size=(3, 4)), "b": rng.normal(size=3)}
    theirs = {name: torch.nn.Parameter(torch.tensor(value)) for name, value in start.items()}
    optimizer = library.AdamW(theirs.values(), lr=0.01, weight_decay=0.1)
    ours = {"w": jnp.stack([start["w"].real, start["w"].imag], axis=1), "b": jnp.asarray(start["b"])}
    transformation, _ = adamw_modulus(5, pair_axes={"w": 1}, learning_rate=0.01, weight_decay=0.1, schedule=constant)
    state = transformation.init(ours)
    for _ in range(5):
        g = {"w": rng.normal(size=(3, 4)) + 1j * rng.normal(size=(3, 4)), "b": rng.normal(size=3)}
        for name, parameter in theirs.items():
            parameter.grad = torch.tensor(g[name])
        optimizer.step()
        pulls = {"w": jnp.stack([g["w"].real, g["w"].imag], axis=1), "b": jnp.asarray(g["b"])}
        updates, state = transformation.update(pulls, state, ours)
        ours = jax.tree.map(jnp.add, ours, updates)
    found = ours["w"][:, 0] + 1j * ours["w"][:, 1]
    # The bias correction is computed in float32.
    np.testing.assert_allclose(found, theirs["w"].detach().numpy(), atol=1e-7)
    np.testing.assert_allclose(ours["b"], theirs["b"].detach().numpy(), atol=1e-7)
