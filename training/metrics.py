"""What an evaluation reports, as per-sample functions of physical fields."""

from collections.abc import Callable

from jaxtyping import Array

from .losses import RelativeH1, RelativeL2

Metric = Callable[[Array, Array], Array]


def standard_metrics(extent: tuple[float, ...], periodic: bool = True) -> dict[str, Metric]:
    """Relative L2 and H1 errors on a box with the given side lengths: name -> function of [*b, *space, c] pairs.

    Without side lengths, on a cloud of points ([*b, n, c]), relative L2 alone: neighbours there are none.
    """
    if not extent:
        return {"rel_l2": RelativeL2((1.0,))}
    return {"rel_l2": RelativeL2(extent, periodic), "rel_h1": RelativeH1(extent, periodic)}
