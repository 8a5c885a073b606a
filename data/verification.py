"""What a check of a file finds, and the check that makes its samples again from their seed."""

import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from pdes.generators import Generator

from .metadata import Metadata
from .schema import open_file
from .solving import Solver
from .source import read_channels

HOLDS, FAILS, UNDECIDED = "holds", "FAILS", "undecided"
_BLOCK_POINTS = 2**20


class Finding(NamedTuple):
    """What one check found.

    Args:
        check: what was looked at.
        verdict: HOLDS, FAILS or UNDECIDED.
        detail: numbers, in words.
    """

    check: str
    verdict: str
    detail: str


def check_samples(metadata: Metadata, generator: Generator, samples: Sequence[int]) -> Iterator[Finding]:
    """Samples made again from their seed and number: a finding per field, of which the worst sample decides.

    Raises:
        FloatingPointError: where the solver leaves the finite numbers.
    """
    if generator.version != metadata.generator_version:
        made = f"made by version {metadata.generator_version} of {generator.name}, this is version {generator.version}"
        yield Finding("samples made again", UNDECIDED, made)
        return
    if not generator.resolves(metadata.shape):
        wanted = f"{generator.storable}, what {generator.name} resolves on {generator.grid.shape}"
        yield Finding("samples made again", FAILS, f"stored on {metadata.shape}, wanted {wanted}")
        return
    solver = Solver(generator, metadata.seed, (metadata.shape,), samples=len(samples))
    worst: dict[str, tuple[float, str]] = {}
    for start in range(0, len(samples), solver.count):
        rows = list(samples[start : start + solver.count])
        for name, values in solver(np.asarray(rows))[metadata.shape].items():
            off, detail = _distance(metadata, name, rows, values)
            worst[name] = max(worst.get(name, (-1.0, "")), (off, detail))
    for name, (off, detail) in worst.items():
        # Round-off grows in a turbulent flow; another seed, scale or coefficient is of order one.
        found = f"samples {_listed(samples)} differ by {off:.1e} at most" if math.isfinite(off) else detail
        yield Finding(f"{name} made again", HOLDS if off <= 1e-3 else FAILS, found)


def _distance(metadata: Metadata, name: str, rows: list[int], values: np.ndarray) -> tuple[float, str]:
    """Relative distance of the worst sample from the stored one; without end, and why, where they do not compare."""
    if name not in metadata.fields:
        return math.inf, f"the file stores {sorted(metadata.fields)}"
    stored = states(metadata, [(name, t) for t in range(len(metadata.fields[name].times))], rows)
    if stored.shape != values.shape:
        return math.inf, f"stored {stored.shape[1:]}, made {values.shape[1:]}"
    axes = tuple(range(1, values.ndim))
    return float(np.max(np.sqrt(np.sum((stored - values) ** 2, axes) / (np.sum(values**2, axes) + 1e-60)))), ""


def _listed(samples: Sequence[int]) -> str:
    return str(list(samples)) if len(samples) <= 8 else f"{samples[0]} .. {samples[-1]}"


def states(metadata: Metadata, channels: Sequence[tuple[str, int]], samples: Sequence[int]) -> np.ndarray:
    """Fields at some times [b, channel, *space] in float64."""
    with open_file(metadata.path) as file:
        rows = [np.stack(read_channels(file, metadata, channels, int(row))) for row in samples]
    return np.stack(rows).astype(np.float64)


def blocks(metadata: Metadata, samples: Sequence[int]) -> Iterator[list[int]]:
    """The samples in portions of one size, the last one filled up with its last: one program serves all."""
    size = min(len(samples), max(1, _BLOCK_POINTS // math.prod(metadata.shape)))
    for start in range(0, len(samples), size):
        rows = list(samples[start : start + size])
        yield rows + rows[-1:] * (size - len(rows))
