"""What constructors accept; everything else is refused as "name: got X, wanted Y; what to do"."""

import difflib
import inspect
import math
import operator
from collections.abc import Callable, Iterable, Mapping, Set
from numbers import Real
from typing import Any, TypeGuard

import numpy as np
from flax import nnx

# Keywords of layers that an operator sets itself.
_INTERNAL = {"activate", "own_weight", "out_channels", "rngs"}


def refusal(name: str, value: object, wanted: str, fix: str) -> ValueError:
    """The error for an argument, to be raised."""
    return ValueError(f"{name}: got {value!r}, wanted {wanted}; {fix}")


def whole(name: str, value: Any, least: int = 1) -> int:
    """A whole number that is not too small; True is none."""
    found = whole_number(value)
    if found is None or found < least:
        raise refusal(name, value, f"a whole number of at least {least}", f"such as {name}={max(least, 2)}")
    return found


def number(name: str, value: Any, least: float = 0.0) -> float:
    """A finite number that is not too small."""
    if not is_number(value) or not least <= value < math.inf:
        raise refusal(name, value, f"a finite number of at least {least:g}", f"such as {name}={max(least, 1.0):g}")
    return float(value)


def flag(name: str, value: Any) -> bool:
    """True or False: texts, such as "no", would all be true."""
    if not isinstance(value, bool | np.bool_):
        raise refusal(name, value, "True or False", "give the boolean itself, not a text or a number")
    return bool(value)


def choice(name: str, value: Any, names: Iterable[str | None], fix: str = "choose one of them") -> Any:
    """One of a few names, None being one where it is listed."""
    names = tuple(names)
    if not (value is None or isinstance(value, str)) or value not in names:
        listed = ", ".join("None" if n is None else f'"{n}"' for n in names)
        raise refusal(name, value, f"one of {listed}", fix)
    return value


def entries(name: str, value: Any, n_layers: int) -> tuple[Any, ...]:
    """A list with one entry for every block."""
    found = items(value)
    if found is None or len(found) != n_layers:
        wanted = f"a list of n_layers={n_layers} entries, one for every block"
        raise refusal(name, value, wanted, f"change {name} or n_layers")
    return found


def shares(name: str, value: Any, ndim: int, below: float = math.inf) -> tuple[float, ...]:
    """One non-negative share of an axis for all of them, or one per axis."""
    found = numbers(value, ndim)
    if found is None or not all(0 <= share < below for share in found):
        bound = "" if below == math.inf else f" below {below:g}"
        wanted = f"one finite non-negative share of the axis{bound}, or a list of {ndim}, one per axis"
        raise refusal(name, value, wanted, f"such as {name}=0.125")
    return found


def width(name: str, ratio: Any, channels: int, rounded: Callable[[float], int] = int) -> int:
    """Channels of a hidden layer that has so many times the given ones."""
    found = rounded(number(name, ratio) * channels)
    if found < 1:
        wanted = f"a ratio that leaves a channel of {channels}"
        raise refusal(name, ratio, wanted, f"raise it to {1 / channels:g} or more, or widen the operator")
    return found


def points(name: str, value: Any, ndim: int) -> tuple[int, ...]:
    """The shape of a grid."""
    found = whole_numbers(value) if isinstance(value, Iterable) else None
    if found is None or len(found) != ndim or min(found) < 1:
        wanted = f"a tuple of {ndim} positive whole numbers, one per axis"
        raise refusal(name, value, wanted, f"such as {name}={(32,) * ndim}")
    return found


def random_streams(rngs: Any) -> nnx.Rngs:
    """The random streams of a constructor."""
    if not isinstance(rngs, nnx.Rngs):
        raise refusal("rngs", rngs, "random streams", "give rngs=nnx.Rngs(0)")
    return rngs


def known(owner: type, options: Mapping[str, Any], *takers: type) -> None:
    """Refuse options that neither a class nor those that it hands them to have."""
    own, *others = (inspect.signature(taker.__init__).parameters.values() for taker in (owner, *takers))
    theirs = {p.name for parameters in (own, *others) for p in parameters if p.kind is p.KEYWORD_ONLY} - _INTERNAL
    for name in sorted(options.keys() - theirs):
        names = sorted(theirs | {p.name for p in own if p.kind is p.POSITIONAL_OR_KEYWORD} - {"self"})
        close = " or ".join(difflib.get_close_matches(name, names))
        fix = f"did you mean {close}?" if close else f"it has {', '.join(names)}"
        raise refusal(name, options[name], f"an option of {owner.__name__}", fix)


def is_number(value: Any) -> TypeGuard[float]:
    """Whether a value is a real number, of Python or NumPy; True and False are none."""
    return isinstance(value, Real) and not isinstance(value, bool)


def whole_number(value: Any) -> int | None:
    """A whole number of any library; None for anything else: nothing is rounded, and True is no number."""
    try:
        return None if isinstance(value, bool | np.bool_) else operator.index(value)
    except TypeError:
        return None


def items(value: object) -> tuple[Any, ...] | None:
    """The entries of a list; None for a text, a mapping, and what has no order."""
    if not isinstance(value, Iterable) or isinstance(value, str | Mapping | Set):
        return None
    try:
        return tuple(value)
    except TypeError:  # an array without axes
        return None


def numbers(value: Any, count: int) -> tuple[float, ...] | None:
    """One number for all or a list of `count`, as `count` floats; None for anything else."""
    found = (value,) * count if is_number(value) else items(value)
    if found is None or len(found) != count or not all(map(is_number, found)):
        return None
    return tuple(map(float, found))


def whole_numbers(values: object) -> tuple[int, ...] | None:
    """One whole number or a list of them, as a tuple; None for anything else."""
    one = whole_number(values)
    found = [whole_number(value) for value in items(values) or ()] if one is None else [one]
    kept = tuple(value for value in found if value is not None)
    return kept if kept and len(kept) == len(found) else None
