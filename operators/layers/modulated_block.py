"""An AFNO block whose hidden layers are scaled and shifted by an embedding."""

from flax import nnx
from jaxtyping import Array, Float

from .activations import gelu
from .afno_block import token_norm
from .afno_mixer import AFNOMixer
from .arguments import flag, width
from .linear import Linear
from .scale_shift import ScaleShift


class ModulatedBlock(nnx.Module):
    """An `AFNOBlock` in which z -> z (1 + s) + t comes before the activation of the mixer and of the MLP.

    Args:
        channels: channel count, in and out.
        mixer: the AFNO mixer.
        features: of the embedding that s and t depend on.
        mlp_ratio: hidden width of the MLP over the channels.
        double_skip: see `AFNOBlock`.
        pair: whether s and t of the mixer are complex.
        rngs: random streams.

    Source: Leinonen et al., Modulated AFNO, 2024, and PhysicsNeMo's `ModAFNO`.
    """

    def __init__(
        self,
        channels: int,
        mixer: AFNOMixer,
        features: int,
        *,
        mlp_ratio: int | float,
        double_skip: bool,
        pair: bool,
        rngs: nnx.Rngs,
    ) -> None:
        self.double_skip = flag("double_skip", double_skip)
        hidden = width("mlp_ratio", mlp_ratio, channels)
        self.norm1, self.norm2 = token_norm("layer_norm", channels), token_norm("layer_norm", channels)
        self.mixer = mixer
        self.of_mixer = ScaleShift(features, mixer.num_blocks * mixer.w1.shape[-1], pair=pair, rngs=rngs)
        self.fc1, self.fc2 = (Linear(i, o, std=0.02, rngs=rngs) for i, o in ((channels, hidden), (hidden, channels)))
        self.of_mlp = ScaleShift(features, hidden, rngs=rngs)

    def __call__(self, x: Float[Array, "b *space c"], e: Float[Array, "b e"]) -> Float[Array, "b *space c"]:
        h = self.mixer(self.norm1(x), self.of_mixer(e))  # pyright: ignore[reportCallIssue]
        if self.double_skip:
            x = h = h + x
        z = self.fc1(self.norm2(h))  # pyright: ignore[reportCallIssue]
        scale, shift = (a.reshape(len(a), *[1] * (z.ndim - 2), -1) for a in self.of_mlp(e))
        return self.fc2(gelu(z * scale + shift)) + x
