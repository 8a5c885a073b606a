"""Copied weights against the PyTorch library (neuraloperator 2.0.0 of the package index)."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from operators import FNO, TFNO

torch = pytest.importorskip("torch", reason="torch is not installed (extra `peers`)")
library = pytest.importorskip("neuralop.models", reason="neuraloperator is not installed (extra `peers`)")

# The library imports with deprecation warnings of its own dependencies.
pytestmark = [pytest.mark.peers, pytest.mark.filterwarnings("default")]

# The release inverts with fftshift in place of ifftshift, which is wrong on odd leading axes: even grids only.
GRIDS = {1: (32,), 2: (16, 20), 3: (10, 8, 12)}
MODES = {1: (10,), 2: (8, 6), 3: (4, 6, 6)}


def numbers(parameter) -> np.ndarray:
    return parameter.detach().cpu().numpy()


def pair(z: np.ndarray, axis: int = 0) -> np.ndarray:
    return np.stack([z.real, z.imag], axis=axis)


def spectral_weight(weight, conv) -> None:
    d = conv.ndim
    if hasattr(weight, "tensor") and isinstance(weight.tensor, torch.nn.Parameter):
        z = np.moveaxis(numbers(weight.tensor), (0, 1), (-2, -1))
        conv.weight.tensor[...] = jnp.asarray(pair(z, axis=d))
        return
    for ours, theirs in zip(conv.weight.factors, weight.factors, strict=True):
        ours[...] = jnp.asarray(pair(numbers(theirs)))
    if hasattr(conv.weight, "core"):
        core = np.moveaxis(numbers(weight.core), (0, 1), (-2, -1))
        conv.weight.core[...] = jnp.asarray(pair(core))
    if hasattr(conv.weight, "scales"):
        conv.weight.scales[...] = jnp.asarray(pair(numbers(weight.weights)))


def mlp(ours, theirs) -> None:
    for fc, peer in zip(ours.fcs, theirs.fcs, strict=True):
        fc.weight[...] = jnp.asarray(numbers(peer.weight)[..., 0].T)
        fc.bias[...] = jnp.asarray(numbers(peer.bias))


def copy_weights(peer, fno: FNO) -> None:
    """Every parameter of the library's FNO into ours."""
    mlp(fno.lifting, peer.lifting)
    mlp(fno.projection, peer.projection)
    layers = peer.fno_blocks
    for i, block in enumerate(fno.blocks):
        spectral_weight(layers.convs[i].weight, block.conv)
        block.conv.bias[...] = jnp.asarray(numbers(layers.convs[i].bias).reshape(-1))
        mlp(block.channel_mlp, layers.channel_mlp[i])
        for ours, theirs in (
            (block.fno_skip, layers.fno_skips[i]),
            (block.channel_mlp_skip, layers.channel_mlp_skips[i]),
        ):
            if hasattr(theirs, "conv"):
                ours.weight[...] = jnp.asarray(numbers(theirs.conv.weight)[..., 0].T)
            elif hasattr(theirs, "weight"):
                ours.weight[...] = jnp.asarray(numbers(theirs.weight).reshape(-1))
        if layers.norm is not None:
            for ours, theirs in ((block.norm, layers.norm[2 * i]), (block.channel_mlp_norm, layers.norm[2 * i + 1])):
                if hasattr(ours, "scale"):
                    # Away from the initial ones and zeros, which would hide a mistake.
                    torch.nn.init.normal_(theirs.weight)
                    torch.nn.init.normal_(theirs.bias)
                    ours.scale[...], ours.bias[...] = (
                        jnp.asarray(numbers(theirs.weight)),
                        jnp.asarray(numbers(theirs.bias)),
                    )


def both(d: int, grid=None, modes=None, **options):
    """The two networks with the same weights, and an input channels first and last."""
    torch.manual_seed(0)
    modes, grid = modes or MODES[d], grid or GRIDS[d]
    common = dict(in_channels=2, out_channels=3, hidden_channels=8, n_layers=3, **options)
    peer = library.FNO(modes, **common)
    ours = FNO(modes, **common, rngs=nnx.Rngs(0))
    copy_weights(peer, ours)
    u = torch.randn(2, 2, *grid)
    return peer, ours, u, jnp.asarray(np.moveaxis(u.numpy(), 1, -1))


def relative(got, want) -> float:
    return float(np.linalg.norm(got - want) / np.linalg.norm(want))


def assert_equal_outputs(peer, ours, u, x) -> None:
    with torch.no_grad():
        want = np.moveaxis(peer(u).numpy(), 1, -1)
    got = np.asarray(nnx.jit(lambda m, x: m(x))(ours, x))
    # float32 round-off of a few layers; measured 1e-7 to 1e-6.
    assert relative(got, want) <= 5e-6
    x = x.at[..., 0].add(1e-3)
    assert relative(np.asarray(ours(x)), want) > 5e-6, "the comparison cannot fail"


@pytest.mark.parametrize("factorization", [None, "Tucker", "CP", "TT"])
@pytest.mark.parametrize("d", [1, 2, 3])
def test_outputs(d, factorization):
    assert_equal_outputs(*both(d, factorization=factorization, rank=0.5))


@pytest.mark.parametrize(
    "options",
    [
        {"norm": "group_norm"},
        {"norm": "instance_norm"},
        {"fno_skip": "soft-gating", "channel_mlp_skip": "linear"},
        {"fno_skip": "identity", "channel_mlp_skip": "identity"},
        {"domain_padding": 0.125},
        {"domain_padding": [0.25, 0.125]},
        {"positional_embedding": None, "channel_mlp_expansion": 1.0, "projection_channel_ratio": 4},
        {"grid": (6, 6), "modes": (8, 8)},  # a grid with fewer points than modes
    ],
    ids=str,
)
def test_options(options):
    assert_equal_outputs(*both(2, **options))


def test_default_tfno_has_their_parameter_count():
    ours = nnx.eval_shape(lambda: TFNO((16, 16), 1, 1, 64, rngs=nnx.Rngs(0)))
    theirs = library.TFNO((16, 16), 1, 1, 64)
    count = sum(leaf.size for leaf in jax.tree.leaves(nnx.state(ours, nnx.Param)))
    assert count == sum(p.numel() * (2 if p.is_complex() else 1) for p in theirs.parameters())


def test_gradients():
    peer, ours, u, x = both(2)
    peer(u).square().mean().backward()
    grads = nnx.grad(lambda m: jnp.square(m(x)).mean())(ours)
    conv, theirs = grads["blocks"][0]["conv"], peer.fno_blocks.convs[0]
    z = np.moveaxis(theirs.weight.tensor.grad.numpy(), (0, 1), (-2, -1))
    # Ours is the gradient with respect to (re, im), which is PyTorch's complex one.
    assert relative(np.asarray(conv["weight"]["tensor"][...]), pair(z, axis=2)) <= 1e-5
    lifting = peer.lifting.fcs[0].weight.grad.numpy()[..., 0].T
    assert relative(np.asarray(grads["lifting"]["fcs"][0]["weight"][...]), lifting) <= 1e-5
