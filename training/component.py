"""What the components of a config have in common: how they are refused."""

import contextlib
from collections.abc import Iterator, Mapping
from typing import Any

from flax.errors import TraceContextError

from data.instantiate import TargetError

# What a constructor, or a first call in the abstract, runs into where a value is not what it was written for.
_REFUSALS = (
    TypeError,
    ValueError,
    AttributeError,
    ArithmeticError,
    LookupError,
    NotImplementedError,  # JAX, for a derivative that a layer has not
    TraceContextError,
)


@contextlib.contextmanager
def named(group: str, component: Mapping[str, Any], fix: str = "") -> Iterator[None]:
    """Whatever a component runs into, as one error: group, reason, what to change, and last what was got.

    Raises:
        ValueError: for everything but names that may not be built, which speak for themselves.
    """
    try:
        yield
    except _REFUSALS as error:
        if not isinstance(error, TargetError):
            reason, got = error, f"got {dict(component)}"
        elif error.__cause__ is None:
            raise
        else:  # the arguments, or the signature, after the reason; what refuses a value names it
            reason = error.__cause__
            got = str(error) if isinstance(reason, TypeError) else f"in {component['_target_']}"
        kind = "" if isinstance(reason, ValueError) else f"{type(reason).__name__}: "
        raise ValueError("; ".join(filter(None, (f"{group}: {kind}{reason}", fix, got)))) from error


def refuse_keys(group: str, component: Mapping[str, Any], keys: Mapping[str, str]) -> None:
    """Refuse what the run sets itself: a value in the config would be ignored.

    Args:
        group: of the config.
        component: its keys.
        keys: name -> where the run takes it from.

    Raises:
        ValueError: names the key.
    """
    for key in sorted(set(component) & set(keys)):
        raise ValueError(f"{group}.{key}: got {component[key]!r}, wanted none: it comes from {keys[key]}; remove it")


def check(name: str, value: object, sound: bool, wanted: str) -> None:
    """Raises ValueError unless the value is sound."""
    if not sound:
        raise ValueError(f"{name}: got {value!r}, wanted {wanted}")
