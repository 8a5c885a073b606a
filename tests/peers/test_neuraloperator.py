"""Copied weights against the PyTorch library (neuraloperator 2.0.0 of the package index)."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from carried_weights import carry, relative
from flax import nnx

from operators import FNO, TFNO

torch = pytest.importorskip("torch", reason="torch is not installed (extra `peers`)")
library = pytest.importorskip("neuralop.models", reason="neuraloperator is not installed (extra `peers`)")

# The library imports with deprecation warnings of its own dependencies.
pytestmark = [pytest.mark.peers, pytest.mark.filterwarnings("default")]

# The release inverts with fftshift in place of ifftshift, which is wrong on odd leading axes: even grids only.
GRIDS = {1: (32,), 2: (16, 20), 3: (10, 8, 12)}
MODES = {1: (10,), 2: (8, 6), 3: (4, 6, 6)}


def random_norms(peer) -> None:
    """Scales and biases away from the initial ones and zeros, which would hide a mistake."""
    for layer in peer.fno_blocks.norm or ():
        for parameter in layer.parameters():
            torch.nn.init.normal_(parameter)


def both(d: int, grid=None, modes=None, **options):
    """The two networks with the same weights, and an input channels first and last."""
    torch.manual_seed(0)
    modes, grid = modes or MODES[d], grid or GRIDS[d]
    common = dict(in_channels=2, out_channels=3, hidden_channels=8, n_layers=3, **options)
    peer = library.FNO(modes, **common)
    ours = FNO(modes, **common, rngs=nnx.Rngs(0))
    random_norms(peer)
    carry(ours, {name: p.detach().numpy() for name, p in peer.named_parameters()})
    u = torch.randn(2, 2, *grid)
    return peer, ours, u, jnp.asarray(np.moveaxis(u.numpy(), 1, -1))


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
    carry(ours, {name: p.grad.numpy() for name, p in peer.named_parameters()})
    wants = dict(nnx.to_flat_state(nnx.state(ours, nnx.Param)))
    for path, got in nnx.to_flat_state(grads):
        assert relative(got[...], np.asarray(wants[path][...])) <= 1e-5, path
