"""One Fourier layer: spectral convolution, pointwise skip, channel MLP."""

from collections.abc import Callable, Sequence
from typing import Any

import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float, Inexact

from .activations import gelu
from .arguments import choice, flag, number, whole, width
from .channel_mlp import ChannelMLP
from .complex_valued import componentwise, of_data
from .norms import make_norm
from .resample import resample
from .skips import SKIPS, make_skip
from .spectral_conv import SpectralConv
from .weights import SpectralWeight


class FNOBlock(nnx.Module):
    """u = sigma(norm(K x) + S x), then v = sigma(norm(MLP u + T x)); both skips start from the block's input.

    K is a spectral convolution, S and T are pointwise skips. Without the channel MLP the block ends after u, so there
    is one norm and one activation. The last block of an operator has no sigma outside its MLP.

    With pre-activation x' = norm(sigma(x)) comes first, then u = norm(sigma(K x' + S x')) and v = MLP u + T x'; the
    last block has no sigma in the middle. Without the channel MLP it ends after K x' + S x'.

    Args:
        channels: channel count, in and (without out_channels) out.
        n_modes: modes per axis, both signs counted.
        out_channels: channel count of u and v, where it is another one; skips that mix nothing keep the channels.
        activate: whether sigma is applied; False in the last block.
        non_linearity: sigma of the block; the MLP inside has the same.
        preactivation: whether norm and sigma come before the convolution.
        stabilizer: "tanh" bounds what the convolution sees; the skips see x itself. None does not.
        norm: "group_norm", "instance_norm", "batch_norm", "ada_in" or None, see `layers.norms`.
        norm_groups: groups of the group norm.
        ada_in_features: size of the embedding of the adaptive instance norm.
        use_channel_mlp: whether the second half is there.
        channel_mlp_expansion: hidden width of the MLP over its channels.
        channel_mlp_skip: T: "linear", "soft-gating", "identity" or None.
        fno_skip: S, likewise.
        complex_data: x is complex: pointwise layers and norms become `ComplexValued`, sigma and tanh act on Re and Im.
        compat: "neuralop2" or "neuralop2-release" has the second norm and sigma also without the MLP, a GELU inside it
            whatever sigma is, and the library's modes and change of grid (`SpectralConv`, `by_position`).
        rngs: random streams.
        **convolution: every other option of `SpectralConv`.

    Raises:
        ValueError: for names that do not exist, and numbers without the option that they belong to.

    Source: neuraloperator's block, with the differences that `compat` takes back.
    """

    def __init__(
        self,
        channels: int,
        n_modes: int | Sequence[int],
        *,
        out_channels: int | None = None,
        activate: bool,
        non_linearity: Callable,
        preactivation: bool = False,
        stabilizer: str | None = None,
        norm: str | None = None,
        norm_groups: int = 1,
        ada_in_features: int | None = None,
        use_channel_mlp: bool = True,
        channel_mlp_expansion: int | float = 0.5,
        channel_mlp_skip: str | None = "soft-gating",
        fno_skip: str | None = "linear",
        complex_data: bool = False,
        compat: str | None = None,
        rngs: nnx.Rngs,
        **convolution: Any,
    ) -> None:
        self.activate, self.non_linearity = flag("activate", activate), non_linearity
        self.preactivation = flag("preactivation", preactivation)
        self.stabilizer = choice("stabilizer", stabilizer, ("tanh", None))
        self.use_channel_mlp = flag("use_channel_mlp", use_channel_mlp)
        # Also where there is no MLP to use them.
        number("channel_mlp_expansion", channel_mlp_expansion)
        choice("channel_mlp_skip", channel_mlp_skip, SKIPS)
        self.adaptive = norm == "ada_in"
        channels = whole("channels", channels)
        out_channels = channels if out_channels is None else whole("out_channels", out_channels)
        self.compat = compat
        self.conv = SpectralConv(
            channels, out_channels, n_modes, complex_data=complex_data, compat=compat, rngs=rngs, **convolution
        )

        def layer(make: Callable, *args: Any, **options: Any) -> Any:
            return of_data(make(*args, **options, rngs=rngs), complex_data)

        of_norm = {"groups": norm_groups, "features": ada_in_features}
        self.norm = layer(make_norm, norm, channels if preactivation else out_channels, **of_norm)
        self.fno_skip = layer(make_skip, fno_skip, channels, out_channels, name="fno_skip")
        if use_channel_mlp:
            hidden = width("channel_mlp_expansion", channel_mlp_expansion, out_channels, round)
            inner = gelu if compat else non_linearity
            self.channel_mlp = layer(ChannelMLP, out_channels, out_channels, hidden, non_linearity=inner)
            self.channel_mlp_skip = layer(make_skip, channel_mlp_skip, channels, out_channels, name="channel_mlp_skip")
        self.has_second_half = use_channel_mlp or compat is not None
        if self.has_second_half:
            self.channel_mlp_norm = layer(make_norm, norm, out_channels, **of_norm)

    def __call__(
        self,
        x: Inexact[Array, "b *space c"],
        output_shape: tuple[int, ...] | None = None,
        embedding: Float[Array, "*b e"] | None = None,
        weight: SpectralWeight | None = None,
    ) -> Inexact[Array, "b *outspace co"]:
        """Apply the block.

        Args:
            x: samples [b, *space, c].
            output_shape: grid of the output, by default that of the input.
            embedding: [e] or [b, e], for the adaptive instance norm.
            weight: of the convolution, where it has none of its own.
        """
        if self.preactivation:
            x = self._normalise(self.norm, self._sigma(x), embedding)
        y = self.conv(componentwise(jnp.tanh, x) if self.stabilizer else x, output_shape, weight)
        x = resample(x, y.shape[1:-1], self.compat)
        u = y if self.preactivation else self._normalise(self.norm, y, embedding)
        if self.fno_skip is not None:
            u = u + self.fno_skip(x)
        if not self.has_second_half and self.preactivation:
            return u
        if self.activate:
            u = self._sigma(u)
        return self._second_half(u, x, embedding) if self.has_second_half else u

    def _second_half(
        self, u: Inexact[Array, "b *space c"], x: Inexact[Array, "b *space ci"], embedding: Float[Array, "*b e"] | None
    ) -> Inexact[Array, "b *space c"]:
        v = self._normalise(self.channel_mlp_norm, u, embedding) if self.preactivation else u
        if self.use_channel_mlp:
            v = self.channel_mlp(v)
            if self.channel_mlp_skip is not None:
                v = v + self.channel_mlp_skip(x)
        if self.preactivation:
            return v
        v = self._normalise(self.channel_mlp_norm, v, embedding)
        return self._sigma(v) if self.activate else v

    def _sigma(self, x: Inexact[Array, "b *space c"]) -> Inexact[Array, "b *space c"]:
        return componentwise(self.non_linearity, x)

    def _normalise(
        self, norm: nnx.Module | None, x: Inexact[Array, "b *space c"], embedding: Float[Array, "*b e"] | None
    ) -> Inexact[Array, "b *space c"]:
        if norm is None:
            return x
        return norm(x, embedding) if self.adaptive else norm(x)
