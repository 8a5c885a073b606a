"""What every operator must do, whatever it is; a new class adds one line to EXAMPLES."""

import functools
import io

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from operator_testing import apply, apply_to, build, sample

import operators
from operators import (
    DPOT,
    FFNO,
    FNO,
    MGTFNO,
    STFNO,
    T1,
    TFNO,
    UNO,
    AFNONet,
    Interpolation,
    ModAFNO,
    Rollout,
    T1Plus,
    UNet,
)

SHAPES = {1: (12,), 2: (10, 13), 3: (6, 7, 8)}

# Of operators on patches: patches of one point, so that every grid will do.
PATCHES = {"patch_size": 1, "embed_dim": 8, "depth": 1, "num_blocks": 2}

EXAMPLES = {
    "AFNONet": lambda ndim: AFNONet(2, 3, ndim=ndim, grid=SHAPES[ndim], **PATCHES, rngs=nnx.Rngs(0)),
    "DPOT": lambda ndim: DPOT(
        2, 3, ndim=ndim, grid=SHAPES[ndim], n_steps=2, out_layer_dim=4, **PATCHES, rngs=nnx.Rngs(0)
    ),
    "FFNO": lambda ndim: FFNO((4,) * ndim, 2, 3, 6, n_layers=2, rngs=nnx.Rngs(0)),
    "FNO": lambda ndim: FNO((4,) * ndim, 2, 3, 6, n_layers=2, rngs=nnx.Rngs(0)),
    "Interpolation": lambda ndim: Interpolation(
        *(2, 3),
        network=functools.partial(ModAFNO, ndim=ndim, grid=SHAPES[ndim], mod_dim=4, **PATCHES),
        order=1,
        rngs=nnx.Rngs(0),
    ),
    "MGTFNO": lambda ndim: MGTFNO(
        2, 3, trunk=functools.partial(FNO, (4,) * ndim, hidden_channels=6, n_layers=1), ndim=ndim, rngs=nnx.Rngs(0)
    ),
    "Rollout": lambda ndim: Rollout(
        *(2, 3),
        step=functools.partial(T1, (4,) * ndim, hidden_channels=4, n_layers=1, basis="fourier"),
        order=1,
        rngs=nnx.Rngs(0),
    ),
    # Samples of the cosine basis lie elsewhere in their cells, see test_t1.
    "T1": lambda ndim: T1((4,) * ndim, 2, 3, 6, n_layers=2, basis="fourier", rngs=nnx.Rngs(0)),
    "T1Plus": lambda ndim: T1Plus((6,) * ndim, 2, 3, 2, basis="fourier", rngs=nnx.Rngs(0)),
    "ModAFNO": lambda ndim: ModAFNO(2, 3, ndim=ndim, grid=SHAPES[ndim], mod_dim=4, **PATCHES, rngs=nnx.Rngs(0)),
    "STFNO": lambda ndim: (
        STFNO((4,) * ndim + (3,), 2, 3, 8, n_layers=2, latent_steps=3, rngs=nnx.Rngs(0))
        if ndim < 3
        else pytest.skip("transforms have three axes at most, and one is time")
    ),
    "TFNO": lambda ndim: TFNO((4,) * ndim, 2, 3, 6, n_layers=2, rank=0.5, rngs=nnx.Rngs(0)),
    "UNet": lambda ndim: UNet(2, 3, 2, resolution=SHAPES[ndim], rngs=nnx.Rngs(0)),
    "UNO": lambda ndim: UNO(
        *(2, 3, 6),
        n_layers=2,
        uno_out_channels=(5, 4),
        uno_n_modes=((4,) * ndim,) * 2,
        uno_scalings=(0.5, 2),
        lifting_channels=8,
        projection_channels=8,
        rngs=nnx.Rngs(0),
    ),
}


def test_every_operator_has_an_example():
    assert set(EXAMPLES) == set(operators.__all__)
    for name in operators.__all__:
        assert issubclass(getattr(operators, name), operators.base.Operator)


@pytest.fixture(scope="module", params=sorted(EXAMPLES))
def make(request):
    return EXAMPLES[request.param]


