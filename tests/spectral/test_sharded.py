"""Collectives that compiled transforms contain on eight devices, and their values."""

import math
import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import AxisType, NamedSharding

from spectral import transforms as T

P = jax.P
MODES, SPACE = (6, 6), (16, 20)
COLLECTIVE = re.compile(r"= (.*?) (all-gather|all-reduce|all-to-all|collective-permute|reduce-scatter)(?:-start)?\(")
# Arrays of batch 8 and 12 channels, spatial axes, and how batch and first spatial axis are spread.
LAST = ((8, *SPACE, 12), (1, 2), P("data", "space"))
FIRST = ((8, 12, *SPACE), (2, 3), P("data", None, "space"))


def make_mesh(**axes):
    return jax.make_mesh(tuple(axes.values()), tuple(axes), axis_types=(AxisType.Auto,) * len(axes))


def field(shape):
    return np.random.default_rng(0).normal(size=shape).astype(np.float32)


def run(function, mesh, spec, u):
    """The result, and (name, sizes of the result) of every collective in the compiled program."""
    with jax.set_mesh(mesh):
        u = jax.device_put(u, NamedSharding(mesh, spec))
        compiled = jax.jit(function).lower(u).compile()
        collectives = [
            (name, [math.prod(map(int, s.split(","))) if s else 1 for s in re.findall(r"\[([\d,]*)\]", shapes)])
            for shapes, name in COLLECTIVE.findall(re.sub(r"\{[\d,]*\}", "", compiled.as_text()))
        ]
        return compiled(u), collectives


def truncated(backend, axes):
    def there_and_back(u):
        c = T.forward(u, MODES, axes=axes, backend=backend)
        return T.inverse(c * c, SPACE, axes=axes, backend=backend)

    return there_and_back


def gradient_of(function):
    return jax.grad(lambda u: jnp.sum(function(u) ** 2))


def whole(u):
    return T.irfftn(T.rfftn(u, LAST[1]) ** 2, SPACE, LAST[1])


def complex_whole(u):
    return T.ifftn(T.fftn(u + 0j, LAST[1]) ** 2, LAST[1]).real


def cosines(u):
    c = T.forward(u, MODES, axes=LAST[1], basis="cosine", backend="fft")
    return T.inverse(T.idctn(T.dctn(c, LAST[1]), LAST[1]), SPACE, axes=LAST[1], basis="cosine", backend="fft")


BATCHED = {
    "fft": truncated("fft", LAST[1]),
    "fft gradient": gradient_of(truncated("fft", LAST[1])),
    "matmul": truncated("matmul", LAST[1]),
    "matmul gradient": gradient_of(truncated("matmul", LAST[1])),
    "auto": truncated("auto", LAST[1]),
    "whole": whole,
    "complex": complex_whole,
    "cosines": cosines,
}


@pytest.mark.parametrize("name", BATCHED)
def test_batch_sharded_transforms_do_not_communicate(name):
    u = field(LAST[0])
    got, collectives = run(BATCHED[name], make_mesh(data=8), P("data"), u)
    assert collectives == []
    wanted = jax.jit(BATCHED[name])(u)
    np.testing.assert_allclose(got, wanted, atol=1e-6)  # round-off of float32 numbers of order one


@pytest.mark.parametrize("layout", [LAST, FIRST], ids=["channels last", "channels first"])
@pytest.mark.parametrize("derivative", [False, True])
def test_space_sharded_transforms_add_up_the_kept_modes_only(layout, derivative):
    shape, axes, spec = layout
    function = truncated("auto", axes)
    if derivative:
        function = gradient_of(function)
    u = field(shape)
    got, collectives = run(function, make_mesh(data=2, space=4), spec, u)
    # Cosines of 0 .. 3 and sines of 1 .. 3 on both axes, of the samples on one device: 49 real numbers where the
    # complex coefficients are 48.
    kept = 7 * 7 * (shape[0] // 2) * 12
    # One sum over the devices, and for a gradient the one of the inverse transform's adjoint.
    assert collectives == [("all-reduce", [kept])] * (2 if derivative else 1)
    # The field stays spread: no device ever holds more than its part.
    assert got.sharding.shard_shape(shape) == tuple(
        n // {"data": 2, "space": 4, None: 1}[name] for n, name in zip(shape, [*spec, None, None], strict=False)
    )
    np.testing.assert_allclose(got, jax.jit(function)(u), atol=1e-6)  # round-off of float32 numbers of order one


def test_space_sharded_in_one_dimension():
    def function(u):
        return T.inverse(T.forward(u, (6,), axes=(1,)), (16,), axes=(1,))

    u = field((4, 16, 3))
    got, collectives = run(function, make_mesh(space=8), P(None, "space"), u)
    assert collectives == [("all-reduce", [4 * 7 * 3])]
    np.testing.assert_allclose(got, jax.jit(function)(u), atol=1e-6)


def test_data_parallel_step_with_sharded_space():
    """Manual over the batch, as a training step is; space still left to the compiler: one more all-reduce."""
    shape, axes, spec = LAST
    loss = truncated("auto", axes)
    mesh = make_mesh(data=2, space=4)

    def local(u):
        return jax.value_and_grad(lambda u: jax.lax.pmean(jnp.mean(loss(u) ** 2), "data"))(u)

    step = jax.shard_map(local, mesh=mesh, in_specs=P("data"), out_specs=(P(), P("data")), axis_names={"data"})
    u = field(shape)
    (value, slope), collectives = run(step, mesh, spec, u)
    wanted, wanted_slope = jax.jit(jax.value_and_grad(lambda u: jnp.mean(loss(u) ** 2)))(u)
    assert "all-gather" not in dict(collectives)
    assert max(max(sizes) for _, sizes in collectives) == 7 * 7 * 4 * 12
    np.testing.assert_allclose(value, wanted, rtol=1e-5)
    np.testing.assert_allclose(slope, wanted_slope, atol=1e-6 * np.abs(wanted_slope).max())


@pytest.mark.parametrize("backend", ["fft", "matmul"])
def test_uneven_batches_and_manual_meshes_are_right(backend):
    """A batch that does not divide, and a call that is inside `shard_map` already."""
    function = truncated(backend, LAST[1])
    u = field(LAST[0])
    wanted = jax.jit(function)(u)
    mesh = make_mesh(data=4)
    with jax.set_mesh(mesh):
        np.testing.assert_allclose(jax.jit(function)(u[:3]), wanted[:3], atol=1e-6)
        inside = jax.shard_map(function, in_specs=P("data"), out_specs=P("data"))
        np.testing.assert_allclose(jax.jit(inside)(u), wanted, atol=1e-6)


def test_eager_calls_under_a_mesh():
    u = field(LAST[0])
    with jax.set_mesh(make_mesh(data=4, space=2)):
        np.testing.assert_allclose(
            T.rfftn(jnp.asarray(u), (1, 2)), np.fft.rfft2(u, axes=(1, 2), norm="forward"), atol=1e-6
        )
