"""A residual block in k-space."""

import math

from flax import nnx
from jaxtyping import Array, Float

from .activations import gelu
from .mode_mixing import AxisMixing, ModeMixing
from .selection import Selection

# 1 / sqrt(E gelu(x)^2) for standard normal x: with it a linear map after the activation keeps the variance.
GELU_GAIN = 1 / math.sqrt(0.4251)


class MixerBlock(nnx.Module):
    """z -> z + s A_d .. A_1 gelu(W z): the channels of every mode, then the modes along one axis after the other.

    The activation acts on every real number, so on real and imaginary parts by themselves.

    Args:
        channels: channels.
        selection: the modes; weights W are those of the modes in its list, and the axes are those of its box.
        parts: 1 for real coefficients, 2 for complex ones.
        std: of W.
        gain: factor on the standard deviation 1/sqrt(m) of A_1.
        residual_scale: s.
        rngs: random streams.
    """

    def __init__(
        self,
        channels: int,
        selection: Selection,
        *,
        parts: int,
        std: float,
        gain: float,
        residual_scale: float,
        rngs: nnx.Rngs,
    ) -> None:
        box, kept = selection.box, selection.kept
        self.residual_scale = residual_scale
        self.modes = ModeMixing(kept, channels, parts=parts, std=std, rngs=rngs)
        # Of the modes of the box only the kept ones carry something into the first of the axes.
        gains = [gain * math.sqrt(math.prod(box) / kept), *[1.0] * (len(box) - 1)]
        self.axes = nnx.List(
            [
                AxisMixing(axis, m, channels, parts=parts, std=g / math.sqrt(m), rngs=rngs)
                for axis, (m, g) in enumerate(zip(box, gains, strict=True))
            ]
        )

    def __call__(self, z: Float[Array, "k b p c"], selection: Selection) -> Float[Array, "k b p c"]:
        v = selection.scatter(gelu(self.modes(z)))
        for mix in self.axes:
            v = mix(v)
        return z + self.residual_scale * selection.gather(v)
