"""The one interface of every neural operator."""

import abc

from flax import nnx
from jaxtyping import Array, Inexact

from .layers.arguments import points
from .layers.modes import check_modes


class Operator(nnx.Module):
    """A learned map between functions sampled on equispaced grids; channels are the last axis.

    Concrete classes are final: they build on others by owning them, not by inheriting from them.

    Attributes:
        in_channels: channels of the input function.
        out_channels: channels of the output function.
        ndim: number of spatial axes.
    """

    in_channels: int
    out_channels: int
    ndim: int

    @abc.abstractmethod
    def __call__(
        self, u: Inexact[Array, "*b_space ci"], output_shape: tuple[int, ...] | None = None
    ) -> Inexact[Array, "*b_outspace co"]:
        """Apply the operator.

        Args:
            u: samples of the input, [*b, *space, in_channels], any number of leading axes (also none).
            output_shape: grid of the output, by default that of the input.

        Returns:
            Samples of the output, [*b, *output_shape, out_channels].
        """

    def check_grid(self, shape: tuple[int, ...]) -> None:
        """Refuse to *train* on a grid where a layer's input or output cannot hold its modes.

        Raises:
            ValueError: see `layers.modes.check_modes`; and for a shape of another number of axes.
        """
        shape = points("shape", shape, self.ndim)
        for name, n_modes, grid in self.mode_grids(shape):
            check_modes(n_modes, grid, name=name)

    def mode_grids(self, shape: tuple[int, ...]) -> list[tuple[str, tuple[int, ...], tuple[int, ...]]]:
        """Counts of modes by the name of their argument, each with a grid that has to hold them.

        Here the operator's `n_modes`, if it has any, on the grid of the input with the operator's `padding`.

        Args:
            shape: grid of the input.
        """
        n_modes, padding = getattr(self, "n_modes", None), getattr(self, "padding", None)
        if n_modes is None:
            return []
        return [("n_modes", n_modes, shape if padding is None else padding.padded_shape(shape))]
