"""Multi-layer perceptron over the channels of every point."""

import itertools
from collections.abc import Callable

from flax import nnx
from jaxtyping import Array, Float

from .activations import gelu
from .arguments import whole
from .linear import Linear


class ChannelMLP(nnx.Module):
    """x -> W_2 sigma(W_1 x + b_1) + b_2 at every point.

    Args:
        in_channels: channels in.
        out_channels: channels out.
        hidden_channels: width of the hidden layer.
        non_linearity: sigma.
        weight_norm: of both linear layers, see `Linear`.
        std: likewise.
        rngs: random streams.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        hidden_channels: int,
        *,
        non_linearity: Callable = gelu,
        weight_norm: bool = False,
        std: float | None = None,
        rngs: nnx.Rngs,
    ) -> None:
        self.non_linearity = non_linearity
        widths = (in_channels, whole("hidden_channels", hidden_channels), out_channels)
        of_layer = {"weight_norm": weight_norm, "std": std, "rngs": rngs}
        self.fcs = nnx.List([Linear(i, o, **of_layer) for i, o in itertools.pairwise(widths)])

    def __call__(self, x: Float[Array, "*b i"]) -> Float[Array, "*b o"]:
        first, second = self.fcs
        return second(self.non_linearity(first(x)))
