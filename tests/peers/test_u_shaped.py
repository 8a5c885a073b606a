"""Drawn U-shaped operators, and FNOs that change the grid inside, against the PyTorch library with the same weights.

The library is given the inverse transform of its development line (93d3f063): the right shift on odd leading axes, and
the last stored bin made real before the transform along the last axis (see `layers.by_position.place`). Its change of
grid in three dimensions falls back to single precision, which is undone for the comparison in double.
"""

import types

import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from peer_testing import channels_last, relative
from test_neuraloperator import TOLERANCES, assert_same, random_weights

from operators import FNO, UNO
from operators.interop import load_neuraloperator, to_neuraloperator
from operators.layers.by_position import cubic_matrix, interpolate, linear_matrix
from training.convert import read_state_dict

torch = pytest.importorskip("torch", reason="torch is not installed (extra `peers`)")
library = pytest.importorskip("neuralop.models", reason="neuraloperator is not installed (extra `peers`)")

pytestmark = [pytest.mark.peers, pytest.mark.filterwarnings("default")]

BOTH = pytest.mark.parametrize("precision", [np.float32, np.float64], ids=["float32", "float64"], indirect=True)
CONFIGURATIONS = 24
# The first weights of this one make fields whose mean outweighs the rest. A transform by matrix products leaks 1e-7 of
# it into the other modes where an FFT leaks nothing: 6.6e-6 in float32, and 1.8e-6 with SPECTRAL_BACKEND=fft.
REDRAWN = (11,)
CHOICES = {
    "factorization": [None, "Tucker", "CP", "TT"],
    "implementation": ["factorized", "reconstructed"],
    "fno_skip": ["linear", None],
    "channel_mlp_skip": ["linear", None],
    "horizontal_skip": ["linear", "soft-gating", "identity"],
    "norm": [None, "group_norm", "instance_norm", "batch_norm"],
    "preactivation": [False, False, True],
    "positional_embedding": ["grid", None],
    "padding": ["none", "one", "each"],
    "n_layers": [3, 4],
    "end": [1, 1, 2, 0.5],
}


