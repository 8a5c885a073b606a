"""AdamW with one second moment per complex entry, against complex arithmetic in NumPy."""

import re
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from hydra import compose, initialize_config_module
from numpy_weights import build as with_numbers

from operators import FFNO, FNO, T1
from operators.layers.weights import SpectralWeight
from training import build
from training.check import check_components
from training.config import parse, register
from training.optim import adamw, adamw_modulus, constant
from training.spectral_layout import spectral_layout
from training.step import split_operator

SETTINGS = {"learning_rate": 0.1, "weight_decay": 0.5, "schedule": constant}


def steps(optimizer, params, gradients):
    @jax.jit
    def step(params, state, g):
        updates, state = optimizer.update(g, state, params)
        return jax.tree.map(jnp.add, params, updates), state

    state = jax.jit(optimizer.init)(params)
    for g in gradients:
        params, state = step(params, state, g)
    return params


def oracle(p, gradients, rate=0.1, decay=0.5, b1=0.9, b2=0.999, eps=1e-6):
    """The library's formula, on complex128 or float64 arrays."""
    m, v = np.zeros_like(p), np.zeros(p.shape)
    for t, g in enumerate(gradients, 1):
        m, v = b1 * m + (1 - b1) * g, b2 * v + (1 - b2) * np.abs(g) ** 2
        p = p - rate * np.sqrt(1 - b2**t) / (1 - b1**t) * m / (np.sqrt(v) + eps)
        p = p - rate * decay * p
    return p


def test_one_step_of_the_library():
    """p = [1+i, 2-i], loss 3 re^2 + im^2: the numbers that the PyTorch library gives."""
    params = {"w": jnp.array([[1.0, 1.0], [2.0, -1.0]])}
    gradient = {"w": params["w"] * jnp.array([[6.0, 2.0]])}
    optimizer, _ = adamw_modulus(10, pair_axes={"w": 1}, **SETTINGS)
    found = steps(optimizer, params, [gradient])["w"]
    np.testing.assert_allclose(found, [[0.859876, 0.919958], [1.806293, -0.934382]], atol=2e-6)
    apart, _ = adamw_modulus(10, pair_axes={}, **SETTINGS)
    assert np.abs(steps(apart, params, [gradient])["w"] - found).max() > 0.01


def complex_entries(array, layout):
    """The complex numbers that real pairs stand for; real parameters as they are."""
    array = np.asarray(array, np.float64)
    if layout is None:
        return array
    re, im = np.moveaxis(array, layout.pair, 0)
    return re + 1j * im


KINDS = [
    {"factorization": name, **options}
    for name in (None, "Tucker", "CP", "TT")
    for options in ({}, {"joint_factorization": True}, {"separable": True})
]


@pytest.mark.parametrize("options", [*KINDS, "FFNO", "T1"], ids=str)
def test_every_parameter_of_an_operator(options):
    """Three steps from gradients that change; float32 against float64: a few 1e-7 of numbers of order 1."""
    if options == "FFNO":
        operator = with_numbers(lambda: FFNO((4, 6), 1, 1, 4, n_layers=1, rngs=nnx.Rngs(0)))
    elif options == "T1":
        operator = with_numbers(lambda: T1((4, 4), 1, 1, 4, n_layers=1, basis="fourier", rngs=nnx.Rngs(0)))
    else:
        operator = with_numbers(lambda: FNO((4, 6), 1, 1, 4, n_layers=1, rank=0.5, **options, rngs=nnx.Rngs(0)))
    layouts, (_, params) = spectral_layout(operator), split_operator(operator)
    rng = np.random.default_rng(0)
    gradients = [jax.tree.map(lambda p: jnp.asarray(rng.normal(size=p.shape), jnp.float32), params) for _ in range(3)]
    axes = {name: layout.pair for name, layout in layouts.items()}
    optimizer, _ = adamw_modulus(10, pair_axes=axes, **SETTINGS)
    found = steps(optimizer, params, gradients)

    def entries(tree):
        leaves = jax.tree_util.tree_leaves_with_path(tree)
        named = {jax.tree_util.keystr(path, simple=True, separator="/"): leaf for path, leaf in leaves}
        return {name: complex_entries(leaf, layouts.get(name)) for name, leaf in named.items()}

    before, after, pulls = entries(params), entries(found), [entries(g) for g in gradients]
    for name, p in before.items():
        np.testing.assert_allclose(after[name], oracle(p, [g[name] for g in pulls]), atol=2e-6, err_msg=name)
    # Every array of the spectral weight is complex, and nothing else.
    assert set(layouts) == {
        name
        for name in before
        if re.search("conv/weight/|convs/0/weights/|^joint/|blocks/0/(modes|axes/.)/weight", name)
    }


def test_the_second_moment_takes_half_the_memory():
    optimizer, _ = adamw_modulus(10, pair_axes={"w": 0}, **SETTINGS)
    state = optimizer.init({"w": jnp.ones((2, 5)), "b": jnp.ones(3)})
    assert state.nu["w"].shape == (1, 5) and state.nu["b"].shape == (3,)


def test_the_run_says_where_the_pairs_are():
    register()
    with initialize_config_module("configs", version_base="1.3"):
        settings, _ = parse(compose("train", overrides=["optimizer=adamw_modulus", "operator=fno"]))
    check_components(settings)
    operator = nnx.eval_shape(lambda: FNO((4, 4), 1, 1, 4, n_layers=1, rngs=nnx.Rngs(0)))
    optimizer, _ = build.build_optimizer(settings, 10, operator)
    state = jax.eval_shape(optimizer.init, split_operator(operator)[1])
    assert state.nu["blocks"][0]["conv"]["weight"]["tensor"].shape == (4, 3, 1, 4, 4)


@pytest.mark.parametrize(
    "bad", [{"learning_rate": 0.0}, {"b2": 1.0}, {"eps": 0.0}, {"weight_decay": -1.0}, {"clip_norm": 0.0}]
)
@pytest.mark.parametrize("optimizer", [adamw, partial(adamw_modulus, pair_axes={})])
def test_settings_out_of_range(optimizer, bad):
    with pytest.raises(ValueError, match=rf"{next(iter(bad))}.*: got .*wanted"):
        optimizer(10, **bad)


def test_double_precision_keeps_its_digits(x64):
    """Corrections in float32 would leave 1e-7 of a step of 0.1."""
    rng = np.random.default_rng(1)
    p, *gradients = rng.normal(size=(4, 2, 5))
    optimizer, _ = adamw_modulus(10, pair_axes={"w": 0}, **SETTINGS)
    found = steps(optimizer, {"w": jnp.asarray(p)}, [{"w": jnp.asarray(g)} for g in gradients])["w"]
    wanted = oracle(p[0] + 1j * p[1], [g[0] + 1j * g[1] for g in gradients])
    np.testing.assert_allclose(found[0] + 1j * found[1], wanted, rtol=1e-11)


def test_a_pair_that_is_not_there():
    optimizer, _ = adamw_modulus(10, pair_axes={"w": 0}, **SETTINGS)
    for params in ({"v": jnp.ones(2)}, {"w": jnp.ones(3)}):
        with pytest.raises(ValueError, match="pair_axes: got w -> 0, wanted an axis of length two"):
            optimizer.init(params)


def test_a_weight_of_unknown_layout():
    class Odd(SpectralWeight):
        modes = (2,)

        def __init__(self):
            self.odd = nnx.Param(jnp.ones((2, 3)))

        reconstruct = contract = costs = dense = mix = None

    with pytest.raises(ValueError, match=r"got Odd\.odd, wanted a spectral weight of a known layout"):
        spectral_layout(Odd())
