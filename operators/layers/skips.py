"""Skip connections around a layer."""

import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float

from .linear import Linear


class SoftGating(nnx.Module):
    """x -> w x with one learned gate per channel, starting at 1."""

    def __init__(self, channels: int) -> None:
        self.weight = nnx.Param(jnp.ones(channels, jnp.float32))

    def __call__(self, x: Float[Array, "*b c"]) -> Float[Array, "*b c"]:
        return x * self.weight[...].reshape([1] * (x.ndim - 1) + [-1])


class Identity(nnx.Module):
    """x -> x."""

    def __call__(self, x: Float[Array, "*b c"]) -> Float[Array, "*b c"]:
        return x


def make_skip(kind: str | None, in_channels: int, out_channels: int, *, rngs: nnx.Rngs) -> nnx.Module | None:
    """A skip connection by its name: "linear" (no bias), "soft-gating", "identity", or None for no skip at all.

    Raises:
        ValueError: for another name, or where a skip without mixing would have to change the channel count.
    """
    if kind == "linear":
        return Linear(in_channels, out_channels, bias=False, rngs=rngs)
    if kind is None:
        return None
    if kind not in ("soft-gating", "identity"):
        raise ValueError(f'skip: got {kind!r}, wanted "linear", "soft-gating", "identity" or None')
    if in_channels != out_channels:
        raise ValueError(f'skip: {kind!r} keeps the channels, got {in_channels} -> {out_channels}; use "linear"')
    return SoftGating(in_channels) if kind == "soft-gating" else Identity()
