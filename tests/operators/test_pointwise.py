"""Pointwise layers as they are arranged for CPUs are the plain formulas."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from operators.layers import pointwise
from operators.layers.activations import gelu


def numbers(*shape: int) -> jax.Array:
    return jnp.asarray(np.random.default_rng(0).standard_normal(shape))


@pytest.mark.parametrize("shape", [(2, 128, 3), (5, 7, 3), (3,)])  # whole blocks of points, none, a single point
@pytest.mark.parametrize("outputs", [1, 4])
def test_matmul_and_its_gradients_are_those_of_the_product(x64, shape, outputs):
    x, w = numbers(*shape), numbers(3, outputs)

    def value_and_gradients(product):
        return jax.value_and_grad(lambda x, w: jnp.sum(jnp.sin(product(x, w))), (0, 1))(x, w)

    got, wanted = value_and_gradients(pointwise.matmul), value_and_gradients(jnp.matmul)
    # Sums of 256 products in another order.
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-12), got, wanted)
    tangents = (numbers(*shape), numbers(3, outputs))
    forward = jax.jvp(pointwise.matmul, (x, w), tangents), jax.jvp(jnp.matmul, (x, w), tangents)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-12), *forward)


# 8 blocks of 4 points: one block, two and four at a time; or samples of 16 points, one and two at a time.
@pytest.mark.parametrize("per_sample", [False, True])
@pytest.mark.parametrize(("points", "counts"), [(4, (8, 2)), (8, (4, 2)), (16, (2, 2)), (32, (1, 1))])
def test_in_chunks_is_the_function_of_the_whole_batch(x64, monkeypatch, per_sample, points, counts):
    x, y, w = numbers(2, 4, 4, 3), numbers(2, 4, 4, 2), numbers(3, 2)

    def f(x, y):
        mean = x.mean(range(1, x.ndim - 1), keepdims=True) if per_sample else 0
        return jnp.sin((x - mean) @ w) * y

    def value_and_gradients(apply):
        return jax.value_and_grad(lambda x, y: jnp.sum(apply(x, y) ** 2), (0, 1))(x, y)

    def chunked(x, y):
        return pointwise.in_chunks(f, x, y, per_sample=per_sample)

    monkeypatch.setattr(pointwise, "CACHED_POINTS", points)
    monkeypatch.setattr(pointwise, "BLOCK", 4)
    got, wanted = value_and_gradients(chunked), value_and_gradients(f)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-12), got, wanted)
    count = counts[per_sample]
    text = str(jax.make_jaxpr(chunked)(x, y))
    assert ("scan" in text) == (count > 1) and (count == 1 or f"length={count}\n" in text)


@pytest.mark.parametrize(
    ("leading", "per_sample", "chunk"),
    [
        ((16, 64, 64), False, (32, 128)),
        ((4, 128, 128), False, (32, 128)),  # a quarter of a sample
        ((4, 128, 128), True, (1, 128, 128)),
        ((16, 32, 32), True, (4, 32, 32)),
        ((3, 65, 65), False, (1, 65, 65)),  # no whole blocks
        ((2, 96), False, (2, 96)),
    ],
)
def test_chunks(leading, per_sample, chunk):
    assert pointwise._chunk(leading, per_sample) == chunk


def test_gelu_has_the_derivative_of_the_exact_function(x64):
    x = jnp.linspace(-6, 6, 101)
    exact = lambda x: jax.nn.gelu(x, approximate=False)  # noqa: E731
    np.testing.assert_allclose(gelu(x), exact(x), atol=1e-15)
    np.testing.assert_allclose(jax.vmap(jax.grad(gelu))(x), jax.vmap(jax.grad(exact))(x), atol=1e-15)
