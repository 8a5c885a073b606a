"""One Fourier layer: spectral convolution, pointwise skip, channel MLP."""

from collections.abc import Callable, Sequence

from flax import nnx
from jaxtyping import Array, Float

from spectral.filters import resize

from .activations import gelu
from .channel_mlp import ChannelMLP
from .compat import NEURALOP2
from .norms import make_norm
from .ranks import Rank
from .skips import make_skip
from .spectral_conv import SpectralConv


class FNOBlock(nnx.Module):
    """u = sigma(norm(K x) + S x), then v = sigma(norm(MLP u + T x)); both skips start from the block's input.

    K is a spectral convolution, S and T are pointwise skips. Without the channel MLP the block ends after u, so there
    is one norm and one activation. The last block of an operator has no sigma outside its MLP.

    Args:
        channels: channel count, in and out.
        n_modes: modes per axis, both signs counted.
        activate: whether sigma is applied; False in the last block.
        non_linearity: sigma of the block; the MLP inside has the same.
        norm: "group_norm", "instance_norm" or None.
        norm_groups: groups of the group norm.
        use_channel_mlp: whether the second half is there.
        channel_mlp_expansion: hidden width of the MLP over its channels.
        channel_mlp_skip: T: "linear", "soft-gating", "identity" or None.
        fno_skip: S, likewise.
        compat: "neuralop2" applies the second norm and sigma also without the MLP, has a GELU inside the MLP whatever
            sigma is, and the library's window of modes (`mode_window`).
        factorization, rank, implementation, spectral_dtype: of the spectral weight, see `SpectralConv`.
        rngs: random streams.

    Source: neuraloperator's block (post-activation), with the differences that `compat` takes back.
    """

    def __init__(
        self,
        channels: int,
        n_modes: int | Sequence[int],
        *,
        activate: bool,
        non_linearity: Callable,
        norm: str | None = None,
        norm_groups: int = 1,
        use_channel_mlp: bool = True,
        channel_mlp_expansion: int | float = 0.5,
        channel_mlp_skip: str | None = "soft-gating",
        fno_skip: str | None = "linear",
        factorization: str | None = None,
        rank: Rank = 1.0,
        implementation: str = "auto",
        spectral_dtype: str = "f32",
        compat: str | None = None,
        rngs: nnx.Rngs,
    ) -> None:
        self.activate, self.non_linearity = activate, non_linearity
        self.conv = SpectralConv(
            channels,
            channels,
            n_modes,
            factorization=factorization,
            rank=rank,
            implementation=implementation,
            spectral_dtype=spectral_dtype,
            compat=compat,
            rngs=rngs,
        )
        self.norm = make_norm(norm, channels, norm_groups)
        self.fno_skip = make_skip(fno_skip, channels, channels, rngs=rngs)
        self.use_channel_mlp = use_channel_mlp
        if use_channel_mlp:
            hidden = round(channels * channel_mlp_expansion)
            inner = gelu if compat == NEURALOP2 else non_linearity
            self.channel_mlp = ChannelMLP(channels, channels, hidden, non_linearity=inner, rngs=rngs)
            self.channel_mlp_skip = make_skip(channel_mlp_skip, channels, channels, rngs=rngs)
        self.has_second_half = use_channel_mlp or compat == NEURALOP2
        if self.has_second_half:
            self.channel_mlp_norm = make_norm(norm, channels, norm_groups)

    def __call__(
        self, x: Float[Array, "b *space c"], output_shape: tuple[int, ...] | None = None
    ) -> Float[Array, "b *outspace c"]:
        y = self.conv(x, output_shape)
        if y.shape != x.shape:
            # The skips carry the input to the new grid as the trigonometric polynomial that the convolution sees.
            x = resize(x, y.shape[1:-1], axes=tuple(range(1, x.ndim - 1)))
        u = y if self.norm is None else self.norm(y)
        if self.fno_skip is not None:
            u = u + self.fno_skip(x)
        if self.activate:
            u = self.non_linearity(u)
        if not self.has_second_half:
            return u

        v = u
        if self.use_channel_mlp:
            v = self.channel_mlp(u)
            if self.channel_mlp_skip is not None:
                v = v + self.channel_mlp_skip(x)
        if self.channel_mlp_norm is not None:
            v = self.channel_mlp_norm(v)
        return self.non_linearity(v) if self.activate else v
