"""Drawn operators against the PyTorch library with the same weights: outputs and gradients in both precisions.

The release 2.0.0 of the package index inverts with fftshift where its development line (93d3f063, also called 2.0.0)
has ifftshift; on odd leading axes only the latter is the convolution that both mean. Most operators are compared with
that one, which the fixture `corrected` makes of the release, and some with the release as it is.
"""

import functools
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from peer_testing import channels_last, relative

from operators import FNO, TFNO
from operators.interop import load_neuraloperator, to_neuraloperator
from operators.layers.spectral_conv import SpectralConv
from training.convert import read_state_dict

torch = pytest.importorskip("torch", reason="torch is not installed (extra `peers`)")
library = pytest.importorskip("neuralop.models", reason="neuraloperator is not installed (extra `peers`)")
apply_complex = pytest.importorskip("neuralop.layers.complex").apply_complex

# The library imports with deprecation warnings of its own dependencies.
pytestmark = [pytest.mark.peers, pytest.mark.filterwarnings("default")]

# Round-off of a few layers. A norm of an almost constant channel amplifies it: seeds of weights that make none.
TOLERANCES = {np.float32: 5e-6, np.float64: 1e-12}
QUICK = {"xla_backend_optimization_level": 0}
CONFIGURATIONS = 72
# The first weights of these make a channel that is almost constant over the batch.
REDRAWN = (7, 36)

CHOICES = {
    "factorization": [None, "Tucker", "CP", "TT"],
    "implementation": ["factorized", "reconstructed"],
    "rank": [0.2, 0.5, 1.0],
    "fno_skip": ["linear", "soft-gating", "identity", None],
    "channel_mlp_skip": ["linear", "soft-gating", "identity", None],
    "norm": [None, "group_norm", "instance_norm", "batch_norm"],
    "padding": ["none", "one", "each"],
    "use_channel_mlp": [True, True, False],
    "channel_mlp_expansion": [0.5, 1.0],
    "positional_embedding": ["grid", None],
    "lifting_channel_ratio": [1, 2],
    "n_layers": [1, 2],
    "separable": [False, False, True],
    "preactivation": [False, True],
    "stabilizer": [None, "tanh"],
}


