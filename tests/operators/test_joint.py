"""One tensor for all layers, and all layers in one loop."""

import functools
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from operator_testing import QUICK, apply, build, sample

from operators import FNO, TFNO
from operators.layers.ranks import cp_rank, tt_ranks, tucker_ranks
from operators.layers.weights import make_joint_weight

FACTORIZATIONS = (None, "Tucker", "CP", "TT")


def complex_of(parameter) -> np.ndarray:
    re, im = np.asarray(parameter[...])
    return re + 1j * im


def whole(weight, factorization) -> np.ndarray:
    """W[l, i, o, x, y] by its definition."""
    if factorization is None:
        re, im = np.moveaxis(np.asarray(weight.tensor[...]), 3, 0)
        return np.einsum("lxyio->lioxy", re + 1j * im)
    factors = [complex_of(f) for f in (weight.layers, *weight.factors)]
    if factorization == "Tucker":
        return np.einsum("arspq,la,ip,oq,xr,ys->lioxy", complex_of(weight.core), *factors)
    if factorization == "CP":
        return np.einsum("z,lz,iz,oz,xz,yz->lioxy", complex_of(weight.scales), *factors)
    return np.einsum("alb,bic,cod,dxe,eyf->lioxy", *factors)


@pytest.mark.parametrize("factorization", FACTORIZATIONS)
def test_a_layer_is_a_slice_of_the_whole(factorization):
    joint = build(lambda: make_joint_weight(factorization, 3, 4, (5, 3), rank=0.6, std=1.0, rngs=nnx.Rngs(0)))
    layers = jax.jit(lambda joint: [joint.layer(jnp.asarray(layer)).dense() for layer in range(3)])(joint)
    # float32 round-off of five contractions
    np.testing.assert_allclose(np.stack(layers), whole(joint, factorization), atol=5e-6)


@pytest.mark.parametrize("factorization", FACTORIZATIONS)
def test_initial_size_of_the_entries(factorization):
    def rms(key):
        joint = make_joint_weight(factorization, 4, 16, (12, 7), rank=0.1, std=0.25, rngs=nnx.Rngs(key))
        return jnp.sqrt(jnp.mean(jnp.abs(joint.layer(1).dense()) ** 2))

    # One layer has one row of its factor: products of normals are heavy-tailed, and few rows are averaged.
    found = np.median(jax.jit(jax.vmap(rms))(jax.random.split(jax.random.key(0), 16)))
    assert abs(found / 0.25 - 1) < 0.3


def spectral_size(network) -> int:
    return sum(math.prod(leaf.shape) for leaf in jax.tree.leaves(nnx.state(network.joint)))


@pytest.mark.parametrize("factorization", FACTORIZATIONS)
def test_parameter_counts(factorization):
    """Real numbers of the tensor (4, 64, 64, 16, 9) by the formulas of the ranks, and none elsewhere."""
    options = {"factorization": factorization, "rank": 0.1, "joint_factorization": True}
    network = nnx.eval_shape(lambda: FNO((16, 16), 1, 1, 64, **options, rngs=nnx.Rngs(0)))
    assert all(block.conv.weight is None for block in network.blocks)
    shape = (4, 64, 64, 16, 9)
    if factorization is None:
        want = math.prod(shape)
    elif factorization == "Tucker":
        ranks = tucker_ranks(shape, 0.1)
        want = math.prod(ranks) + sum(n * r for n, r in zip(shape, ranks, strict=True))
        assert ranks == (3, 40, 40, 10, 6)  # TensorLy's, as those below
    elif factorization == "CP":
        assert cp_rank(shape, 0.1) == 1503
        want = 1503 * (1 + sum(shape))
    else:
        bonds = tt_ranks(shape, 0.1)
        assert bonds == (1, 30, 56, 35, 11, 1)
        want = sum(a * n * b for a, n, b in zip(bonds[:-1], shape, bonds[1:], strict=True))
    assert spectral_size(network) == 2 * want
    # Ranks are rounded, that of four layers by a third.
    assert factorization is None or abs(want / math.prod(shape) / 0.1 - 1) < 0.25


