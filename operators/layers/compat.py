"""Numerics of other libraries, for checkpoints that were trained with them."""

NEURALOP2 = "neuralop2"


def check_compat(compat: str | None) -> str | None:
    """The name, if it is one.

    Raises:
        ValueError: for another name.
    """
    if compat not in (None, NEURALOP2):
        raise ValueError(f'compat: got {compat!r}, wanted "{NEURALOP2}", or None for the numerics of this library')
    return compat
