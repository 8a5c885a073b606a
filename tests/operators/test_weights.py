"""Ranks, initialisation and contractions of the spectral weights."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from jaxtyping import config
from operator_testing import build, sample

from operators.layers.modes import mode_window
from operators.layers.ranks import cp_rank, tt_ranks, tucker_ranks
from operators.layers.weights import make_weight

FACTORIZATIONS = ("Tucker", "CP", "TT")


mix = jax.jit(
    lambda weight, x, window, implementation, dtype=None: weight.mix(
        x, tuple(slice(*w) for w in window), implementation=implementation, dtype=dtype
    ),
    static_argnums=(2, 3, 4),
)


dense = jax.jit(lambda weight: weight.dense())


def make(factorization, *sizes, rank):
    """A weight (in, out, *modes) with random numbers."""
    i, o, *modes = sizes
    return build(lambda: make_weight(factorization, i, o, tuple(modes), rank=rank, std=1.0, rngs=nnx.Rngs(0)))


def complex_at(coefficients) -> np.ndarray:
    """Coefficients [*k, b, 2, c] as complex numbers."""
    re, im = np.moveaxis(np.asarray(coefficients), -2, 0)
    return re + 1j * im


def complex_of(parameter) -> np.ndarray:
    re, im = np.asarray(parameter[...])
    return re + 1j * im


@pytest.mark.parametrize(
    ("shape", "rank", "tucker", "cp", "tt"),
    [
        ((64, 64, 16, 9), 0.1, (35, 35, 9, 5), 386, (1, 37, 23, 7, 1)),
        ((64, 64, 16, 9), 0.42, (51, 51, 13, 7), None, None),
        ((64, 64, 16, 9), 0.01, (18, 18, 4, 3), 39, None),
        ((64, 64, 64, 33), 0.1, (36, 36, 36, 19), 3845, (1, 87, 87, 66, 1)),
        ((64, 64, 64, 33), 0.01, (20, 20, 20, 10), 384, None),
        ((24, 24, 16, 9), 0.1, (13, 13, 9, 5), None, None),
        ((64, 64, 12, 7), 0.1, (35, 35, 7, 4), None, None),
        ((64, 64, 16, 16, 9), 0.1, (40, 40, 10, 10, 6), 5584, (1, 147, 92, 37, 29, 1)),
        ((64, 64, 9), 0.1, (20, 20, 3), None, None),
        ((64, 64, 9), 1.0, (59, 59, 8), None, None),
    ],
)
def test_golden_ranks(shape, rank, tucker, cp, tt):
    assert tucker_ranks(shape, rank) == tucker
    assert cp is None or cp_rank(shape, rank) == cp
    assert tt is None or tt_ranks(shape, rank) == tt


def test_given_ranks(monkeypatch):
    assert tucker_ranks((8, 8, 6, 4), 1) == (1, 1, 1, 1)
    assert tucker_ranks((8, 8, 6, 4), (4, 3, 2, 1)) == (4, 3, 2, 1)
    assert tt_ranks((8, 8, 6, 4), (4, 3, 2)) == (1, 4, 3, 2, 1)
    assert cp_rank((8, 8, 6, 4), 7) == 7
    monkeypatch.setattr(config, "jaxtyping_disable", True)
    assert tucker_ranks((8, 8, 6, 4), tuple(np.array([4, 3, 2, 1]))) == (4, 3, 2, 1)


@pytest.mark.parametrize("bad", [(4, 3), 0, (4, 3, 2, 1.7), (1.7,), (4, 3, 2.0), "4321", None, ()], ids=str)
def test_ranks_are_whole_numbers_one_per_axis(bad, monkeypatch):
    monkeypatch.setattr(config, "jaxtyping_disable", True)
    for ranks in (tucker_ranks, tt_ranks, cp_rank):
        with pytest.raises(ValueError, match="rank: got"):
            ranks((8, 8, 6, 4), bad)


@pytest.mark.parametrize(("factorization", "rank"), [(None, 1.0), ("Tucker", 0.1), ("CP", 0.1), ("TT", 0.1)])
def test_initial_size_of_the_entries(factorization, rank):
    def rms(key):
        weight = make_weight(factorization, 16, 16, (12, 7), rank=rank, std=0.25, rngs=nnx.Rngs(key))
        return jnp.sqrt(jnp.mean(jnp.abs(weight.dense()) ** 2))

    # Products of normals are heavy-tailed: one seed is 12 % off at rank 0.1, the median of eight is not.
    found = np.median(jax.jit(jax.vmap(rms))(jax.random.split(jax.random.key(0), 8)))
    assert abs(found / 0.25 - 1) < 0.15


@pytest.mark.parametrize("kept", [(6, 5, 4), (5, 2, 3)])
@pytest.mark.parametrize("factorization", FACTORIZATIONS)
def test_factorized_reconstructed_and_dense_agree(factorization, kept):
    """Against NumPy's complex einsum, in three dimensions with different sizes everywhere, and on a mode window."""
    weight = make(factorization, 4, 5, 6, 5, 4, rank=0.6)
    x = sample(*kept, 3, 2, 4)
    window = mode_window(weight.modes, kept)
    want = np.einsum(
        "xyzbi,ioxyz->xyzbo", complex_at(x), np.asarray(dense(weight))[(slice(None), slice(None), *window)]
    )
    for implementation in ("factorized", "reconstructed"):
        got = complex_at(mix(weight, x, tuple((w.start, w.stop) for w in window), implementation))
        # float32 round-off of four contractions
        assert np.abs(got - want).max() <= 5e-6 * np.abs(want).max()


