"""Classes of pictures from the tokens of an AFNO."""

from typing import Any

from flax import nnx
from jaxtyping import Array, Float

from .layers.afno_trunk import AFNOTrunk
from .layers.arguments import whole
from .layers.batches import flatten
from .layers.linear import Linear


class AFNOClassifier(nnx.Module):
    """Logits of a picture: tokens of an `AFNOTrunk`, normalised and averaged, through one linear layer.

    Args:
        in_channels: channels of the picture.
        num_classes: classes.
        rngs: random streams.
        **trunk_options: see `AFNONet`.

    Source: Guibas et al., Adaptive Fourier Neural Operators, 2022, their classifier.
    """

    def __init__(self, in_channels: int, num_classes: int, *, rngs: nnx.Rngs, **trunk_options: Any) -> None:
        self.trunk = AFNOTrunk(in_channels, rngs=rngs, **{"final_norm": True, **trunk_options})
        self.head = Linear(self.trunk.embed_dim, whole("num_classes", num_classes), std=0.02, rngs=rngs)

    def __call__(self, u: Float[Array, "*b_space c"]) -> Float[Array, "*b classes"]:
        """Logits [*b, num_classes] of pictures [*b, *space, in_channels]."""
        trunk = self.trunk
        x = trunk(flatten(u, trunk.ndim, trunk.in_channels))
        y = self.head(x.mean(tuple(range(1, trunk.ndim + 1))))
        return y.reshape(*u.shape[: -trunk.ndim - 1], -1)
