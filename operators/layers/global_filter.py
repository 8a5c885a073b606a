"""The token mixer of global filter networks: a product with one number per mode and channel."""

import math
from collections.abc import Sequence

from flax import nnx
from jaxtyping import Array, Float

from spectral.transforms import forward_planes, inverse_planes

from . import pairs
from .arguments import points, random_streams, whole
from .modes import mode_window, stored_modes
from .weights import make_weight


class GlobalFilter(nnx.Module):
    """v = F^-1[ w F[x] ] with one complex number w for every mode and channel of a grid; no bias and no skip.

    Args:
        channels: channel count, in and out.
        grid: points per axis that w has the modes of.
        rngs: random streams.

    Raises:
        ValueError: for what is no grid of one to three axes.

    Accuracy:
        On another grid every mode meets the weight of its signed frequency, and those without a weight are dropped.
        Where the code of the paper interpolates w as a picture in NumPy's order, it mixes the two signs.

    Source: Rao et al., Global Filter Networks for Image Classification, 2021; w starts as 0.02 N(0, 1) per part.
    """

    def __init__(self, channels: int, grid: Sequence[int], *, rngs: nnx.Rngs) -> None:
        self.channels, self.grid = whole("channels", channels), points("grid", grid, len(tuple(grid)))
        std = 0.02 * math.sqrt(2)
        self.weight = make_weight(
            None,
            channels,
            channels,
            stored_modes(self.grid),
            rank=1.0,
            std=std,
            separable=True,
            rngs=random_streams(rngs),
        )

    def __call__(self, x: Float[Array, "b *space c"]) -> Float[Array, "b *space c"]:
        axes = tuple(range(1, len(self.grid) + 1))
        z = pairs.modes_first(*forward_planes(x, self.grid, axes=axes))
        y = self.weight.mix(z, mode_window(self.weight.modes, z.shape[: len(axes)]))
        return inverse_planes(*pairs.batch_first(y), x.shape[1:-1], axes=axes).astype(x.dtype)
