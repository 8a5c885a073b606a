"""Complex functions: centred windows on every axis, and pairs of real layers."""

import functools
import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from operator_testing import QUICK, apply, apply_to, build, sample

from operators import FNO, TFNO
from operators.layers.complex_valued import ComplexValued, componentwise
from operators.layers.linear import Linear
from operators.layers.modes import mode_window
from operators.layers.spectral_conv import SpectralConv


def make(*args, **options) -> SpectralConv:
    return build(lambda: SpectralConv(*args, complex_data=True, rngs=nnx.Rngs(0), **options))


def field(*shape: int) -> jax.Array:
    return jnp.asarray(np.asarray(sample(*shape)) + 1j * np.asarray(sample(*shape, seed=1)))


def definition(conv: SpectralConv, u: np.ndarray, target) -> np.ndarray:
    """Float64: one matrix for every signed frequency that both grids and the weight have."""
    shape, d = u.shape[1:-1], conv.ndim
    u_hat = np.fft.fftn(u.astype(np.complex128), axes=range(1, d + 1), norm="forward")
    w = np.asarray(jax.jit(lambda weight: weight.dense())(conv.weight)).astype(np.complex128)
    counts = [min(sizes) for sizes in zip(shape, target, w.shape[2:], strict=True)]
    points = np.meshgrid(*(np.arange(t) / t for t in target), indexing="ij")
    v = np.zeros((u.shape[0], *target, conv.out_channels), complex)
    for f in itertools.product(*(range(-(k // 2), k - k // 2) for k in counts)):
        row = tuple(m + k // 2 for m, k in zip(f, w.shape[2:], strict=True))
        c = u_hat[(slice(None), *f)] @ w[(slice(None), slice(None), *row)]
        phase = np.exp(2j * np.pi * sum(m * x for m, x in zip(f, points, strict=True)))
        v += phase[None, ..., None] * c.reshape(-1, *[1] * d, conv.out_channels)
    return v + np.asarray(conv.bias[...])


@pytest.mark.parametrize(
    ("n_modes", "shape", "target", "options"),
    [
        ((6,), (15,), None, {}),
        ((6,), (5,), None, {}),  # an even window used at an odd size
        ((5, 4), (8, 9), None, {"factorization": "Tucker", "rank": 0.7}),
        ((4, 6), (8, 7), (5, 12), {}),
        ((3, 4, 2), (4, 6, 5), None, {}),
    ],
)
def test_equals_its_definition(n_modes, shape, target, options):
    conv = make(2, 3, n_modes, **options)
    assert conv.weight.modes == n_modes  # nothing is redundant, so nothing is halved
    u = field(2, *shape, 2)
    want = definition(conv, np.asarray(u), target or shape)
    got = apply_to(conv, u, target)
    assert got.dtype == jnp.complex64
    assert np.abs(got - want).max() <= 1e-6 * max(1, np.abs(want).max())  # float32 transforms and sums


@pytest.mark.parametrize("d", [1, 2])
def test_the_mean_and_both_signs_pass(d):
    conv = make(1, 1, (3,) * d, bias=False)
    ones = np.zeros(conv.weight.tensor.shape, np.float32)
    ones[..., 0, :, :] = 1
    conv.weight.tensor[...] = jnp.asarray(ones)
    x = np.arange(8) / 8
    for f in (-1, 0, 1):
        wave = np.exp(2j * np.pi * f * x).astype(np.complex64).reshape(1, *[1] * (d - 1), 8, 1)
        u = jnp.asarray(np.broadcast_to(wave, (1, *[8] * d, 1)))
        np.testing.assert_allclose(apply(conv, u), u, atol=1e-6)


def test_translation_equivariance():
    conv, u = make(2, 2, (4, 5)), field(1, 8, 9, 2)
    v = apply(conv, u)
    for axis in (1, 2):
        np.testing.assert_allclose(apply(conv, np.roll(u, 3, axis)), np.roll(v, 3, axis), atol=2e-6)


def test_a_pair_of_linear_layers_is_a_complex_matrix():
    pair = build(lambda: ComplexValued(Linear(3, 2, bias=False, rngs=nnx.Rngs(0))))
    z = field(4, 3)
    matrix = np.asarray(pair.fr.weight[...]) + 1j * np.asarray(pair.fi.weight[...])
    np.testing.assert_allclose(apply(pair, z), np.asarray(z) @ matrix, atol=1e-6)
    start = ComplexValued(Linear(3, 2, rngs=nnx.Rngs(0)))
    np.testing.assert_array_equal(start.fr.weight[...], start.fi.weight[...])
    assert len(jax.tree.leaves(nnx.state(start))) == 4  # two layers, not one twice
    np.testing.assert_allclose(componentwise(jnp.tanh, z), np.tanh(z.real) + 1j * np.tanh(z.imag), atol=1e-6)


def test_window_is_centred_on_the_last_axis_too():
    assert mode_window((6, 6), (4, 5), complex_data=True) == (slice(1, 5), slice(1, 6))


def test_network():
    """Norms with statistics, scaling of a padded grid, and pre-activation, in complex numbers."""
    options = {"norm": "batch_norm", "preactivation": True, "stabilizer": "tanh", "domain_padding": 0.25}
    options |= {"factorization": "CP", "rank": 0.5, "resolution_scaling_factor": 2, "complex_data": True}
    network = build(lambda: FNO((4, 3), 2, 3, 4, n_layers=1, **options, rngs=nnx.Rngs(0)))
    for _, leaf in nnx.iter_graph(network):
        if isinstance(leaf, nnx.BatchStat):
            leaf.set_value(jnp.ones(leaf.shape))
    graph, params, rest = nnx.split(network, nnx.Param, ...)

    @functools.partial(jax.jit, compiler_options=QUICK)
    def gradient(params, rest, u):
        def loss(params):
            v = nnx.merge(graph, params, jax.tree.map(lambda leaf: leaf, rest))(u)
            return jnp.mean(jnp.abs(v) ** 2), v

        return jax.grad(loss, has_aux=True)(params)

    grads, v = gradient(params, rest, field(2, 8, 7, 2))
    assert v.dtype == jnp.complex64
    assert v.shape == (2, 16, 14, 3)
    for path, grad in nnx.to_flat_state(grads):
        assert grad.dtype == jnp.float32 and np.isfinite(grad[...]).all() and np.any(np.asarray(grad[...])), path


def test_kind_of_numbers_is_checked():
    def make_network(**options):
        return nnx.eval_shape(lambda: TFNO((4,), 1, 1, 4, n_layers=1, **options, rngs=nnx.Rngs(0)))

    with pytest.raises(ValueError, match="u: got float32, wanted complex numbers"):
        make_network(complex_data=True)(sample(1, 8, 1))
    with pytest.raises(ValueError, match="u: got complex64, wanted real numbers"):
        make_network()(field(1, 8, 1))