@pytest.fixture(scope="module")
def operator(make):
    operator = build(lambda: make(2))
    operator.eval()  # batch norms with their running statistics: samples do not see each other
    return operator


@pytest.mark.parametrize("ndim", [1, 2, 3])
def test_shape_and_dtype(make, ndim):
    operator = build(lambda: make(ndim))
    assert (operator.in_channels, operator.out_channels, operator.ndim) == (2, 3, ndim)
    v = apply(operator, sample(2, *SHAPES[ndim], 2))
    assert v.shape == (2, *SHAPES[ndim], 3) and v.dtype == jnp.float32
    assert np.isfinite(v).all() and np.std(v) > 0


def test_any_leading_axes(operator):
    u = sample(2, 10, 13, 2)
    # Batch entries do not see each other; round-off of another batch size.
    together = np.asarray(apply(operator, u)[1])
    np.testing.assert_allclose(apply(operator, u[1]), together, rtol=0, atol=2e-6 * max(1.0, np.abs(together).max()))
    assert jax.eval_shape(operator, jnp.zeros((4, 3, 10, 13, 2))).shape == (4, 3, 10, 13, 3)


def test_every_parameter_has_a_gradient(operator):
    u = sample(2, 10, 13, 2)
    graph, params, rest = nnx.split(operator, nnx.Param, ...)
    grads = jax.jit(jax.grad(lambda p: jnp.square(nnx.merge(graph, p, rest)(u)).mean()))(params)
    for path, grad in nnx.to_flat_state(grads):
        assert np.isfinite(grad[...]).all(), path
        assert np.any(np.asarray(grad[...]) != 0), path


# Eager calls compile every operation by itself: one operator on fields, one on tokens, one on coefficients is enough
# for every day.
@pytest.mark.parametrize(
    "name",
    [name if name in ("FNO", "AFNONet", "T1") else pytest.param(name, marks=pytest.mark.slow) for name in EXAMPLES],
)
def test_jit_equals_eager(name):
    operator = build(lambda: EXAMPLES[name](2))
    u = sample(2, 10, 13, 2)
    # Fusion changes the order of float32 sums.
    np.testing.assert_allclose(apply(operator, u), operator(u), atol=2e-6)


@pytest.mark.parametrize("shape", [(9, 15), (3, 16)])
def test_other_resolutions(operator, shape):
    v = apply(operator, sample(1, *shape, 2))
    assert v.shape == (1, *shape, 3) and np.isfinite(v).all()


def test_output_on_another_grid(operator):
    wave = jnp.sin(2 * jnp.pi * jnp.arange(10) / 10)
    u = jnp.broadcast_to(wave[None, :, None, None], (2, 10, 13, 2))
    same, finer = apply(operator, u), apply_to(operator, u, (20, 26))
    assert finer.shape == (2, 20, 26, 3)
    # Common points of the two grids; the last block produces both from the same function.
    assert np.abs(finer[:, ::2, ::2] - same).max() < 1e-2 * np.abs(same).max()


def test_save_and_load(make, operator):
    u = sample(2, 10, 13, 2)
    flat = dict(nnx.to_flat_state(nnx.state(operator, nnx.Param)))
    file = io.BytesIO()
    np.savez(file, **{"/".join(map(str, path)): np.asarray(leaf[...]) for path, leaf in flat.items()})
    file.seek(0)
    stored = np.load(file)

    other = build(lambda: make(2), seed=1)
    other.eval()
    assert np.abs(apply(other, u) - apply(operator, u)).max() > 1e-3
    state = nnx.state(other, nnx.Param)
    pure = nnx.to_pure_dict(state)
    loaded = jax.tree_util.tree_map_with_path(
        lambda path, _: jnp.asarray(stored["/".join(str(getattr(p, "key", p)) for p in path)]), pure
    )
    nnx.replace_by_pure_dict(state, loaded)
    nnx.update(other, state)
    np.testing.assert_array_equal(apply(other, u), apply(operator, u))


def test_wrong_input_is_named(operator):
    with pytest.raises(ValueError, match=r"wanted \[\*batch, 2 spatial axes, 2 channels\]"):
        operator(sample(2, 10, 13, 5))
