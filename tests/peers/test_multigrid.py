"""Patches of the PyTorch library (neuraloperator 2.0.0) against ours."""

import jax.numpy as jnp
import numpy as np
import pytest

from operators.layers import patching

torch = pytest.importorskip("torch", reason="torch is not installed (extra `peers`)")
library = pytest.importorskip("neuralop.training.patching", reason="neuraloperator is not installed (extra `peers`)")

pytestmark = [pytest.mark.peers, pytest.mark.filterwarnings("default")]


@pytest.mark.parametrize(
    ("shape", "levels", "fraction"),
    [
        ((32, 32), 1, (0.125, 0.125)),
        ((64, 32), 2, (0.1, 0.1)),
        ((64, 64), 2, (0.0625, 0.125)),
        ((64, 64), 3, (0.05, 0.05)),
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