def draw(index: int) -> tuple[tuple[int, ...], dict]:
    """Grid and options of one operator; dimension and factorisation go round, the rest is drawn."""
    rng = np.random.default_rng(1000 + index)
    options = {name: values[rng.integers(len(values))] for name, values in CHOICES.items()}
    d, layers = 1 + index % 3, options["n_layers"]
    options["factorization"] = CHOICES["factorization"][index // 3 % 4]
    low, high = (8, 16) if d < 3 else (6, 10)
    grid = tuple(int(n) for n in rng.integers(low, high, d))
    options["uno_n_modes"] = [[int(n) for n in rng.integers(2, 6 if d < 3 else 4, d)] for _ in range(layers)]
    options["uno_out_channels"] = [int(n) for n in rng.integers(3, 6, layers)]
    middle = 1.0 if index % 2 else 2.0  # axes that do not change beside axes that do
    up = [2.0, middle, 2.0][:d]
    options["uno_scalings"] = [[1.0] * d, [1 / f for f in up], *[[1.0] * d] * (layers - 3), up]
    options["uno_scalings"][-1] = [f * options["end"] for f in options["uno_scalings"][-1]]
    del options["end"]
    padding = options.pop("padding")
    if padding != "none":
        options["domain_padding"] = 0.25 if padding == "one" else [0.125 * (j + 1) for j in range(d)]
    if options["preactivation"]:
        # The library's norms before a block have the channels after it.
        options["norm"] = "instance_norm" if options["norm"] else None
    return grid, options | {"in_channels": 2, "out_channels": 3, "hidden_channels": 4, "lifting_channels": 6} | {
        "projection_channels": 5
    }


@pytest.fixture
def corrected(monkeypatch):
    """The library's convolution with the inverse transform of the development line."""
    from neuralop.layers import spectral_convolution

    def inverse(z, s, dim, norm):
        *leading, last = dim
        if leading:
            shifted = torch.fft.ifftshift(torch.fft.ifftshift(z, leading), leading)
            z = torch.fft.ifftn(shifted, s=s[:-1], dim=leading, norm=norm)
        real = [0, z.shape[-1] - 1] if s[-1] % 2 == 0 else [0]
        keep = torch.ones(z.shape[-1]).index_fill(0, torch.tensor(real), 0)
        return torch.fft.irfft(torch.complex(z.real, z.imag * keep), n=s[-1], dim=last, norm=norm)

    class Torch:
        fft = types.SimpleNamespace(rfftn=torch.fft.rfftn, fftshift=torch.fft.fftshift, irfftn=inverse)

        def __getattr__(self, name):
            return getattr(torch, name)

    monkeypatch.setattr(spectral_convolution, "torch", Torch())


@pytest.fixture
def whole(precision, monkeypatch):
    """Change of grid in the precision of the rest."""
    if precision is np.float64:
        monkeypatch.setattr(torch.Tensor, "float", torch.Tensor.double)


def compared(peer, operator: nnx.Module, grid: tuple[int, ...], precision, index: int) -> None:
    random_weights(operator, precision, seed=index)
    u = np.random.default_rng(index).normal(size=(2, 2, *grid)).astype(precision)
    assert_same(peer, operator, u, precision)


@BOTH
@pytest.mark.parametrize("index", range(CONFIGURATIONS))
def test_drawn_operators(index, precision, whole, corrected):
    grid, options = draw(index)
    operator = nnx.eval_shape(lambda: UNO(**options, compat="neuralop2", rngs=nnx.Rngs(0)))
    compared(library.UNO(**options), operator, grid, precision, CONFIGURATIONS * (index in REDRAWN) + index)


def test_the_draw_covers_the_choices():
    drawn = [draw(index) for index in range(CONFIGURATIONS)]
    for name in CHOICES.keys() - {"padding", "end"}:
        assert {options[name] for _, options in drawn} == set(CHOICES[name]), name
    assert {type(options.get("domain_padding")) for _, options in drawn} == {type(None), float, list}
    assert {len(grid) for grid, _ in drawn} == {1, 2, 3}
    assert sum(any(n % 2 for n in grid) for grid, _ in drawn) >= 12


@BOTH
@pytest.mark.parametrize("d", [1, 2, 3])
def test_an_fno_that_changes_the_grid(d, precision, whole, corrected):
    grid = (9, 10, 7)[:d]
    options = {"n_modes": (4, 3, 4)[:d], "in_channels": 2, "out_channels": 3, "hidden_channels": 4}
    scaling = {"resolution_scaling_factor": [[2.0, 0.5, 1.0][:d], [0.5, 2.0, 2.0][:d]], "n_layers": 2}
    operator = nnx.eval_shape(lambda: FNO(**options, **scaling, compat="neuralop2", rngs=nnx.Rngs(0)))
    compared(library.FNO(**options, **scaling), operator, grid, precision, d)
    # The library can crop one layer's padding alone.
    padded = {"resolution_scaling_factor": 0.5, "n_layers": 1, "domain_padding": 0.25}
    operator = nnx.eval_shape(lambda: FNO(**options, **padded, compat="neuralop2", rngs=nnx.Rngs(0)))
    compared(library.FNO(**options, **padded), operator, grid, precision, d)


@pytest.mark.parametrize(("source", "target"), [(16, 32), (16, 8), (9, 9), (7, 20), (13, 1), (1, 5)])
def test_interpolation_matrices(x64, source, target):
    u = np.random.default_rng(0).normal(size=(2, 3, source, 11))
    for mode, make in (("bicubic", cubic_matrix), ("bilinear", linear_matrix)):
        want = torch.nn.functional.interpolate(torch.from_numpy(u), (target, 12), mode=mode, align_corners=True)
        got = np.einsum("ij,bcjk,lk->bcil", make(source, target), u, make(11, 12))
        # Round-off.
        assert relative(got, want.numpy()) <= 1e-12
    if min(source, target) > 1:
        from neuralop.layers.resample import resample

        u = np.random.default_rng(0).normal(size=(2, 3, source, 8, 5)).astype(np.float32)
        want = resample(torch.from_numpy(u), 1.0, [2, 3, 4], (target, 6, 8)).numpy()
        got = interpolate(jnp.asarray(channels_last(u)), (target, 6, 8))
        assert relative(got, channels_last(want)) <= TOLERANCES[np.float32]


def test_a_file_of_the_library(tmp_path):
    options = draw(1)[1]
    peer = library.UNO(**options)
    torch.save(peer.state_dict(), tmp_path / "model.pt")
    state_dict = read_state_dict(tmp_path / "model.pt")
    operator = nnx.eval_shape(lambda: UNO(**options, rngs=nnx.Rngs(0)))
    load_neuraloperator(operator, state_dict)
    for name, value in to_neuraloperator(operator).items():
        if name in state_dict:
            np.testing.assert_array_equal(value, state_dict[name])
