"""Transform Once: the form on the corner alone is the published one on whole grids; counts; what is kept."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from operator_testing import apply, apply_to, build, sample

from operators import T1
from operators.layers.activations import gelu
from operators.layers.spectral_lift import SpectralLift
from spectral.transforms import dctn, idctn
from spectral.truncation import Truncation
from training.losses import RelativeL2


def small(n_modes=(6, 5), **options):
    options = {"hidden_channels": 4, "n_layers": 2, "projection_channels": 8} | options
    return T1(n_modes, 2, 3, rngs=nnx.Rngs(0), **options)


def count(make) -> int:
    return sum(leaf.size for leaf in jax.tree.leaves(nnx.state(nnx.eval_shape(make), nnx.Param)))


def test_parameter_counts():
    """The published settings: Navier-Stokes at 64x64, and airfoils at 128x128."""
    assert count(lambda: T1((24, 24), 1, 1, 48, n_layers=8, rngs=nnx.Rngs(0))) == 11_065_664
    assert count(lambda: T1((100, 100), 3, 3, 24, n_layers=6, rngs=nnx.Rngs(0))) == 37_443_600


def on_the_whole_grid(operator: T1, u: jax.Array) -> tuple[jax.Array, jax.Array]:
    """The published order of operations: every wide field is as large as the grid, and is cut in the first block.

    Returns the output, and its coefficients outside the corner.
    """
    space = u.shape[1:-1]
    axes = tuple(range(1, u.ndim - 1))
    lines = np.meshgrid(*[np.linspace(0, 1, s) for s in space], indexing="ij")
    lines = jnp.broadcast_to(jnp.asarray(np.stack(lines, -1), u.dtype)[None], (*u.shape[:-1], len(space)))
    linear = operator.lifting.linear
    bias = linear.bias[...].reshape(*[1] * (u.ndim - 1), -1)
    z = dctn(jnp.concatenate([u, lines], -1) @ linear.weight[...] + bias, axes)
    box = operator.truncation.stored
    corner = (slice(None), *(slice(m) for m in box))
    modes, out = "xyz"[: len(box)], "XYZ"
    for block in operator.blocks:
        v, z = z[corner], jnp.zeros_like(z).at[corner].set(z[corner])
        weight = block.modes.weight[...].reshape(*box, v.shape[-1], v.shape[-1])
        v = gelu(jnp.einsum(f"b{modes}i,{modes}io->b{modes}o", v, weight))
        for axis in block.axes:
            i, o = modes[axis.axis], out[axis.axis]
            v = jnp.einsum(f"b{modes}c,{i}{o}c->b{modes.replace(i, o)}c", v, axis.weight[...][0])
        z = z.at[corner].add(operator.blocks[0].residual_scale * v)
    first, second = (weight[...] for weight in operator.head.weights)
    z = jnp.sin(z @ first) @ second
    return idctn(z, axes), z.at[corner].set(0)


@pytest.mark.parametrize(
    ("shape", "n_modes"), [((17,), (6,)), ((15, 16), (6, 5)), ((63, 48), (10, 7)), ((16, 12, 10), (5, 4, 3))]
)
def test_the_corner_alone_is_the_published_form(shape, n_modes):
    operator = build(lambda: small(n_modes, residual_scale=0.7))
    u = sample(2, *shape, 2)
    expected, outside = map(np.asarray, jax.jit(functools.partial(on_the_whole_grid, operator))(u))
    assert np.all(outside == 0)  # exactly: the head has no bias and sin(0) = 0
    v = np.asarray(apply(operator, u))
    # Float32 through two blocks: 4e-7 relative measured.
    assert np.linalg.norm(v - expected) < 3e-6 * np.linalg.norm(expected)


def test_the_output_has_no_other_modes():
    u = sample(2, 15, 16, 2)
    for options in ({}, {"basis": "fourier"}, {"selection": "top_energy", "kept_modes": 7}):
        operator = build(functools.partial(small, **options))
        v = apply(operator, u)
        projected = jax.jit(lambda operator, v: operator.project(v))(operator, v)
        np.testing.assert_allclose(projected, v, atol=2e-6 * np.abs(np.asarray(v)).max())


@pytest.mark.parametrize("basis", ["cosine", "fourier"])
@pytest.mark.parametrize(("shape", "n_modes"), [((9,), (5,)), ((9, 16), (6, 4)), ((8, 7, 6), (4, 5, 3))])
def test_trains_in_any_dimension(basis, shape, n_modes):
    operator = build(lambda: small(n_modes, basis=basis))
    u, y = sample(2, *shape, 2), sample(2, *shape, 3, seed=1)
    operator.check_grid(shape)
    graph, params, rest = nnx.split(operator, nnx.Param, ...)

    def loss(params):
        z = nnx.merge(graph, params, rest).coefficients(operator.truncation.forward(u), shape)
        return jnp.sum((z - operator.truncation.forward(y)) ** 2)

    grads = jax.jit(jax.grad(loss))(params)
    for path, grad in nnx.to_flat_state(grads):
        assert np.isfinite(grad[...]).all() and np.any(np.asarray(grad[...]) != 0), path


def test_the_output_begins_at_zero():
    """Head matrices of 1e-8: a relative loss of 1 and nothing else."""
    operator = small((8, 8), head_scale=1e-8, init="variance_preserving", resolution=(16, 16))
    v = apply(operator, sample(2, 16, 16, 2))
    assert float(jnp.abs(v).max()) < 1e-9
    np.testing.assert_allclose(RelativeL2((1.0, 1.0))(v, sample(2, 16, 16, 3, seed=1)), 1, atol=1e-3)


@pytest.mark.parametrize("basis", ["cosine", "fourier"])
@pytest.mark.usefixtures("x64")
def test_an_affine_map_commutes_with_the_transform(basis):
    truncation = Truncation((7, 5), basis)
    lift = SpectralLift(2, 3, truncation, coordinates=True, rngs=nnx.Rngs(0))
    weight, bias = (np.asarray(p[...], np.float64) for p in (lift.linear.weight, lift.linear.bias))
    lift.linear.weight.set_value(jnp.asarray(weight))
    lift.linear.bias.set_value(jnp.asarray(bias))
    u = np.random.default_rng(0).normal(size=(2, 13, 12, 2))
    lines = np.stack(np.meshgrid(np.linspace(0, 1, 13), np.linspace(0, 1, 12), indexing="ij"), -1)
    wide = np.concatenate([u, np.broadcast_to(lines, (2, 13, 12, 2))], -1) @ weight + bias
    got, want = jax.jit(
        lambda u, wide: (lift(truncation.forward(u), (13, 12)), truncation.forward(wide))
    )(u, wide)  # fmt: skip
    np.testing.assert_allclose(got, want, atol=1e-11)  # float64, values of about ten


@pytest.mark.parametrize("basis", ["cosine", "fourier"])
def test_another_grid_with_the_norm_of_functions(basis):
    """A field in the span of the modes is the same function on every grid, and so is what becomes of it."""
    operator = build(lambda: small((7, 5), basis=basis, norm="function"))
    truncation = operator.truncation
    z = sample(2, *truncation.stored, truncation.parts, 2) * jnp.asarray(truncation.alive)[None, ..., None]
    fine, coarse = (np.asarray(apply(operator, truncation.inverse(z, shape))) for shape in ((64, 48), (32, 24)))
    fine, coarse = (np.asarray(truncation.forward(jnp.asarray(v))) for v in (fine, coarse))
    # The coordinates jump at the boundary (Fourier) or have a kink there: their coefficients alias, the more at the
    # coarser grid.
    tolerance = {"cosine": 1e-2, "fourier": 0.1}[basis]
    assert np.linalg.norm(fine - coarse) < tolerance * np.linalg.norm(fine)
    no_coordinates = build(lambda: small((7, 5), basis=basis, norm="function", positional_embedding=None))
    fine, coarse = (apply(no_coordinates, truncation.inverse(z, shape)) for shape in ((64, 48), (32, 24)))
    difference = truncation.forward(fine) - truncation.forward(coarse)
    assert float(jnp.linalg.norm(difference)) < 1e-5 * float(jnp.linalg.norm(truncation.forward(fine)))


def test_output_of_the_cosine_basis_on_another_grid():
    operator = build(lambda: small((6, 5)))
    u = sample(2, 12, 10, 2)
    same, finer = apply(operator, u), apply_to(operator, u, (36, 30))
    # The middle one of three points is where the one point was.
    np.testing.assert_allclose(finer[:, 1::3, 1::3], same, atol=2e-5 * float(jnp.abs(same).max()))


def test_mixing_of_complex_coefficients():
    """Blocks of the Fourier basis against complex arithmetic."""
    operator = build(lambda: small((6, 5), basis="fourier"))
    block, box = operator.blocks[0], operator.truncation.stored
    z = sample(operator.selection.kept, 2, 2, 4)
    got = np.asarray(block(z, operator.selection))

    def as_complex(array, axis):
        re, im = np.moveaxis(np.asarray(array), axis, 0)
        return re + 1j * im

    v = np.einsum("kbi,kio->kbo", as_complex(z, -2), as_complex(block.modes.weight[...], 1))
    v = (np.asarray(gelu(jnp.asarray(v.real))) + 1j * np.asarray(gelu(jnp.asarray(v.imag)))).reshape(*box, 2, 4)
    v = np.einsum("xybc,xoc->oybc", v, as_complex(block.axes[0].weight[...], 0))
    v = np.einsum("xybc,yoc->xobc", v, as_complex(block.axes[1].weight[...], 0)).reshape(-1, 2, 4)
    expected = as_complex(z, -2) + v
    np.testing.assert_allclose(as_complex(got, -2), expected, atol=2e-5 * np.abs(expected).max())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"basis": "sine"}, "basis"),
        ({"init": "xavier"}, "init"),
        ({"init": "variance_preserving"}, "resolution"),
        ({"resolution": (8, 8)}, "resolution"),
        ({"selection": "top_energy"}, "kept_modes"),
        ({"selection": "top_energy", "kept_modes": 31}, "kept_modes"),
        ({"kept_modes": 3}, "kept_modes"),
        ({"head_scale": -1.0}, "head_scale"),
        ({"positional_embedding": "yes"}, "positional_embedding"),
    ],
)
def test_bad_arguments_are_named(options, message):
    with pytest.raises(ValueError, match=rf"^{message}: got .*wanted"):
        nnx.eval_shape(lambda: small(**options))


def test_more_modes_than_points_are_not_trained():
    nnx.eval_shape(small).check_grid((6, 5))
    with pytest.raises(ValueError, match=r"use at most n_modes=\(5, 5\)"):
        nnx.eval_shape(small).check_grid((5, 5))
