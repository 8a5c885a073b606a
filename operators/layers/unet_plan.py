"""Kernels of the U-Net of airfoil flows, whose seven levels have to fit any size of input."""

from collections.abc import Sequence
from typing import NamedTuple

# Channels of the levels over the base width.
WIDTHS = (1, 2, 2, 4, 8, 8, 8)


class Down(NamedTuple):
    """A convolution with stride 2: n -> (n + 2 padding - kernel) // 2 + 1."""

    kernel: int
    padding: int


class Up(NamedTuple):
    """Upsampling and a convolution with stride 1: n -> factor n + 2 padding - kernel + 1."""

    factor: int
    kernel: int
    padding: int


class Plan(NamedTuple):
    """What every level does along one axis.

    Args:
        down: seven convolutions, from the input to the deepest level.
        up: six, from the deepest level to the first.
        parallel: whether the two deepest levels both read the third deepest.
        odd: a point added behind by the last transposed convolution, which gives even sizes.
    """

    down: tuple[Down, ...]
    up: tuple[Up, ...]
    parallel: bool = False
    odd: int = 0


_HALVE, _DOUBLE, _STAY = Down(4, 1), Up(2, 3, 1), Up(1, 3, 1)
_TWO_BELOW = Down(2, 1), Down(2, 1)

# As published: they do not follow one rule.
PUBLISHED = {
    24: Plan(
        (*[_HALVE] * 3, Down(2, 2), Down(2, 2), Down(2, 3), Down(3, 0)),
        (Up(2, 1, 1), Up(1, 2, 0), _STAY, _STAY, _DOUBLE, _DOUBLE),
    ),
    64: Plan(
        (*[_HALVE] * 4, Down(2, 2), Down(2, 2), Down(2, 0)),
        (Up(2, 1, 0), Up(1, 1, 0), _STAY, _DOUBLE, _DOUBLE, _DOUBLE),
    ),
    100: Plan(
        (*[_HALVE] * 5, *_TWO_BELOW), (_STAY, Up(1, 2, 1), _DOUBLE, _DOUBLE, Up(2, 2, 1), _DOUBLE), parallel=True
    ),
    128: Plan((*[_HALVE] * 5, *_TWO_BELOW), (_STAY, Up(1, 2, 1), *[_DOUBLE] * 4), parallel=True),
}


def plan_unet(sizes: Sequence[int]) -> list[Plan]:
    """One plan for every axis: the published one of its size, or one that halves down to 2 or 3 points and stays there.

    Where the published plans of two axes differ in which level the deepest reads, all axes halve and stay.
    """
    plans = [PUBLISHED.get(size) or _regular(size) for size in sizes]
    if len({plan.parallel for plan in plans}) > 1:
        plans = [_regular(size) for size in sizes]
    return plans


def _regular(size: int) -> Plan:
    n, sizes = size, []
    down = []
    for level in range(len(WIDTHS)):
        # Stride 2 on a padded axis: kernel and padding for which 1, 2 and 3 points stay as many.
        step = _HALVE if n >= 4 or level == 0 else {1: Down(3, 1), 2: Down(2, 1), 3: Down(3, 2)}[n]
        n = (n + 2 * step.padding - step.kernel) // 2 + 1
        down.append(step)
        sizes.append(n)
    up = []
    for before, after in zip(sizes[:0:-1], sizes[-2::-1], strict=True):
        up.append({before: _STAY, 2 * before: _DOUBLE, 2 * before + 1: Up(2, 2, 1)}[after])
    return Plan(tuple(down), tuple(up), odd=size % 2)
