"""The grids that a function passes through on its way through an operator."""

import dataclasses
import itertools

from jaxtyping import Array, Inexact

from .arguments import points
from .padding import DomainPadding
from .scaling import Factors, product, scaled

Shape = tuple[int, ...]


@dataclasses.dataclass(frozen=True)
class GridPlan:
    """The grids of an operator's layers.

    Args:
        entry: grid of the first layer's input, with padding.
        inner: grid after every layer, with padding.
        begin: first point of the output on the last of them.
        output: grid of the output, without padding.
    """

    entry: Shape
    inner: tuple[Shape, ...]
    begin: Shape
    output: Shape

    def crop(self, x: Inexact[Array, "b *space c"]) -> Inexact[Array, "b *outspace c"]:
        """The part without padding of the last layer's output."""
        if x.shape[1:-1] == self.output:
            return x
        within = [slice(begin, begin + n) for begin, n in zip(self.begin, self.output, strict=True)]
        return x[(slice(None), *within)]

    def of_layer(self, layer: int) -> tuple[Shape, Shape]:
        """Grids of a layer's input and output."""
        return (self.entry, *self.inner)[layer], self.inner[layer]


def plan_grids(
    shape: Shape, factors: Factors, padding: DomainPadding | None = None, output_shape: Shape | None = None
) -> GridPlan:
    """Every grid in proportion to the input's: by the product of the factors so far.

    Rounding does not add up, so that layers at one scale have one grid, and a product of 1 leads back to the input's.
    A padded function keeps its place: padding is carried in the same proportion.

    Args:
        shape: grid of the input.
        factors: of every layer and axis.
        padding: zeros around the input of the first layer.
        output_shape: grid of the output, where another one is wanted than follows from the factors.

    Raises:
        ValueError: where a layer would be left without a point, and for an output shape that is no grid of these axes.
    """
    grids = [scaled(shape, product(factors[: layer + 1])) for layer in range(len(factors))]
    if output_shape is not None:
        grids[-1] = points("output_shape", output_shape, len(shape))
    if padding is None:
        return GridPlan(shape, tuple(grids), (0,) * len(shape), grids[-1])
    inner = tuple(padding.carried(shape, grid) for grid in grids)
    return GridPlan(padding.padded_shape(shape), inner, padding.begin(shape, grids[-1]), grids[-1])


def plan_grids_in_turn(
    shape: Shape,
    factors: Factors,
    padding: DomainPadding | None = None,
    output_shape: Shape | None = None,
    *,
    end_to_end: bool = False,
) -> GridPlan:
    """The grids of the PyTorch library: every layer rounds anew, on the padded grid, and so does what is cut off.

    Args:
        shape: grid of the input.
        factors: of every layer and axis.
        padding: zeros around the input of the first layer.
        output_shape: as in `plan_grids`, whose rule then holds for what is cut off: the library has none.
        end_to_end: whether the last layer has the grid of all factors together.

    Raises:
        ValueError: where a layer would be left without a point.
    """
    whole = product(factors)
    entry = shape if padding is None else padding.padded_shape(shape)
    inner = list(itertools.accumulate(factors, scaled, initial=entry))[1:]
    if end_to_end:
        inner[-1] = scaled(entry, whole)
    if output_shape is not None:
        last = plan_grids(shape, factors, padding, output_shape)
        return GridPlan(entry, (*inner[:-1], last.inner[-1]), last.begin, last.output)
    widths = [(0, 0)] * len(shape) if padding is None else padding.widths(shape)
    cut = [(round(f * before), round(f * after)) for f, (before, after) in zip(whole, widths, strict=True)]
    output = tuple(n - before - after for n, (before, after) in zip(inner[-1], cut, strict=True))
    return GridPlan(entry, tuple(inner), tuple(before for before, _ in cut), output)
