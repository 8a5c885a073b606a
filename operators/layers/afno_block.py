"""One block of an AFNO: a token mixer, then an MLP over the channels."""

from collections.abc import Callable

from flax import nnx
from jaxtyping import Array, Float

from .activations import gelu
from .arguments import choice, flag, refusal, width
from .channel_mlp import ChannelMLP
from .norms import GroupNorm, LayerNorm

NORMS = ("layer_norm", "group_norm")


class AFNOBlock(nnx.Module):
    """h = M(norm x), then v = f MLP(norm h) + x; with the double skip h = M(norm x) + x and v = f MLP(norm h) + h.

    f is 1, or what the call is given (`DropPath`): the published code drops the MLP alone.

    The mixer M of an AFNO has a skip of its own, so that with the double skip h = x + norm x + (what M adds): mixer
    weights of zero do not make the block an identity.

    Args:
        channels: channel count, in and out.
        mixer: M.
        mlp_ratio: hidden width of the MLP over the channels.
        double_skip: see the equation.
        norm: "layer_norm" over the channels of a token, or "group_norm" over 8 groups of channels and space.
        non_linearity: of the MLP.
        rngs: random streams.

    Raises:
        ValueError: for another norm, or groups that do not divide the channels.

    Source: Guibas et al., Adaptive Fourier Neural Operators, 2022, and FourCastNet; "group_norm" is that of DPOT.
    """

    def __init__(
        self,
        channels: int,
        mixer: nnx.Module,
        *,
        mlp_ratio: int | float = 4,
        double_skip: bool = True,
        norm: str = "layer_norm",
        non_linearity: Callable = gelu,
        rngs: nnx.Rngs,
    ) -> None:
        self.double_skip = flag("double_skip", double_skip)
        self.norm1, self.norm2 = token_norm(norm, channels), token_norm(norm, channels)
        self.mixer = mixer
        hidden = width("mlp_ratio", mlp_ratio, channels)
        self.mlp = ChannelMLP(channels, channels, hidden, non_linearity=non_linearity, std=0.02, rngs=rngs)

    def __call__(
        self, x: Float[Array, "b *space c"], factor: Float[Array, "b"] | None = None
    ) -> Float[Array, "b *space c"]:
        h = self.mixer(self.norm1(x))  # pyright: ignore[reportCallIssue]
        if self.double_skip:
            x = h = h + x
        branch = self.mlp(self.norm2(h))
        if factor is not None:
            branch = branch * factor.astype(branch.dtype).reshape(-1, *[1] * (branch.ndim - 1))
        return branch + x


def token_norm(kind: str, channels: int) -> nnx.Module:
    """A norm of tokens by its name.

    Raises:
        ValueError: for another name, or channels that do not make 8 groups.
    """
    if choice("norm", kind, NORMS) == "layer_norm":
        return LayerNorm(channels, eps=1e-6)
    if channels % 8:
        raise refusal(
            "norm", kind, f"a norm for {channels} channels: this one takes a multiple of 8", 'or "layer_norm"'
        )
    return GroupNorm(channels, 8)
