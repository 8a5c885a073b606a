"""Weights of the PyTorch library: what does not fit is listed, and older layouts are the same function."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from operator_testing import apply, build, sample

from operators import FNO, TFNO
from operators.interop import load_neuraloperator, to_neuraloperator
from operators.layers.spectral_conv import SpectralConv

RNG = np.random.default_rng(0)


def fno(**options):
    return FNO((4, 6), 1, 1, 4, n_layers=2, **options, rngs=nnx.Rngs(0))


def complex_normal(*shape: int) -> np.ndarray:
    return (RNG.normal(size=shape) + 1j * RNG.normal(size=shape)).astype(np.complex64)


@pytest.mark.parametrize("options", [{"norm": "group_norm"}, {"use_channel_mlp": False}, {"fno_skip": "soft-gating"}])
def test_float32_weights_there_and_back(options):
    operator, other = build(lambda: fno(**options)), build(lambda: fno(**options), seed=1)
    state_dict = to_neuraloperator(operator)
    assert {value.dtype for value in state_dict.values()} == {np.dtype(np.float32), np.dtype(np.complex64)}
    load_neuraloperator(other, state_dict | {"_metadata": {"n_modes": (4, 6)}})
    jax.tree.map(np.testing.assert_array_equal, nnx.state(other, nnx.Param), nnx.state(operator, nnx.Param))


def test_separable_weights_and_statistics_there_and_back():
    for factorization in (None, "Tucker", "CP", "TT"):
        conv = build(
            lambda kind=factorization: SpectralConv(3, 3, (4, 4), separable=True, factorization=kind, rngs=nnx.Rngs(0))
        )
        state_dict = to_neuraloperator(conv)
        assert state_dict["weight.tensor" if factorization is None else "weight.factors.factor_0"].ndim == (
            2 if factorization in ("Tucker", "CP") else 3
        )
        other = nnx.eval_shape(lambda conv=conv: conv)
        load_neuraloperator(other, state_dict)
        jax.tree.map(np.testing.assert_array_equal, nnx.state(other), nnx.state(conv))
    operator = nnx.jit(lambda: FNO((4,), 1, 1, 4, n_layers=1, norm="batch_norm", rngs=nnx.Rngs(0)))()
    operator.blocks[0].norm.mean[...] = jnp.arange(4.0)
    state_dict = to_neuraloperator(operator)
    assert state_dict["fno_blocks.norm.0.norm.num_batches_tracked"].shape == ()
    other = nnx.eval_shape(lambda: FNO((4,), 1, 1, 4, n_layers=1, norm="batch_norm", rngs=nnx.Rngs(0)))
    load_neuraloperator(other, state_dict)
    np.testing.assert_array_equal(other.blocks[0].norm.mean[...], np.arange(4.0))


def test_what_does_not_fit_is_listed_and_nothing_is_loaded():
    operator = build(fno)
    before = to_neuraloperator(operator)
    given = {name: value + 1 for name, value in before.items()}
    given["lifting.fcs.0.weight"] = np.zeros((8, 4, 1))
    given["fno_blocks.convs.1.weight.tensor"] = np.zeros((4, 4, 4, 4))
    given["fno_blocks.convs.2.bias"] = np.zeros((4, 1, 1))
    del given["projection.fcs.1.bias"]
    with pytest.raises(ValueError) as error:
        load_neuraloperator(operator, given)
    message = str(error.value)
    assert "4 of 24 parameters do not fit" in message
    assert "lifting.fcs.0.weight: got real [8, 4, 1], wanted real [8, 3, 1]" in message
    assert "fno_blocks.convs.1.weight.tensor: got real [4, 4, 4, 4], wanted complex [4, 4, 4, 4]" in message
    assert "fno_blocks.convs.2.bias: got real [4, 1, 1], wanted nothing" in message
    assert "projection.fcs.1.bias: got nothing, wanted real [1]" in message
    assert "Build the operator with the options of the checkpoint" in message
    for name, value in to_neuraloperator(operator).items():
        np.testing.assert_array_equal(value, before[name])


def test_advice():
    dense = to_neuraloperator(build(fno))
    with pytest.raises(ValueError, match="factorization=None"):
        load_neuraloperator(nnx.eval_shape(lambda: TFNO((4, 6), 1, 1, 4, n_layers=2, rngs=nnx.Rngs(0))), dense)
    options = {"norm": "group_norm", "use_channel_mlp": False}
    theirs = to_neuraloperator(build(lambda: fno(**options, compat="neuralop2")))
    with pytest.raises(ValueError, match='compat="neuralop2"'):
        load_neuraloperator(nnx.eval_shape(lambda: fno(**options)), theirs)
    with pytest.raises(ValueError, match="got Linear, wanted an FNO"):
        to_neuraloperator(nnx.Linear(1, 1, rngs=nnx.Rngs(0)))


def test_a_parameter_without_a_counterpart_is_named():
    operator = build(fno)
    operator.blocks[0].extra = nnx.Param(jnp.zeros(3))
    with pytest.raises(ValueError, match=r"blocks\.0\.extra"):
        to_neuraloperator(operator)


def by_corners(u: np.ndarray, corners: dict[str, np.ndarray]) -> np.ndarray:
    """What corners mean: each multiplies its part of the spectrum ("l" low, "h" high frequencies of a leading axis)."""
    axes = tuple(range(1, u.ndim - 1))
    u_hat = np.fft.rfftn(u, axes=axes)
    v_hat = np.zeros((*u_hat.shape[:-1], next(iter(corners.values())).shape[1]), complex)
    for name, corner in corners.items():
        size = corner.shape[2:]
        part = [slice(h) if end == "l" else slice(-h, None) for end, h in zip(name, size[:-1], strict=True)]
        index = (slice(None), *part, slice(size[-1]))
        v_hat[index] = np.einsum("b...i,...io->b...o", u_hat[index], np.moveaxis(corner, (0, 1), (-2, -1)))
    return np.fft.irfftn(v_hat, u.shape[1:-1], axes=axes)


CORNERS = {1: [""], 2: ["l", "h"], 3: ["ll", "lh", "hl", "hh"]}
GRIDS = {1: (9,), 2: (7, 10), 3: (6, 7, 8)}
HALVES = {1: (3,), 2: (2, 3), 3: (3, 2, 3)}


@pytest.mark.parametrize("odd", [0, 1])
@pytest.mark.parametrize("d", [1, 2, 3])
def test_corners_of_the_original_fno(d, odd):
    halves = HALVES[d]
    corners = {name: complex_normal(2, 3, *halves) for name in CORNERS[d]}
    # The original numbers the first axis fastest.
    order = sorted(corners, key=lambda name: name[::-1].replace("l", "a"))
    given = {f"weights{i}": corners[name] for i, name in enumerate(order, 1)}
    n_modes = [2 * h for h in halves]
    n_modes[-1] -= odd
    conv = build(lambda: SpectralConv(2, 3, n_modes, bias=False, rngs=nnx.Rngs(0)))
    load_neuraloperator(conv, given)
    u = sample(2, *GRIDS[d], 2)
    # Round-off of transforms.
    np.testing.assert_allclose(apply(conv, u), by_corners(np.asarray(u), corners), atol=3e-6)


def as_pairs(z: np.ndarray) -> np.ndarray:
    return np.stack([z.real, z.imag], axis=-1)


def factors_of(kind: str, shape: tuple[int, ...], rank: int) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Factors by the library's names as it stored them, and the tensor that they stand for."""
    letters = "abcdef"[: len(shape)]
    if kind == "cp":
        parts = [complex_normal(rank), *(complex_normal(n, rank) for n in shape)]
        terms = ["z", *(letter + "z" for letter in letters)]
        names = ["weights"]
    elif kind == "tucker":
        parts = [complex_normal(*[rank] * len(shape)), *(complex_normal(n, rank) for n in shape)]
        terms = [letters.upper(), *(letter + letter.upper() for letter in letters)]
        names = ["core"]
    else:
        bonds = [1, *[rank] * (len(shape) - 1), 1]
        parts = [complex_normal(*core) for core in zip(bonds[:-1], shape, bonds[1:], strict=True)]
        terms = [f"{'uvwxyzs'[i]}{letter}{'uvwxyzs'[i + 1]}" for i, letter in enumerate(letters)]
        names = []
    names += [f"factors.factor_{i}" for i in range(len(shape))]
    tensor = np.einsum(f"{','.join(terms)}->{letters}", *parts)
    return {name: as_pairs(part) for name, part in zip(names, parts, strict=True)}, tensor


