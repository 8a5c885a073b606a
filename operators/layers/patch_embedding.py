"""Patches of a grid as tokens, and tokens as patches."""

import itertools
import math
from collections.abc import Callable, Sequence

from flax import nnx
from jaxtyping import Array, Float

from .arguments import points, refusal, whole_number
from .channel_mlp import ChannelMLP
from .linear import Linear


def as_patch(patch_size: int | Sequence[int], ndim: int) -> tuple[int, ...]:
    """Points of a patch along every axis.

    Raises:
        ValueError: for anything but one positive whole number, or one per axis.
    """
    one = whole_number(patch_size)
    return points("patch_size", patch_size if one is None else (one,) * ndim, ndim)


def token_grid(shape: tuple[int, ...], patch: tuple[int, ...], name: str = "u") -> tuple[int, ...]:
    """Patches along every axis.

    Raises:
        ValueError: for a grid that patches do not fill.
    """
    if any(s % p for s, p in zip(shape, patch, strict=True)):
        filled = tuple(max(s // p, 1) * p for s, p in zip(shape, patch, strict=True))
        wanted = f"multiples of patch_size={patch} on every axis"
        raise refusal(name, shape, wanted, f"such as {filled}; or change patch_size")
    return tuple(s // p for s, p in zip(shape, patch, strict=True))


def patchify(u: Float[Array, "b *space c"], patch: tuple[int, ...]) -> Float[Array, "b *tokens pc"]:
    """The points of a patch as channels, those of the last axis and their channels fastest."""
    b, *space, c = u.shape
    tokens, d = token_grid(tuple(space), patch), len(patch)
    u = u.reshape(b, *itertools.chain(*zip(tokens, patch, strict=True)), c)
    u = u.transpose(0, *range(1, 2 * d, 2), *range(2, 2 * d + 1, 2), 2 * d + 1)
    return u.reshape(b, *tokens, -1)


def unpatchify(x: Float[Array, "b *tokens pc"], patch: tuple[int, ...]) -> Float[Array, "b *space c"]:
    """The inverse of `patchify`."""
    b, *tokens, _ = x.shape
    d = len(patch)
    x = x.reshape(b, *tokens, *patch, -1)
    x = x.transpose(0, *itertools.chain(*zip(range(1, d + 1), range(d + 1, 2 * d + 1), strict=True)), 2 * d + 1)
    return x.reshape(b, *(t * p for t, p in zip(tokens, patch, strict=True)), -1)


class PatchEmbedding(nnx.Module):
    """Every patch as a token: W p + b, or W_2 sigma(W_1 p + b_1) + b_2 with a hidden layer.

    Args:
        in_channels: channels of the field.
        channels: of a token.
        patch: points along every axis.
        hidden: width of the hidden layer; None for none.
        non_linearity: sigma.
        rngs: random streams.
    """

    def __init__(
        self,
        in_channels: int,
        channels: int,
        patch: tuple[int, ...],
        *,
        hidden: int | None = None,
        non_linearity: Callable | None = None,
        rngs: nnx.Rngs,
    ) -> None:
        self.patch = patch
        size = in_channels * math.prod(patch)
        if hidden is None or non_linearity is None:
            self.proj = Linear(size, channels, rngs=rngs)
        else:
            self.proj = ChannelMLP(size, channels, hidden, non_linearity=non_linearity, rngs=rngs)

    def __call__(self, u: Float[Array, "b *space c"]) -> Float[Array, "b *tokens e"]:
        return self.proj(patchify(u, self.patch))


class PatchHead(nnx.Module):
    """Every token as a patch: W x without a bias, then the channels are put at their points.

    Args:
        channels: of a token.
        out_channels: channels of the field.
        patch: points along every axis.
        rngs: random streams.
    """

    def __init__(self, channels: int, out_channels: int, patch: tuple[int, ...], *, rngs: nnx.Rngs) -> None:
        self.patch = patch
        size = out_channels * math.prod(patch)
        self.proj = Linear(channels, size, bias=False, std=0.02, rngs=rngs)

    def __call__(self, x: Float[Array, "b *tokens e"]) -> Float[Array, "b *space c"]:
        return unpatchify(self.proj(x), self.patch)