@pytest.mark.parametrize("ndim", [1, 2])
@pytest.mark.parametrize("factorization", FACTORIZATIONS)
def test_dense_is_the_sum_over_ranks(factorization, ndim):
    """The defining formula of each factorisation, straight from the stored pairs."""
    weight = make(factorization, 3, 4, *(4, 5)[:ndim], rank=0.7)
    factors = [complex_of(f) for f in weight.factors]
    names, ranks = "ioxy"[: ndim + 2], "pqrs"[: ndim + 2]
    if factorization == "Tucker":
        core = complex_of(weight.core)
        terms = ",".join([ranks[2:] + ranks[:2], *(n + r for n, r in zip(names, ranks, strict=True))])
        want = np.einsum(f"{terms}->{names}", core, *factors)
    elif factorization == "CP":
        scales = complex_of(weight.scales)
        want = np.einsum(f"z,{','.join(n + 'z' for n in names)}->{names}", scales, *factors)
    else:
        bonds = "abcde"
        terms = ",".join(bonds[j] + n + bonds[j + 1] for j, n in enumerate(names))
        want = np.einsum(f"{terms}->{names}", *factors)
    # float32 round-off
    np.testing.assert_allclose(dense(weight), want, atol=3e-6)


@pytest.mark.parametrize("factorization", FACTORIZATIONS)
def test_auto_takes_the_path_with_fewer_operations(factorization):
    """The compiler's own FLOP count of both paths agrees with the choice, for a small and a large batch."""
    weight = make(factorization, 16, 16, 8, 5, rank=0.2)

    def flops(implementation, batch):
        shape = jax.ShapeDtypeStruct((8, 5, batch, 2, 16), jnp.float32)
        return mix.lower(weight, shape, ((0, 8), (0, 5)), implementation).cost_analysis()["flops"]

    for batch, cheaper in ((1, "factorized"), (256, "reconstructed")):
        cost = {name: flops(name, batch) for name in ("factorized", "reconstructed", "auto")}
        assert cost["auto"] == cost[cheaper] == min(cost.values()), cost


# Bits of mantissa: 8 are 4e-3 per operand, 11 are 5e-4.
ROUNDED = [(jnp.bfloat16, 1e-4, 2e-2), (jnp.float16, 1e-5, 2e-3)]


@pytest.mark.parametrize(("dtype", "least", "most"), ROUNDED)
def test_rounding_of_the_operands_only(dtype, least, most):
    weight = make("Tucker", 8, 8, 6, 4, rank=0.5)
    x, window = sample(6, 4, 2, 2, 8), ((0, 6), (0, 4))
    for implementation in ("factorized", "reconstructed"):
        full = mix(weight, x, window, implementation)
        half = mix(weight, x, window, implementation, dtype)
        assert half.dtype == jnp.float32
        error = np.abs(half - full).max() / np.abs(full).max()
        assert least < error < most


@pytest.mark.parametrize(("dtype", "least", "most"), ROUNDED)
@pytest.mark.parametrize("size", [1.0, 1e-9])
def test_rounded_products_in_the_gradients_too(dtype, least, most, size):
    """Also of numbers far below what float16 holds."""
    weight = make("CP", 8, 8, 6, 4, rank=0.5)
    x, window = sample(6, 4, 2, 2, 8), ((0, 6), (0, 4))

    def gradient(x, dtype):
        return jax.grad(lambda x: jnp.sum(mix(weight, x, window, "reconstructed", dtype) ** 2))(size * x)

    full, half = gradient(x, None), gradient(x, dtype)
    error = np.abs(half - full).max() / np.abs(full).max()
    assert half.dtype == jnp.float32 and least < error < most


def test_unknown_factorization():
    with pytest.raises(ValueError, match=r"got 'svd', wanted None"):
        make("svd", 4, 4, 4, 3, rank=1.0)
    with pytest.raises(ValueError, match=r"rank: got -0.5, wanted a positive share"):
        make("CP", 4, 4, 4, 3, rank=-0.5)
