"""What the numbers of a generator have to be, checked when it is made; fields are named as in its dataclass."""

import math
import numbers
import operator
from collections.abc import Callable
from typing import Any


def check_shape(generator: Any, axes: int | None = None, least: int = 3) -> None:
    """Makes `shape` a tuple of whole numbers.

    Raises:
        ValueError: for anything else, fewer than `least` points a side, or another number of axes than `axes` (None:
            one to three).
    """
    example = (64,) * (axes or 2)
    wanted = f"wanted {axes or '1 to 3'} whole number{'s' * (axes != 1)} of points, {least} or more, such as {example}"
    try:
        shape = tuple(operator.index(n) for n in generator.shape)
    except TypeError as error:
        raise ValueError(f"shape: got {generator.shape!r}, {wanted}") from error
    if not 1 <= len(shape) <= 3 or len(shape) != (axes or len(shape)) or min(shape) < least:
        raise ValueError(f"shape: got {shape}, {wanted}")
    object.__setattr__(generator, "shape", shape)


def check_positive(generator: Any, *names: str) -> None:
    """Raises ValueError unless all are finite and above zero."""
    _check(generator, names, lambda value: is_number(value) and value > 0, "positive numbers")


def check_not_negative(generator: Any, *names: str) -> None:
    """Raises ValueError unless all are finite and at least zero."""
    _check(generator, names, lambda value: is_number(value) and value >= 0, "numbers >= 0")


def check_whole(generator: Any, *names: str) -> None:
    """Raises ValueError unless all are whole numbers above zero."""

    def whole(value: Any) -> bool:
        return is_number(value) and isinstance(value, numbers.Integral) and int(value) > 0

    _check(generator, names, whole, "whole numbers, at least 1")


def is_number(value: Any) -> bool:
    """Whether it is a finite real number; True and False are none."""
    return isinstance(value, numbers.Real) and not isinstance(value, bool) and math.isfinite(value)


def _check(generator: Any, names: tuple[str, ...], good: Callable[[Any], bool], wanted: str) -> None:
    bad = {name: getattr(generator, name) for name in names if not good(getattr(generator, name))}
    if bad:
        raise ValueError(f"{', '.join(bad)}: got {', '.join(map(repr, bad.values()))}, wanted {wanted}")
