"""FNO and TFNO as whole networks: sizes, resolutions, options."""

import functools
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from operator_testing import apply, apply_to, build, sample

from operators import FNO, TFNO


@pytest.mark.parametrize(
    ("cls", "modes", "width", "options", "count"),
    [
        (FNO, 16, 64, {}, 4_769_473),
        (TFNO, 16, 64, {}, 529_233),
        (FNO, 12, 64, {}, 2_803_393),
        (TFNO, 12, 64, {}, 362_017),
        (FNO, 16, 24, {}, 671_113),
        (TFNO, 16, 24, {}, 74_905),
        (FNO, 64, 64, {"projection_channel_ratio": 4}, 69_265_345),
        (TFNO, 64, 64, {"projection_channel_ratio": 4}, 7_211_353),
        (TFNO, 64, 64, {"projection_channel_ratio": 4, "factorization": "CP", "rank": 0.01}, 753_601),
        (TFNO, 64, 64, {"projection_channel_ratio": 4, "factorization": "CP", "rank": 0.0065}, 511_329),
        (TFNO, 64, 64, {"projection_channel_ratio": 4, "rank": 0.01}, 732_689),
        (TFNO, 64, 64, {"projection_channel_ratio": 4, "factorization": "TT", "rank": 0.01}, 742_249),
        (FNO, 8, 24, {}, 191_881),
    ],
    ids=str,
)
def test_parameter_counts(cls, modes, width, options, count):
    operator = nnx.eval_shape(lambda: cls((modes, modes), 1, 1, width, rngs=nnx.Rngs(0), **options))
    assert sum(math.prod(leaf.shape) for leaf in jax.tree.leaves(nnx.state(operator, nnx.Param))) == count


def smooth(n: int) -> np.ndarray:
    """The same random trigonometric polynomial of degree 8 on any grid, [1, n, n, 1]."""
    rng = np.random.default_rng(0)
    x = np.arange(n) / n
    field = np.zeros((n, n))
    for kx in range(-8, 9):
        for ky in range(9):
            amplitude, phase = rng.normal() * np.exp(-0.3 * math.hypot(kx, ky)), rng.uniform(0, 2 * np.pi)
            field += amplitude * np.cos(2 * np.pi * (kx * x[:, None] + ky * x[None]) + phase)
    return field[None, ..., None].astype(np.float32)


def test_resolutions_agree():
    """Convolutions are exact, activations alias: the difference between grids is small and falls with resolution."""
    # About the size that PyTorch's initialisation gives 32 channels.
    fno = build(lambda: FNO((12, 12), 1, 1, 32, positional_embedding=None, rngs=nnx.Rngs(0)), scale=0.15)
    outputs = {n: np.asarray(apply(fno, smooth(n))) for n in (32, 64, 128)}
    differences = []
    for n in (32, 64):
        fine = outputs[2 * n][:, ::2, ::2]
        differences.append(np.linalg.norm(fine - outputs[n]) / np.linalg.norm(fine))
    assert differences[1] < differences[0] and differences[1] < 1e-2


def test_without_channel_mlp_there_is_one_activation():
    make = functools.partial(FNO, (4,), 1, 1, 4, n_layers=2, use_channel_mlp=False, non_linearity=jnp.sin)
    fno, u = build(lambda: make(rngs=nnx.Rngs(0))), sample(2, 16, 1)

    @jax.jit
    def by_hand(fno, u):
        first, last = fno.blocks
        x = fno.lifting(fno.embedding(u))
        x = jnp.sin(first.conv(x) + first.fno_skip(x))
        return fno.projection(last.conv(x) + last.fno_skip(x))

    np.testing.assert_allclose(apply(fno, u), by_hand(fno, u), atol=1e-6)


