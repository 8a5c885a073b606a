"""Separable weights: one filter per channel, dense and factorised."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from operator_testing import apply, build, sample

from operators.layers.ranks import tt_ranks
from operators.layers.spectral_conv import SpectralConv

FACTORIZATIONS = (None, "Tucker", "CP", "TT")
dense = jax.jit(lambda weight: weight.dense())


def make(n_modes, **options) -> SpectralConv:
    return build(lambda: SpectralConv(3, 3, n_modes, separable=True, bias=False, rngs=nnx.Rngs(0), **options))


def complex_of(parameter) -> np.ndarray:
    re, im = np.asarray(parameter[...])
    return re + 1j * im


@pytest.mark.parametrize("n_modes", [(5,), (4, 5), (3, 4, 4)])
@pytest.mark.parametrize("factorization", FACTORIZATIONS)
def test_tensor_is_the_sum_over_ranks(factorization, n_modes):
    tensor = make(n_modes, factorization=factorization, rank=0.8).weight.tensor
    names, ranks = "cxyz"[: len(n_modes) + 1], "pqrs"[: len(n_modes) + 1]
    factors = [complex_of(f) for f in getattr(tensor, "factors", [])]
    if factorization is None:
        want = complex_of(tensor.tensor)
    elif factorization == "Tucker":
        terms = ",".join([ranks, *(n + r for n, r in zip(names, ranks, strict=True))])
        want = np.einsum(f"{terms}->{names}", complex_of(tensor.core), *factors)
    elif factorization == "CP":
        want = np.einsum(f"w,{','.join(n + 'w' for n in names)}->{names}", complex_of(tensor.scales), *factors)
    else:
        terms = ",".join("abdef"[j] + n + "abdef"[j + 1] for j, n in enumerate(names))
        want = np.einsum(f"{terms}->{names}", *factors)
    got = dense(make(n_modes, factorization=factorization, rank=0.8).weight)
    assert got.shape == (3, *n_modes[:-1], n_modes[-1] // 2 + 1)
    # float32 round-off
    np.testing.assert_allclose(got, want, atol=3e-6)


@pytest.mark.parametrize("shape", [(8, 9), (3, 4)])  # the second holds fewer modes than are stored
@pytest.mark.parametrize("factorization", FACTORIZATIONS)
def test_every_channel_has_its_own_filter(factorization, shape):
    """Equal to the convolution whose matrices are diagonal."""
    conv = make((4, 5), factorization=factorization, rank=0.8)
    full = build(lambda: SpectralConv(3, 3, (4, 5), bias=False, rngs=nnx.Rngs(0)))
    w = np.asarray(dense(conv.weight))
    matrices = np.einsum("cxy,cd->xycd", w, np.eye(3))
    full.weight.tensor[...] = jnp.asarray(np.stack([matrices.real, matrices.imag], axis=2), jnp.float32)
    u = sample(2, *shape, 3)
    np.testing.assert_allclose(apply(conv, u), apply(full, u), atol=1e-6)


@pytest.mark.parametrize("factorization", FACTORIZATIONS)
def test_initial_size_of_the_entries(factorization):
    def rms(key):
        rngs = nnx.Rngs(key)
        conv = SpectralConv(32, 32, (12, 12), separable=True, factorization=factorization, rank=0.3, rngs=rngs)
        return jnp.sqrt(jnp.mean(jnp.abs(conv.weight.dense()) ** 2))

    # Products of normals are heavy-tailed: the median of eight seeds.
    found = np.median(jax.jit(jax.vmap(rms))(jax.random.split(jax.random.key(0), 8)))
    assert abs(found * np.sqrt(32) - 1) < 0.2


def test_ranks_of_a_train_of_two_cores():
    # r (7 + 5) = 0.5 * 35
    assert tt_ranks((7, 5), 0.5) == (1, round(0.5 * 35 / 12), 1)


@pytest.mark.parametrize(
    ("channels", "options", "match"),
    [
        ((3, 4), {}, "separable: got True for 3 -> 4"),
        ((3, 3), {"spectral_dtype": "bf16"}, "spectral_dtype: got 'bf16'"),
    ],
)
def test_what_does_not_fit_is_named(channels, options, match):
    with pytest.raises(ValueError, match=match):
        SpectralConv(*channels, (4,), separable=True, rngs=nnx.Rngs(0), **options)
