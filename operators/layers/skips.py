"""Skip connections around a layer."""

import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float

from .arguments import choice, refusal
from .linear import Linear

SKIPS = ("linear", "soft-gating", "identity", None)


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


def make_skip(
    kind: str | None, in_channels: int, out_channels: int, *, name: str = "skip", rngs: nnx.Rngs
) -> nnx.Module | None:
    """A skip connection by its name: "linear" (no bias), "soft-gating", "identity", or None for no skip at all.

    Args:
        kind: the name.
        in_channels: channels in.
        out_channels: channels out.
        name: of the argument, in errors.
        rngs: random streams.

    Raises:
        ValueError: for another name, or where a skip without mixing would have to change the channel count.
    """
    if choice(name, kind, SKIPS) == "linear":
        return Linear(in_channels, out_channels, bias=False, rngs=rngs)
    if kind is None:
        return None
    if in_channels != out_channels:
        wanted = f"a skip that leads from {in_channels} channels to {out_channels}: this one keeps the channels"
        raise refusal(name, kind, wanted, 'use "linear"')
    return SoftGating(in_channels) if kind == "soft-gating" else Identity()