def test_remat_changes_memory_only():
    u = sample(2, 16, 1)

    def loss_and_gradient(remat):
        fno = build(lambda: FNO((6,), 1, 1, 4, norm="group_norm", n_layers=1, remat=remat, rngs=nnx.Rngs(0)))
        graph, params = nnx.split(fno)
        step = jax.jit(jax.value_and_grad(lambda p: jnp.square(nnx.merge(graph, p)(u)).mean()))
        return step(params), str(jax.make_jaxpr(step)(params))

    (plain, grads), text = loss_and_gradient(False)
    (again, grads_again), text_again = loss_and_gradient(True)
    assert "remat" in text_again and "remat" not in text
    np.testing.assert_allclose(plain, again, rtol=1e-6)
    for a, b in zip(jax.tree.leaves(grads), jax.tree.leaves(grads_again), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-6 * max(1e-3, np.abs(a).max()), rtol=1e-4)


def test_domain_padding():
    fno = build(lambda: FNO((4,), 1, 2, 4, n_layers=1, domain_padding=0.25, rngs=nnx.Rngs(0)))
    u = sample(1, 12, 1)

    @jax.jit
    def by_hand(fno, u):
        x = fno.lifting(fno.embedding(u))
        x = fno.blocks[0](jnp.pad(x, ((0, 0), (3, 3), (0, 0))))
        return fno.projection(x)[:, 3:-3]

    np.testing.assert_allclose(apply(fno, u), by_hand(fno, u), atol=1e-6)
    assert apply_to(fno, u, (24,)).shape == (1, 24, 2)


@pytest.mark.parametrize("dtype", ["bf16", "f16"])
def test_rounded_mixing_is_close_to_float32(dtype):
    u = jnp.asarray(smooth(16))
    full, half = (
        build(lambda kind=kind: FNO((6, 6), 1, 1, 8, n_layers=1, spectral_dtype=kind, rngs=nnx.Rngs(0)))
        for kind in ("f32", dtype)
    )
    a, b = apply(full, u), apply(half, u)
    assert b.dtype == jnp.float32
    assert 0 < np.linalg.norm(a - b) / np.linalg.norm(a) < 1e-2


def test_float64_runs_in_float64(x64):
    """Parameters cast to float64 agree between implementations to its round-off: nothing falls back to float32."""
    results = []
    for implementation in ("factorized", "reconstructed"):
        options = {"n_layers": 1, "rank": 0.5, "implementation": implementation}
        tfno = build(lambda options=options: TFNO((4,), 1, 1, 4, rngs=nnx.Rngs(0), **options))
        tfno = jax.tree.map(lambda leaf: leaf.astype(jnp.float64), tfno)
        results.append(apply(tfno, jnp.asarray(smooth(12)[:, 0], jnp.float64)))
    assert results[0].dtype == jnp.float64
    np.testing.assert_allclose(*results, rtol=1e-12)


def test_scaling_carries_functions_by_signed_frequency():
    """Up, then down along one axis: without convolution and activation the network keeps a wave as it is."""
    options = {"resolution_scaling_factor": [2, [1, 0.5]], "use_channel_mlp": False, "fno_skip": "identity"}
    fno = build(lambda: FNO((4, 4), 1, 1, 3, n_layers=2, non_linearity=lambda x: x, **options, rngs=nnx.Rngs(0)))
    for block in fno.blocks:
        for parameter in (block.conv.weight.tensor, block.conv.bias):
            parameter[...] = np.zeros(parameter.shape, np.float32)
    assert fno.grids((10, 12)).inner == ((20, 24), (20, 12))
    assert fno.grids((10, 12), (7, 8)).inner == ((20, 24), (7, 8))

    def field(*shape):
        x, y = np.meshgrid(*(np.arange(s) / s for s in shape), indexing="ij")
        return np.cos(2 * np.pi * (2 * x - y) + 1)[None, ..., None].astype(np.float32)

    pointwise = jax.jit(lambda fno, u: fno.projection(fno.lifting(fno.embedding(u))))
    for target in (None, (7, 9)):
        got = apply_to(fno, field(10, 12), target)
        shape = target or (20, 12)
        want = pointwise(fno, field(*shape))
        # Coordinates are no waves: their jump at the boundary is not what is compared.
        plain = pointwise(fno, 0 * field(*shape))
        zero = apply_to(fno, 0 * field(10, 12), target)
        np.testing.assert_allclose(np.subtract(got, zero), np.subtract(want, plain), atol=2e-5)


