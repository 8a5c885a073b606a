"""Pointwise linear maps."""

import math

import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float

from .pointwise import matmul


class Linear(nnx.Module):
    """y = x W + b on the last axis, the same at every point.

    Weight [in, out] and bias [out] start uniform on +-1/sqrt(in), as PyTorch's convolutions do; with `std` normal and
    zero, as in vision transformers.

    Args:
        in_channels: channels in.
        out_channels: channels out.
        bias: whether b is there.
        weight_norm: every column of W is a length times a direction, g v / |v|; at the start that is the W above.
        std: standard deviation of the initial weight; None for the uniform one.
        rngs: random streams.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        *,
        bias: bool = True,
        weight_norm: bool = False,
        std: float | None = None,
        rngs: nnx.Rngs,
    ) -> None:
        self.in_channels, self.out_channels = in_channels, out_channels
        bound = 1 / math.sqrt(in_channels)
        shape = (in_channels, out_channels)

        def uniform(shape: tuple[int, ...]) -> Float[Array, "..."]:
            return rngs.params.uniform(shape, jnp.float32, minval=-bound, maxval=bound)

        self.weight = nnx.Param(uniform(shape) if std is None else std * rngs.params.normal(shape, jnp.float32))
        start = uniform(shape[1:]) if bias and std is None else jnp.zeros(out_channels, jnp.float32)
        self.bias = nnx.Param(start) if bias else None
        self.length = nnx.Param(jnp.linalg.norm(self.weight[...], axis=0)) if weight_norm else None

    def __call__(self, x: Float[Array, "*b i"]) -> Float[Array, "*b o"]:
        weight = self.weight[...]
        if self.length is not None:
            weight = weight * (self.length[...] / jnp.linalg.norm(weight, axis=0))[None]
        y = matmul(x, weight)
        if self.bias is None:
            return y
        return y + self.bias[...].reshape([1] * (y.ndim - 1) + [-1])
