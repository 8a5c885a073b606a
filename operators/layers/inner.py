"""Operators that others are made of."""

from collections.abc import Callable
from typing import Any

from ..base import Operator
from .arguments import refusal


def make_inner(name: str, make: Callable[..., Operator], **arguments: Any) -> Operator:
    """The operator that a constructor's argument makes.

    Raises:
        ValueError: for what takes other arguments, or makes no operator.
    """
    fix = "such as functools.partial(TFNO, (16, 16), hidden_channels=32)"
    wanted = "a function of in_channels, out_channels and rngs that makes an operator"
    try:
        made = make(**arguments)
    except TypeError as error:
        raise refusal(name, make, f"{wanted} ({error})", fix) from error
    if not isinstance(made, Operator):
        raise refusal(name, make, f"{wanted}, not of class {type(made).__name__}", fix)
    return made
