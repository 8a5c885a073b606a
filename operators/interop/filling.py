"""Parameters from arrays: all of them, or none if one does not fit."""

from collections.abc import Callable, Mapping

import jax.numpy as jnp
import numpy as np
from jax.typing import DTypeLike

from .layout import Entry


def fill(
    wanted: Mapping[str, Entry],
    arrays: Mapping[str, np.ndarray],
    advice: Callable[[], str],
    *,
    dtype: DTypeLike | None = None,
) -> None:
    """Set parameters from the arrays of the same names.

    Args:
        wanted: what the operator has.
        arrays: what there is, in its own layout.
        advice: what to change, for the error.
        dtype: of the parameters; by default the one they have.

    Raises:
        ValueError: for missing or superfluous names and wrong shapes, all listed; nothing is set then.
    """
    problems = [line for name in [*wanted, *(arrays.keys() - wanted)] if (line := _problem(name, arrays, wanted))]
    if problems:
        raise ValueError(
            f"state_dict: {len(problems)} of {len(wanted)} parameters do not fit, nothing is loaded:\n"
            + "\n".join(problems)
            + f"\n{advice()}"
        )
    values = {
        name: jnp.asarray(entry.to_ours(arrays[name]), dtype or entry.parameter.dtype) for name, entry in wanted.items()
    }
    for name, entry in wanted.items():
        entry.parameter.set_value(values[name])


def _problem(name: str, arrays: Mapping[str, np.ndarray], wanted: Mapping[str, Entry]) -> str | None:
    """What is wrong with one parameter, or None."""
    got = _kind(arrays[name].shape, np.iscomplexobj(arrays[name])) if name in arrays else "nothing"
    want = _kind(wanted[name].shape, wanted[name].pair is not None) if name in wanted else "nothing"
    return None if got == want else f"  {name}: got {got}, wanted {want}"


def _kind(shape: tuple[int, ...], is_complex: bool) -> str:
    return f"{'complex' if is_complex else 'real'} {list(shape)}"
