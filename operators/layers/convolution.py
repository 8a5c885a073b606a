"""Convolutions over one to three axes, channels last."""

import math
from collections.abc import Sequence

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float


class Convolution(nnx.Module):
    """y = w * x + b, or its transpose; PyTorch's sizes and initialisation.

    Args:
        in_channels: channels in.
        out_channels: channels out.
        kernel: points of the kernel per axis.
        padding: zeros at both ends per axis.
        stride: distance of the points of the output in those of the input; of the transpose, the reverse.
        transpose: whether the output is the larger one, (n - 1) stride - 2 padding + kernel points.
        behind: points added to the output of the transpose, per axis.
        rngs: random streams.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        *,
        kernel: Sequence[int],
        padding: Sequence[int],
        stride: int = 1,
        transpose: bool = False,
        behind: Sequence[int] | None = None,
        rngs: nnx.Rngs,
    ) -> None:
        kernel = tuple(kernel)
        extra = tuple(behind or (0,) * len(kernel))
        self.stride, self.transpose = stride, transpose
        self.padding = tuple((p, p) for p in padding)
        if transpose:
            self.padding = tuple((k - 1 - p, k - 1 - p + e) for k, p, e in zip(kernel, padding, extra, strict=True))
        # PyTorch counts the fan of a transposed convolution by its output.
        bound = 1 / math.sqrt((out_channels if transpose else in_channels) * math.prod(kernel))
        shape = (*kernel, in_channels, out_channels)
        flat = rngs.params.uniform((math.prod(shape),), jnp.float32, minval=-bound, maxval=bound)
        self.weight = nnx.Param(flat.reshape(shape))
        self.bias = nnx.Param(rngs.params.uniform((out_channels,), jnp.float32, minval=-bound, maxval=bound))

    def __call__(self, x: Float[Array, "b *space i"]) -> Float[Array, "b *outspace o"]:
        space = "XYZ"[: x.ndim - 2]
        steps = (self.stride,) * len(space)
        y = jax.lax.conv_general_dilated(
            x,
            self.weight[...],
            window_strides=(1,) * len(space) if self.transpose else steps,
            padding=self.padding,
            lhs_dilation=steps if self.transpose else None,
            dimension_numbers=(f"N{space}C", f"{space}IO", f"N{space}C"),
        )
        return y + self.bias[...].reshape(*[1] * (y.ndim - 1), -1)