@pytest.mark.parametrize("joint", [False, True], ids=["per layer", "joint"])
@pytest.mark.parametrize("kind", ["dense", "cp", "tucker", "tt"])
def test_a_network_of_an_older_version(kind, joint):
    d, layers, c, halves = 3, 2, 4, (2, 1, 2)
    shape = (c, c, *halves)
    per = len(CORNERS[d])
    if joint and kind == "dense":
        stacked = complex_normal(layers * per, *shape)
        weights = {"fno_blocks.convs.weight.tensor": as_pairs(stacked)}
    elif joint:
        parts, stacked = factors_of(kind, (layers * per, *shape), 2)
        weights = {f"fno_blocks.convs.weight.{name}": part for name, part in parts.items()}
    else:
        weights, stacked = {}, []
        for i in range(layers * per):
            tensor = complex_normal(*shape)
            parts = {"tensor": as_pairs(tensor)}
            if kind != "dense":
                parts, tensor = factors_of(kind, shape, 2)
            weights |= {f"fno_blocks.convs.weight.{i}.{name}": part for name, part in parts.items()}
            stacked.append(tensor)

    def make():
        return FNO((4, 2, 4), 1, 1, c, n_layers=layers, channel_mlp_skip="linear", rngs=nnx.Rngs(0))

    operator = build(make)
    current = to_neuraloperator(operator)
    older = {
        name.replace("channel_mlp", "mlp").replace(".conv.weight", ".weight"): value.reshape(*value.shape, 1, 1)
        if value.ndim == 3
        else value
        for name, value in current.items()
        if ".convs." not in name
    }
    bias = RNG.normal(size=(layers, c, 1, 1, 1)).astype(np.float32)
    load_neuraloperator(operator, older | weights | {"fno_blocks.convs.bias": bias})
    after = to_neuraloperator(operator)
    u = sample(1, 5, 4, 6, c)
    for layer, block in enumerate(operator.blocks):
        corners = dict(zip(CORNERS[d], stacked[layer * per : (layer + 1) * per], strict=True))
        want = by_corners(np.asarray(u), corners) + bias[layer].reshape(-1)
        # Round-off, relative to products of up to seven random factors.
        np.testing.assert_allclose(apply(block.conv, u), want, atol=1e-6 * np.abs(want).max(), rtol=1e-5)
    for name in current:
        if ".convs." not in name:
            np.testing.assert_array_equal(after[name], current[name], name)


