"""Pointwise layers as they are arranged for CPUs are the plain formulas."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from operators.layers import pointwise
from operators.layers.activations import gelu


def numbers(*shape: int) -> jax.Array:
    return jnp.asarray(np.random.default_rng(0).standard_normal(shape))


@pytest.mark.parametrize("shape", [(2, 1024, 3), (5, 7, 3), (3,)])  # whole blocks of points, none, a single point
@pytest.mark.parametrize("outputs", [1, 4])
def test_matmul_and_its_gradients_are_those_of_the_product(x64, shape, outputs):
    x, w = numbers(*shape), numbers(3, outputs)

    def value_and_gradients(product):
        return jax.value_and_grad(lambda x, w: jnp.sum(jnp.sin(product(x, w))), (0, 1))(x, w)

    got, wanted = value_and_gradients(pointwise.matmul), value_and_gradients(jnp.matmul)
    # Sums of 2048 products in another order.
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-12), got, wanted)
    tangents = (numbers(*shape), numbers(3, outputs))
    forward = jax.jvp(pointwise.matmul, (x, w), tangents), jax.jvp(jnp.matmul, (x, w), tangents)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-12), *forward)


def test_gelu_has_the_derivative_of_the_exact_function(x64):
    x = jnp.linspace(-6, 6, 101)
    exact = lambda x: jax.nn.gelu(x, approximate=False)  # noqa: E731
    np.testing.assert_allclose(gelu(x), exact(x), atol=1e-15)
    np.testing.assert_allclose(jax.vmap(jax.grad(gelu))(x), jax.vmap(jax.grad(exact))(x), atol=1e-15)
