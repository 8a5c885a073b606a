"""The U-Net of airfoil flows."""

from collections.abc import Sequence

from flax import nnx
from jaxtyping import Array, Float

from .base import Operator
from .layers.arguments import points, random_streams, refusal, whole, whole_numbers
from .layers.batches import flatten
from .layers.resample import resample
from .layers.unet_levels import UNetLevels


class UNet(Operator):
    """A convolutional network that halves the grid level by level and comes back (`UNetLevels`).

    Its weights belong to one grid: a field on another one is carried there, and the output back, by the trigonometric
    interpolant. It is a baseline, not an operator: it learns neighbouring points, not functions.

    Args:
        in_channels: channels of the input.
        out_channels: channels of the output.
        hidden_channels: channels of the first level; eight times as many at the deepest.
        resolution: its grid, one to three axes, any sizes of at least 2.
        rngs: random streams.

    Raises:
        ValueError: for counts or a grid that make no network.

    Source: Thuerey, Weissenow, Prantl and Hu, "Deep Learning Methods for Reynolds-Averaged Navier-Stokes Simulations of
        Airfoil Flows", AIAA Journal 2020; sizes of the kernels at 24, 64, 100 and 128 points as in the published code
        of Transform Once (NeurIPS 2022), at others by one rule.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        hidden_channels: int,
        *,
        resolution: Sequence[int],
        rngs: nnx.Rngs,
    ) -> None:
        self.in_channels, self.out_channels = whole("in_channels", in_channels), whole("out_channels", out_channels)
        sizes = whole_numbers(resolution) or ()
        if not 1 <= len(sizes) <= 3 or min(sizes) < 2:
            wanted = "one to three whole numbers of at least 2"
            raise refusal("resolution", resolution, wanted, "give the grid of the data, such as resolution=(64, 64)")
        self.resolution, self.ndim = sizes, len(sizes)
        hidden_channels = whole("hidden_channels", hidden_channels)
        self.levels = UNetLevels(
            self.in_channels, self.out_channels, hidden_channels, sizes=sizes, rngs=random_streams(rngs)
        )

    def __call__(
        self, u: Float[Array, "*b_space ci"], output_shape: tuple[int, ...] | None = None
    ) -> Float[Array, "*b_outspace co"]:
        """Apply the network; see `Operator.__call__`."""
        x = flatten(u, self.ndim, self.in_channels)
        batch, shape = u.shape[: -self.ndim - 1], x.shape[1:-1]
        target = shape if output_shape is None else points("output_shape", output_shape, self.ndim)
        # By way of the input's grid, so that outputs on two grids are samples of one function.
        v = resample(resample(self.levels(resample(x, self.resolution)), shape), target)
        return v.reshape(*batch, *v.shape[1:])

    def check_grid(self, shape: tuple[int, ...]) -> None:
        """Refuse to train on another grid than its own.

        Raises:
            ValueError: names the grid.
        """
        if points("shape", shape, self.ndim) != self.resolution:
            fix = f"set resolution={list(shape)}"
            raise refusal("resolution", self.resolution, f"the grid of the data, {shape}", fix)
