"""Data sets of a config, generated or converted."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pdes.generators import Generator

from .foreign import Foreign, plan_foreign
from .generation import ensure
from .splits import SplitSpec, plan

Maker = Generator | Foreign


def plan_sets(
    pde: Mapping[str, Any], data: Mapping[str, Any], allow: Sequence[str] = ()
) -> dict[str, tuple[Maker, SplitSpec]]:
    """What makes every split, and its size: a generator, or, where `data.source` is given, files of others.

    Raises:
        DataError: as `data.splits.plan` and `data.foreign.plan_foreign`.
        TargetError: for a generator that may not or cannot be built.
    """
    if isinstance(data, Mapping) and data.get("source") is not None:
        return dict(plan_foreign(data))
    return dict(plan(pde, data, allow))


def ensure_set(maker: Maker, split: SplitSpec, root: str | Path | None = None) -> dict[tuple[int, ...], Path]:
    """Shape to file of a split: found in the data folder, or made.

    Raises:
        DataError, StorageError, FloatingPointError: as `data.generation.ensure` and `data.conversion.find_or_convert`.
    """
    return maker.ensure(root) if isinstance(maker, Foreign) else ensure(maker, split, root)