def test_corners_that_are_missing_are_counted():
    conv = nnx.eval_shape(lambda: SpectralConv(2, 3, (4, 4), rngs=nnx.Rngs(0)))
    with pytest.raises(
        ValueError, match=r"got 3 spectral weights of shapes .* 1 \(one for every layer\) or 2 \(its corners\)"
    ):
        load_neuraloperator(conv, {f"weight.{i}.tensor": complex_normal(2, 3, 2, 2) for i in range(3)})
    with pytest.raises(ValueError, match=r"got spectral weights \[0, 2\], wanted 0, 1, .. without a gap"):
        load_neuraloperator(conv, {f"weight.{i}.tensor": complex_normal(2, 3, 2, 2) for i in (0, 2)})


def test_one_tensor_for_every_layer_and_one_norm():
    def make():
        return FNO((4, 4), 1, 1, 4, n_layers=2, norm="group_norm", use_channel_mlp=False, rngs=nnx.Rngs(0))

    current = to_neuraloperator(build(make))
    older = {name.replace("norm.2", "norm.1"): value for name, value in current.items() if ".convs." not in name}
    tensors, biases = (
        [current[f"fno_blocks.convs.{layer}.{name}"] for layer in range(2)] for name in ("weight.tensor", "bias")
    )
    older["fno_blocks.convs.weight.tensor"] = as_pairs(np.stack(tensors))
    older["fno_blocks.convs.bias"] = np.stack(biases)
    operator = nnx.eval_shape(make)
    load_neuraloperator(operator, older)
    for name, value in to_neuraloperator(operator).items():
        np.testing.assert_array_equal(value, current[name], name)
