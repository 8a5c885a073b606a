"""Normalisation layers whose statistics are integrals, so that they mean the same on every grid."""

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float


class GroupNorm(nnx.Module):
    """(x - mean) / sqrt(var + eps) * scale + bias, statistics over space and the channels of a group, per sample.

    One group is a layer norm over channels and space.

    Args:
        channels: channel count.
        groups: number of groups; divides the channel count.
        eps: added to the variance.

    Raises:
        ValueError: when the groups do not divide the channels.
    """

    def __init__(self, channels: int, groups: int = 1, *, eps: float = 1e-5) -> None:
        if groups < 1 or channels % groups:
            raise ValueError(
                f"norm_groups: got {groups} for {channels} channels, wanted a divisor of the channel count"
            )
        self.groups, self.eps = groups, eps
        self.scale = nnx.Param(jnp.ones(channels, jnp.float32))
        self.bias = nnx.Param(jnp.zeros(channels, jnp.float32))

    def __call__(self, x: Float[Array, "b *space c"]) -> Float[Array, "b *space c"]:
        y = _standardise(x, self.groups, self.eps)
        over = [1] * (x.ndim - 1) + [-1]
        return y * self.scale[...].reshape(over) + self.bias[...].reshape(over)


class InstanceNorm(nnx.Module):
    """(x - mean) / sqrt(var + eps), statistics over space, per sample and channel; no parameters."""

    def __init__(self, *, eps: float = 1e-5) -> None:
        self.eps = eps

    def __call__(self, x: Float[Array, "b *space c"]) -> Float[Array, "b *space c"]:
        return _standardise(x, x.shape[-1], self.eps)


def make_norm(kind: str | None, channels: int, groups: int) -> nnx.Module | None:
    """A norm by its name: "group_norm", "instance_norm" or None.

    Raises:
        ValueError: for another name.
    """
    if kind is None:
        return None
    if kind == "group_norm":
        return GroupNorm(channels, groups)
    if kind == "instance_norm":
        return InstanceNorm()
    raise ValueError(f'norm: got {kind!r}, wanted "group_norm", "instance_norm" or None')


def _standardise(x: Float[Array, "b *space c"], groups: int, eps: float) -> Float[Array, "b *space c"]:
    grouped = x.reshape(*x.shape[:-1], groups, -1)
    axes = (*range(1, x.ndim - 1), x.ndim)
    mean = grouped.mean(axes, keepdims=True)
    variance = jnp.square(grouped - mean).mean(axes, keepdims=True)
    return ((grouped - mean) * jax.lax.rsqrt(variance + eps)).reshape(x.shape)