def test_network_equals_one_with_the_slices():
    options = {"n_layers": 2, "max_n_modes": (5, 4)}
    joint = build(lambda: TFNO((4, 4), 1, 1, 4, rank=0.5, joint_factorization=True, **options, rngs=nnx.Rngs(0))).trunk
    apart = build(lambda: FNO((4, 4), 1, 1, 4, **options, rngs=nnx.Rngs(0)))
    for layer, (theirs, ours) in enumerate(zip(joint.blocks, apart.blocks, strict=True)):
        w = joint.joint.layer(layer).dense()
        ours.conv.weight.tensor[...] = jnp.moveaxis(jnp.stack([w.real, w.imag]), (3, 4, 0), (0, 1, 2))
        ours.conv.bias[...] = theirs.conv.bias[...]
        ours.fno_skip, ours.channel_mlp = theirs.fno_skip, theirs.channel_mlp
        ours.channel_mlp_skip = theirs.channel_mlp_skip
    apart.lifting, apart.projection = joint.lifting, joint.projection
    u = sample(2, 8, 9, 1)
    np.testing.assert_allclose(apply(joint, u), apply(apart, u), atol=5e-6)


def test_a_loop_over_layers_is_the_same_network(x64):
    def make(scan):
        options = {"norm": "batch_norm", "remat": True, "factorization": "CP", "rank": 0.5, "domain_padding": 0.2}
        options |= {"joint_factorization": True, "scan_layers": scan, "use_channel_mlp": False, "n_layers": 3}
        network = build(lambda: FNO((4,), 1, 1, 3, **options, rngs=nnx.Rngs(0)))
        for _, leaf in nnx.iter_graph(network):
            if isinstance(leaf, nnx.BatchStat):
                leaf.set_value(jnp.ones(leaf.shape))
        return jax.tree.map(lambda leaf: leaf.astype(jnp.float64), network)

    @functools.partial(jax.jit, compiler_options=QUICK)
    def gradient(network, u):
        graph, params, rest = nnx.split(network, nnx.Param, ...)

        def loss(params):
            model = nnx.merge(graph, params, jax.tree.map(lambda leaf: leaf, rest))
            v = model(u)
            return jnp.mean(v**2), (v, nnx.state(model, nnx.BatchStat))

        return jax.grad(loss, has_aux=True)(params)

    u = sample(2, 9, 1).astype(jnp.float64)
    plain, looped = (gradient(make(scan), u) for scan in (False, True))
    scale = max(float(jnp.abs(leaf).max()) for leaf in jax.tree.leaves(plain[0]))
    # Round-off, which the batch norm of an almost constant channel amplifies.
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-10, atol=1e-10 * scale), plain, looped)


def test_a_loop_is_a_smaller_program():
    def lines(scan):
        network = nnx.eval_shape(lambda: FNO((4, 4), 1, 1, 3, n_layers=8, scan_layers=scan, rngs=nnx.Rngs(0)))
        return len(apply.lower(network, jax.ShapeDtypeStruct((2, 9, 8, 1), jnp.float32)).as_text().splitlines())

    assert lines(True) < 0.5 * lines(False)


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"scan_layers": True, "n_layers": 2}, "scan_layers: got True with n_layers=2"),
        ({"scan_layers": True, "resolution_scaling_factor": 2}, r"resolution_scaling_factor=\(\(2.0,\),.*wanted"),
        ({"joint_factorization": True, "separable": True}, "joint_factorization: got True with separable"),
        ({"joint_factorization": True, "factorization": "svd"}, "factorization: got 'svd'"),
    ],
)
def test_what_does_not_fit_is_named(options, match):
    with pytest.raises(ValueError, match=match):
        nnx.eval_shape(lambda: FNO((4,), 1, 1, 4, rngs=nnx.Rngs(0), **options))
