"""U-Nets, on fields and on coefficients: counts of the published ones, and every size of input."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from operator_testing import apply, sample

from operators import T1Plus, UNet
from operators.layers.convolution import Convolution
from operators.layers.unet_plan import PUBLISHED, plan_unet


def count(make) -> int:
    return sum(leaf.size for leaf in jax.tree.leaves(nnx.state(nnx.eval_shape(make), nnx.Param)))


def unet(size, channels, hidden):
    return lambda: UNet(channels, channels, hidden, resolution=(size, size), rngs=nnx.Rngs(0))


@pytest.mark.parametrize(
    ("size", "channels", "hidden", "parameters"),
    [(64, 1, 64, 7_729_921), (128, 3, 64, 12_978_947), (128, 3, 128, 51_877_379)],
)
def test_parameter_counts(size, channels, hidden, parameters):
    assert count(unet(size, channels, hidden)) == parameters


@pytest.mark.parametrize(
    ("modes", "channels", "hidden", "parameters"),
    [(24, 1, 64, 10_230_989), (24, 1, 32, 2_568_013), (100, 3, 64, 13_167_185)],
)
def test_parameter_counts_in_k_space(modes, channels, hidden, parameters):
    out = 1 if channels == 1 else 3
    assert count(lambda: T1Plus((modes, modes), channels, out, hidden, rngs=nnx.Rngs(0))) == parameters


def sizes_of(size):
    (plan,) = plan_unet([size])
    down = [size]
    for level, step in enumerate(plan.down):
        n = down[-2 if plan.parallel and level == 6 else -1]
        down.append((n + 2 * step.padding - step.kernel) // 2 + 1)
    up = [down[-1]]
    for step in plan.up:
        up.append(step.factor * up[-1] + 2 * step.padding - step.kernel + 1)
    return down, [*up, 2 * up[-1] + plan.odd]


@pytest.mark.parametrize("size", [*PUBLISHED, *range(2, 140), 223, 224, 384, 512])
def test_every_size_comes_back(size):
    down, up = sizes_of(size)
    assert up[1:-1] == down[-2:0:-1] and up[-1] == size


def test_sizes_of_the_published_levels():
    assert sizes_of(24) == ([24, 12, 6, 3, 3, 3, 4, 1], [1, 4, 3, 3, 3, 6, 12, 24])
    assert sizes_of(64) == ([64, 32, 16, 8, 4, 4, 4, 2], [2, 4, 4, 4, 8, 16, 32, 64])
    assert sizes_of(128) == ([128, 64, 32, 16, 8, 4, 3, 3], [3, 3, 4, 8, 16, 32, 64, 128])
    assert sizes_of(100) == ([100, 50, 25, 12, 6, 3, 2, 2], [2, 2, 3, 6, 12, 25, 50, 100])


@pytest.mark.parametrize("shape", [(24, 128), (17,), (9, 6, 4)])
def test_axes_of_different_sizes(shape):
    operator = nnx.eval_shape(lambda: UNet(2, 1, 2, resolution=shape, rngs=nnx.Rngs(0)))
    operator.check_grid(shape)
    output = nnx.eval_shape(lambda operator, u: operator(u), operator, jnp.zeros((2, *shape, 2)))
    assert output.shape == (2, *shape, 1)
    with pytest.raises(ValueError, match="resolution: got"):
        operator.check_grid(tuple(n + 1 for n in shape))


def test_convolutions_against_sums():
    rng = np.random.default_rng(0)
    x = rng.normal(size=9)
    down = Convolution(1, 1, kernel=(4,), padding=(1,), stride=2, rngs=nnx.Rngs(0))
    up = Convolution(1, 1, kernel=(4,), padding=(1,), stride=2, transpose=True, behind=(1,), rngs=nnx.Rngs(0))
    u = jnp.asarray(x, jnp.float32)[None, :, None]
    w, b = np.asarray(down.weight[...])[:, 0, 0], float(down.bias[...][0])
    padded = np.pad(x, 1)
    expected = [padded[2 * i : 2 * i + 4] @ w + b for i in range(4)]
    np.testing.assert_allclose(down(u)[0, :, 0], expected, atol=1e-6)
    w, b = np.asarray(up.weight[...])[::-1, 0, 0], float(up.bias[...][0])
    spread = np.zeros(2 * 9 + 3)
    for i, value in enumerate(x):
        spread[2 * i : 2 * i + 4] += value * w
    np.testing.assert_allclose(up(u)[0, :, 0], spread[1:20] + b, atol=1e-6)


@pytest.mark.parametrize("basis", ["cosine", "fourier"])
def test_in_k_space_nothing_else_comes_out(basis):
    operator = T1Plus((7, 6), 2, 3, 2, basis=basis, rngs=nnx.Rngs(0))
    v = apply(operator, sample(3, 15, 16, 2))
    np.testing.assert_allclose(operator.project(v), v, atol=2e-6 * float(jnp.abs(v).max()))


def test_statistics_are_used_after_training():
    operator = T1Plus((7, 6), 2, 3, 2, rngs=nnx.Rngs(0))
    u = sample(3, 15, 16, 2)
    together = apply(operator, u)
    operator.eval()
    alone = apply(operator, u)
    assert float(jnp.abs(together - alone).max()) > 1e-2
    np.testing.assert_allclose(apply(operator, u[:1]), alone[:1], atol=1e-5)