def draw(index: int) -> tuple[tuple[int, ...], dict]:
    """Grid and options of one operator; dimension, factorisation and parities go round, the rest is drawn."""
    rng = np.random.default_rng(index)
    options = {name: values[rng.integers(len(values))] for name, values in CHOICES.items()}
    d = 1 + index % 3
    options["factorization"] = CHOICES["factorization"][index // 3 % 4]
    # Every fourth has a grid too coarse for its modes.
    low, high = ((3, 7) if index % 4 == 0 else (9, 14)) if d < 3 else ((3, 5) if index % 4 == 0 else (7, 10))
    grid = tuple(int(n) for n in rng.integers(low, high, d))
    options["n_modes"] = tuple(int(n) for n in rng.integers(3, 8 if d < 3 else 6, d))
    if options["separable"]:
        # The library cannot make a train of two cores, and rounds the rank of a small CP tensor to zero.
        options["separable"] = d > 1 or options["factorization"] != "TT"
        options["rank"] = 1.0
    padding = options.pop("padding")
    if padding != "none":
        options["domain_padding"] = 0.25 if padding == "one" else [0.125 * (j + 1) for j in range(d)]
    return grid, options | {"in_channels": 2, "out_channels": 3, "hidden_channels": 4}


def padded(grid: tuple[int, ...], options: dict) -> list[int]:
    """The grid of the convolutions."""
    fraction = options.get("domain_padding", 0)
    fractions = fraction if isinstance(fraction, list) else [fraction] * len(grid)
    return [s + 2 * round(f * s) for s, f in zip(grid, fractions, strict=True)]


def differs(grid: tuple[int, ...], options: dict) -> bool:
    """Whether the library's numerics are not ours: no channel MLP, or an odd part of an even number of modes."""
    leading = list(zip(options["n_modes"], padded(grid, options), strict=True))[:-1]
    return not options["use_channel_mlp"] or any(n % 2 == 0 and s < n and s % 2 for n, s in leading)


@pytest.fixture
def corrected(monkeypatch):
    """The release with the inverse shift of the development line."""
    ifftshift = torch.fft.ifftshift

    def shifted(inverse, z, s, dim, norm):
        leading = dim[:-1]
        return inverse(ifftshift(ifftshift(z, leading), leading) if leading else z, s=s, dim=dim, norm=norm)

    for name in ("irfftn", "ifftn"):
        monkeypatch.setattr(torch.fft, name, functools.partial(shifted, getattr(torch.fft, name)))


def random_weights(operator: nnx.Module, dtype, seed: int) -> None:
    """Away from the initial ones and zeros of scales and biases, which would hide a mistake."""
    rng = np.random.default_rng(seed)
    for path, leaf in nnx.iter_graph(operator):
        if isinstance(leaf, nnx.Variable):
            # Products of small factors would leave little but the bias for a norm to divide by.
            scale = 1.0 if "conv" in path else 0.5
            values = scale * rng.normal(size=leaf.shape)
            leaf.set_value(jnp.asarray(np.abs(values) + 0.5 if path[-1] == "variance" else values, dtype))


def our_output_and_gradients(operator: nnx.Module, u):
    graph, params, rest = nnx.split(operator, nnx.Param, ...)

    def loss(params, u):
        # A copy of the rest: running statistics are written to.
        v = nnx.merge(graph, params, jax.tree.map(lambda leaf: leaf, rest))(u)
        return jnp.mean(jnp.real(v * jnp.conj(v))), v

    run = jax.jit(jax.grad(loss, has_aux=True), compiler_options=QUICK)
    grads, v = run(params, u)
    return np.asarray(v), dict(nnx.to_flat_state(grads))


def assert_same(peer, operator: nnx.Module, u: np.ndarray, dtype) -> None:
    """Output and the gradients of mean(|output|^2) with the weights of ours."""
    peer.load_state_dict({name: torch.from_numpy(value) for name, value in to_neuraloperator(operator).items()})
    v = peer(torch.from_numpy(u))
    v.abs().square().mean().backward()
    want = channels_last(v.detach().numpy())
    got, grads = our_output_and_gradients(operator, jnp.asarray(channels_last(u)))
    assert got.dtype == want.dtype == u.dtype
    assert relative(got, want) <= TOLERANCES[dtype]

    theirs = {name: p.grad.numpy() for name, p in peer.named_parameters() if p.grad is not None}
    for name, value in to_neuraloperator(operator).items():
        theirs.setdefault(name, np.zeros_like(value))
    load_neuraloperator(operator, theirs)
    wants = {path: np.asarray(leaf[...]) for path, leaf in nnx.to_flat_state(nnx.state(operator, nnx.Param))}
    assert grads.keys() == wants.keys()
    distances = {path: np.linalg.norm(np.asarray(grad[...]) - wants[path]) for path, grad in grads.items()}
    total = math.sqrt(sum(np.square(want).sum() for want in wants.values()))
    assert math.sqrt(sum(np.square(list(distances.values())))) <= TOLERANCES[dtype] * total
    for path, distance in distances.items():
        # A constant before an instance norm has no effect: its gradient is round-off of sums that cancel.
        assert distance <= 10 * TOLERANCES[dtype] * max(np.linalg.norm(wants[path]), 0.1 * total), path

    # The comparison can fail.
    assert relative(got * (1 + 3 * TOLERANCES[dtype]), want) > TOLERANCES[dtype]


@pytest.mark.parametrize("precision", [np.float32, np.float64], ids=["float32", "float64"], indirect=True)
@pytest.mark.parametrize("index", range(CONFIGURATIONS))
def test_drawn_operators(index, precision, corrected):
    grid, options = draw(index)
    peer = library.FNO(**options)
    compat = "neuralop2" if differs(grid, options) else None
    operator = nnx.eval_shape(lambda: FNO(**options, compat=compat, rngs=nnx.Rngs(0)))
    random_weights(operator, precision, seed=CONFIGURATIONS * (1 + (index in REDRAWN)) + index)
    u = np.random.default_rng(index).normal(size=(2, 2, *grid)).astype(precision)
    assert_same(peer, operator, u, precision)


# Grids with an odd leading axis, in two and three dimensions, some too coarse for the modes.
ODD = [index for index in range(CONFIGURATIONS) if any(s % 2 for s in padded(*draw(index))[:-1])][:12]


@pytest.mark.parametrize("precision", [np.float32, np.float64], ids=["float32", "float64"], indirect=True)
@pytest.mark.parametrize("index", ODD)
def test_the_release_as_it_is(index, precision):
    """Odd leading axes, where it is another function than its development line."""
    grid, options = draw(index)
    peer = library.FNO(**options)
    operator = nnx.eval_shape(lambda: FNO(**options, compat="neuralop2-release", rngs=nnx.Rngs(0)))
    random_weights(operator, precision, seed=CONFIGURATIONS * (1 + (index in REDRAWN)) + index)
    u = np.random.default_rng(index).normal(size=(2, 2, *grid)).astype(precision)
    assert_same(peer, operator, u, precision)


@pytest.mark.parametrize("precision", [np.float32, np.float64], ids=["float32", "float64"], indirect=True)
@pytest.mark.parametrize("release", [True, False], ids=["release", "development"])
@pytest.mark.parametrize("index", range(0, 50, 5))
def test_complex_data(index, release, precision, request):
    """The library's own choice of modes, which loses the mean in more than one dimension."""
    if not release:
        request.getfixturevalue("corrected")
    grid, options = draw(index)
    options["complex_data"] = True
    peer = library.FNO(**options)
    compat = "neuralop2-release" if release else "neuralop2"
    operator = nnx.eval_shape(lambda: FNO(**options, compat=compat, rngs=nnx.Rngs(0)))
    random_weights(operator, precision, seed=index)
    rng = np.random.default_rng(index)
    u = rng.normal(size=(2, 2, *grid)) + 1j * rng.normal(size=(2, 2, *grid))
    assert_same(peer, operator, u.astype(np.result_type(precision, np.complex64)), precision)


@pytest.mark.parametrize("precision", [np.float32, np.float64], ids=["float32", "float64"], indirect=True)
def test_running_statistics(precision):
    """What a batch adds to them, and what evaluation makes of them."""
    options = {"n_modes": (3, 4), "in_channels": 2, "out_channels": 3, "hidden_channels": 4, "norm": "batch_norm"}
    peer = library.FNO(**options, n_layers=2)
    operator = nnx.eval_shape(lambda: FNO(**options, n_layers=2, rngs=nnx.Rngs(0)))
    random_weights(operator, precision, seed=1)
    u = np.random.default_rng(1).normal(size=(2, 2, 8, 9)).astype(precision)
    peer.load_state_dict({name: torch.from_numpy(value) for name, value in to_neuraloperator(operator).items()})
    with torch.no_grad():
        peer(torch.from_numpy(u))
        want = channels_last(peer.eval()(torch.from_numpy(u)).numpy())
    operator(jnp.asarray(channels_last(u)))
    operator.eval()
    assert relative(operator(jnp.asarray(channels_last(u))), want) <= TOLERANCES[precision]
    theirs = peer.state_dict()
    for name, value in to_neuraloperator(operator).items():
        if "running" in name:
            assert relative(value, theirs[name].numpy()) <= TOLERANCES[precision], name


@pytest.mark.parametrize("precision", [np.float32, np.float64], ids=["float32", "float64"], indirect=True)
def test_adaptive_norm(precision):
    """The library's FNO has no argument for the size of the embedding: its norms are put in by hand."""
    from neuralop.layers.normalization_layers import AdaIN

    options = {"n_modes": (3, 4), "in_channels": 2, "out_channels": 3, "hidden_channels": 4, "n_layers": 2}
    peer = library.FNO(**options)
    peer.fno_blocks.norm = torch.nn.ModuleList([AdaIN(3, 4) for _ in range(4)])
    operator = nnx.eval_shape(lambda: FNO(**options, norm="ada_in", ada_in_features=3, rngs=nnx.Rngs(0)))
    random_weights(operator, precision, seed=2)
    rng = np.random.default_rng(2)
    u, embedding = (rng.normal(size=shape).astype(precision) for shape in ((2, 2, 8, 9), (3,)))
    peer.fno_blocks.set_ada_in_embeddings(torch.from_numpy(embedding))
    peer.load_state_dict({name: torch.from_numpy(value) for name, value in to_neuraloperator(operator).items()})
    with torch.no_grad():
        want = channels_last(peer(torch.from_numpy(u)).numpy())
    got = operator(jnp.asarray(channels_last(u)), embedding=jnp.asarray(embedding))
    assert relative(got, want) <= TOLERANCES[precision]


def test_the_draw_covers_the_choices():
    drawn = [draw(index) for index in range(CONFIGURATIONS)]
    for name, values in CHOICES.items():
        if name != "padding":
            assert {options[name] for _, options in drawn} == set(values), name
    assert {type(options.get("domain_padding")) for _, options in drawn} == {type(None), float, list}
    for parity in (0, 1):
        for d in (1, 2, 3):
            of_dimension = [(grid, options["n_modes"]) for grid, options in drawn if len(grid) == d]
            assert len(of_dimension) == CONFIGURATIONS // 3
            for j in range(d):
                assert any(grid[j] % 2 == parity for grid, _ in of_dimension)
                assert any(modes[j] % 2 == parity for _, modes in of_dimension)
    assert 10 <= sum(differs(*configuration) for configuration in drawn) <= CONFIGURATIONS - 30
    assert any(differs(grid, options | {"use_channel_mlp": True}) for grid, options in drawn)


def test_default_tfno_has_their_parameter_count():
    ours = nnx.eval_shape(lambda: TFNO((16, 16), 1, 1, 64, rngs=nnx.Rngs(0)))
    theirs = library.TFNO((16, 16), 1, 1, 64)
    count = sum(leaf.size for leaf in jax.tree.leaves(nnx.state(ours, nnx.Param)))
    assert count == sum(p.numel() * (2 if p.is_complex() else 1) for p in theirs.parameters())


@pytest.mark.parametrize("factorization", [None, "Tucker", "CP", "TT"])
@pytest.mark.parametrize("d", [1, 2, 3])
def test_corners_of_the_older_convolution(d, factorization):
    from neuralop.layers.legacy_spectral_convolution import SpectralConv as Older

    torch.manual_seed(0)
    n_modes, grid = (4, 6, 4)[:d], (7, 8, 9)[:d]
    older = Older(2, 3, n_modes, factorization=factorization, rank=0.5)
    u = torch.randn(2, 2, *grid)
    with torch.no_grad():
        want = channels_last(older(u).numpy())
    conv = nnx.eval_shape(lambda: SpectralConv(2, 3, n_modes, rngs=nnx.Rngs(0)))
    load_neuraloperator(conv, older.state_dict())
    got = jax.jit(lambda conv, u: conv(u))(conv, jnp.asarray(channels_last(u.numpy())))
    assert relative(got, want) <= TOLERANCES[np.float32]


class Opens:
    """Writes a file while it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return open, (str(self.path), "w")


def test_a_file_of_the_library_is_read_and_nothing_in_it_executed(tmp_path):
    peer = library.FNO((4, 4), 1, 1, 4, n_layers=1)
    # It keeps the arguments of the model, functions and classes among them, with the weights.
    peer.save_checkpoint(tmp_path, "model")
    state_dict = read_state_dict(tmp_path / "model_state_dict.pt")
    operator = nnx.eval_shape(lambda: FNO((4, 4), 1, 1, 4, n_layers=1, rngs=nnx.Rngs(0)))
    load_neuraloperator(operator, state_dict)
    for name, value in to_neuraloperator(operator).items():
        np.testing.assert_array_equal(value, state_dict[name])

    torch.save({"bias": torch.ones(2), "other": Opens(tmp_path / "executed")}, tmp_path / "bad.pt")
    assert read_state_dict(tmp_path / "bad.pt").keys() == {"bias"}
    assert not (tmp_path / "executed").exists()
    torch.save([torch.ones(2)], tmp_path / "list.pt")
    with pytest.raises(ValueError, match=r"got list without tensors in .*wanted a state dict"):
        read_state_dict(tmp_path / "list.pt")


def test_files_of_other_kinds(tmp_path):
    """Of torch before 1.6, in bfloat16, of wrapped models; what cannot be read says why."""
    path = tmp_path / "model.pt"
    for old in (False, True):
        torch.save({"bias": torch.ones(2)}, path, _use_new_zipfile_serialization=not old)
        np.testing.assert_array_equal(read_state_dict(path)["bias"], np.ones(2))
    weights = {"module.bias": torch.ones(2, dtype=torch.bfloat16), "module.w": torch.nn.Parameter(torch.zeros(3))}
    torch.save(weights, path)
    found = read_state_dict(path)
    assert found.keys() == {"bias", "w"} and found["bias"].dtype == np.float32
    torch.save({"epoch": 3, "model_state_dict": {"bias": torch.ones(2)}}, path)
    with pytest.raises(ValueError, match=r"it holds dictionaries named model_state_dict: save the one"):
        read_state_dict(path)
    for content in (b"", b"no weights at all", b"PK\x03\x04 and nothing"):
        path.write_bytes(content)
        with pytest.raises(ValueError, match=r"is damaged or was not saved by torch"):
            read_state_dict(path)