def test_padding_keeps_its_share_of_a_scaled_grid():
    options = {"domain_padding": 0.25, "resolution_scaling_factor": 2, "n_layers": 1}
    fno = build(lambda: FNO((4,), 1, 2, 4, **options, rngs=nnx.Rngs(0)))

    @jax.jit
    def by_hand(fno, u):
        x = jnp.pad(fno.lifting(fno.embedding(u)), ((0, 0), (2, 2), (0, 0)))
        return fno.projection(fno.blocks[0](x, (28,)))[:, 4:-4]

    u = sample(1, 10, 1)
    np.testing.assert_allclose(apply(fno, u), by_hand(fno, u), atol=1e-5)


def test_modes_may_grow():
    """With fewer modes than are stored a network is the one that stores no more, with the middle of its weights."""
    grown = build(lambda: TFNO((4, 3), 1, 1, 4, max_n_modes=(7, 6), n_layers=2, rank=0.5, rngs=nnx.Rngs(0)))
    small = build(lambda: FNO((4, 3), 1, 1, 4, n_layers=2, rngs=nnx.Rngs(0)))
    dense = jax.jit(lambda weight: weight.dense())
    for ours, theirs in zip(grown.trunk.blocks, small.blocks, strict=True):
        w = np.asarray(dense(ours.conv.weight))[:, :, 1:5, :2]  # zero frequency is at 7//2 and at 4//2
        assert ours.conv.weight.modes == (7, 4)
        pair = np.stack([w.real, w.imag])
        theirs.conv.weight.tensor[...] = jnp.asarray(np.moveaxis(pair, (3, 4, 0), (0, 1, 2)))
        theirs.conv.bias[...] = ours.conv.bias[...]
        theirs.fno_skip, theirs.channel_mlp = ours.fno_skip, ours.channel_mlp
        theirs.channel_mlp_skip = ours.channel_mlp_skip
    small.lifting, small.projection = grown.trunk.lifting, grown.trunk.projection
    u = sample(2, 12, 9, 1)
    few = apply(grown, u)
    np.testing.assert_allclose(few, apply(small, u), atol=2e-6)
    grown.n_modes = (7, 6)
    assert grown.n_modes == (7, 6) and np.abs(apply(grown, u) - few).max() > 1e-3
    for bad in ((8, 6), (7,)):
        with pytest.raises(ValueError, match=r"n_modes: got .* wanted at most \(7, 6\)"):
            grown.n_modes = bad


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"resolution_scaling_factor": [1, 2]}, "resolution_scaling_factor: got"),
        ({"resolution_scaling_factor": -1}, "resolution_scaling_factor: got"),
        ({"max_n_modes": (3, 4)}, "n_modes: got"),
        ({"n_layers": 0}, "n_layers: got 0"),
        ({"positional_embedding": "sinusoidal"}, "positional_embedding: got"),
        ({"norm": "layer"}, "norm: got"),
        ({"fno_skip": "conv"}, "skip: got"),
        ({"factorization": "svd"}, "factorization: got"),
        ({"lifting_channel_ratio": 0.1}, "lifting_channel_ratio: got 0.1"),
        ({"domain_padding": -1.0}, "domain_padding: got"),
    ],
    ids=str,
)
def test_bad_options_are_named(options, match):
    with pytest.raises(ValueError, match=match):
        nnx.eval_shape(lambda: FNO((4, 4), 1, 1, 4, rngs=nnx.Rngs(0), **options))
