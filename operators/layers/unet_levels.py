"""The levels of a U-Net on an image of fixed size."""

from collections.abc import Sequence

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float

from .convolution import Convolution
from .norms import BatchNorm
from .unet_plan import WIDTHS, Down, Up, plan_unet


class UNetLevels(nnx.Module):
    """Seven strided convolutions down, six upsampled ones back, each joined with the level of its size, and out.

    Down: leaky ReLU (0.2), convolution, batch norm; no activation before the first, no norm after the first and the
    last. Up: ReLU, linear upsampling, convolution, batch norm. Out: ReLU and a transposed convolution.

    Args:
        in_channels: channels in.
        out_channels: channels out.
        hidden_channels: channels of the first level; the others have 2, 2, 4, 8, 8, 8 times as many.
        sizes: points of the image per axis, one to three axes, at least 2 each.
        rngs: random streams.
    """

    def __init__(
        self, in_channels: int, out_channels: int, hidden_channels: int, *, sizes: Sequence[int], rngs: nnx.Rngs
    ) -> None:
        self.sizes = tuple(sizes)
        plans = plan_unet(self.sizes)
        self.parallel = plans[0].parallel
        widths = [hidden_channels * w for w in WIDTHS]
        self.factors = tuple(zip(*([up.factor for up in plan.up] for plan in plans), strict=True))

        def convolution(inputs: int, outputs: int, steps: Sequence[Down | Up], stride: int) -> Convolution:
            kernel, padding = [s.kernel for s in steps], [s.padding for s in steps]
            return Convolution(inputs, outputs, kernel=kernel, padding=padding, stride=stride, rngs=rngs)

        levels = zip([in_channels, *widths[:-1]], widths, *(plan.down for plan in plans), strict=True)
        self.down = nnx.List([convolution(i, o, steps, 2) for i, o, *steps in levels])
        self.down_norms = nnx.List([BatchNorm(w) for w in widths[1:-1]])
        outputs = widths[-2::-1]
        inputs = [widths[-1], *(2 * w for w in outputs[:-1])]
        levels = zip(inputs, outputs, *(plan.up for plan in plans), strict=True)
        self.up = nnx.List([convolution(i, o, steps, 1) for i, o, *steps in levels])
        self.up_norms = nnx.List([BatchNorm(w) for w in outputs])
        axes = len(self.sizes)
        self.out = Convolution(
            2 * widths[0],
            out_channels,
            kernel=(4,) * axes,
            padding=(1,) * axes,
            stride=2,
            transpose=True,
            behind=[plan.odd for plan in plans],
            rngs=rngs,
        )

    def __call__(self, x: Float[Array, "b *space ci"]) -> Float[Array, "b *space co"]:
        levels = [self.down[0](x)]
        for level, norm in zip(range(1, len(self.down) - 1), self.down_norms, strict=True):
            levels.append(norm(self.down[level](jax.nn.leaky_relu(levels[-1], 0.2))))
        y = self.down[-1](jax.nn.leaky_relu(levels[-2 if self.parallel else -1], 0.2))
        for convolve, norm, factor in zip(self.up, self.up_norms, self.factors, strict=True):
            y = norm(convolve(_upsample(jax.nn.relu(y), factor)))
            y = jnp.concatenate([y, levels.pop()], axis=-1)
        return self.out(jax.nn.relu(y))


def _upsample(x: Float[Array, "b *space c"], factor: tuple[int, ...]) -> Float[Array, "b *outspace c"]:
    """Linear interpolation to so many times the points, each at the centre of its cell."""
    if set(factor) == {1}:
        return x
    shape = (x.shape[0], *(f * n for f, n in zip(factor, x.shape[1:-1], strict=True)), x.shape[-1])
    return jax.image.resize(x, shape, "linear")
