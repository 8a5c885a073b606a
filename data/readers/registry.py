"""From the name of a source and options to its reader."""

import dataclasses
import difflib
import importlib
from collections.abc import Mapping
from typing import Any

from ..errors import DataError
from . import SOURCES
from .reader import Reader


def build_reader(source: Any, options: Mapping[str, Any] | None = None) -> Reader:
    """The reader of a source.

    Args:
        source: a name of `SOURCES`.
        options: those of the format; null values are its defaults.

    Raises:
        DataError: for an unknown source, or an option that it does not take or refuses.
    """
    if source not in SOURCES:
        nearest = difflib.get_close_matches(str(source), SOURCES, n=1)
        meant = f"; did you mean {nearest[0]}?" if nearest else ""
        raise DataError(f"source: got {source!r}, wanted one of {', '.join(SOURCES)}{meant}")
    module, name = SOURCES[source]
    cls = getattr(importlib.import_module(f".{module}", __package__), name)
    given = {
        key: tuple(value) if isinstance(value, list) else value
        for key, value in (options or {}).items()
        if value is not None
    }
    known = [field.name for field in dataclasses.fields(cls)]
    unknown = sorted(set(given) - set(known))
    if unknown:
        raise DataError(f"options: got {unknown}, wanted some of {', '.join(known)}, which {source} takes")
    return cls(**given)
