"""Patches of the PyTorch library (neuraloperator 2.0.0) against ours."""

import functools

import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from operators import FNO, MGTFNO
from operators.interop import load_neuraloperator
from operators.layers import patching

torch = pytest.importorskip("torch", reason="torch is not installed (extra `peers`)")
library = pytest.importorskip("neuralop.training.patching", reason="neuraloperator is not installed (extra `peers`)")
models = pytest.importorskip("neuralop.models", reason="neuraloperator is not installed (extra `peers`)")

pytestmark = [pytest.mark.peers, pytest.mark.filterwarnings("default")]


@pytest.mark.parametrize(
    ("shape", "levels", "fraction"),
    [
        ((32, 32), 1, (0.125, 0.125)),
        ((64, 32), 2, (0.1, 0.1)),
        ((64, 64), 2, (0.0625, 0.125)),
        ((128, 128), 3, (0.0625, 0.03)),
    ],
)
def test_patches(shape, levels, fraction):
    u = torch.randn(2, 3, *shape, generator=torch.Generator().manual_seed(0))
    peer = library.MultigridPatching2D(torch.nn.Identity(), levels=levels, padding_fraction=list(fraction))
    want, _ = peer.patch(u, None)
    size, padding = patching.patch_size(shape, levels), patching.padding_points(shape, fraction)
    assert padding == (peer.padding_height, peer.padding_width)
    got = patching.cut(patching.pyramid(jnp.asarray(np.moveaxis(u.numpy(), 1, -1)), levels), size, padding)
    # Theirs folds the patches into the batch.
    np.testing.assert_array_equal(np.moveaxis(np.asarray(got).reshape(-1, *got.shape[3:]), -1, 1), want.numpy())

    # The first level's channels, cropped and put back by theirs and by ours.
    stitched, _ = peer.unpatch(want[:, :3], None, evaluation=True)
    np.testing.assert_array_equal(np.moveaxis(patching.stitch(got[..., :3], padding), -1, 1), stitched.numpy())


def test_a_whole_network_with_their_weights():
    """Patches, an FNO that sees the coordinates of its patch, stitching: local coordinates are what 2.0 has."""
    options = {"n_modes": (6, 6), "hidden_channels": 8, "n_layers": 2}
    torch.manual_seed(0)
    peer = models.FNO(in_channels=3 * 3, out_channels=1, **options)
    theirs = library.MultigridPatching2D(peer, levels=2, padding_fraction=[0.125, 0.0625])
    u = torch.randn(2, 3, 32, 64)
    with torch.no_grad():
        patches, _ = theirs.patch(u, None)
        wanted, _ = theirs.unpatch(peer(patches), None, evaluation=True)

    trunk = functools.partial(FNO, **options)
    ours = nnx.eval_shape(
        lambda: MGTFNO(
            3, 1, trunk=trunk, levels=2, padding_fraction=(0.125, 0.0625), global_coordinates=False, rngs=nnx.Rngs(0)
        )
    )
    load_neuraloperator(
        ours.trunk, {name: v.detach().numpy() for name, v in peer.state_dict().items() if hasattr(v, "numpy")}
    )
    got = nnx.jit(lambda operator, u: operator(u))(ours, jnp.asarray(np.moveaxis(u.numpy(), 1, -1)))
    # float32 through two blocks: as the parity of the trunk alone.
    error = np.linalg.norm(np.moveaxis(np.asarray(got), -1, 1) - wanted.numpy()) / np.linalg.norm(wanted.numpy())
    assert error < 5e-6
