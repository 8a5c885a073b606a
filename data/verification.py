"""Whether a file holds what it says: its statistics, its equation and, from their seed, its samples."""

import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import h5py
import numpy as np

from pdes.generators import Generator

from .metadata import Metadata
from .moments import Moments
from .schema import STATISTICS, open_file
from .solving import Solver
from .source import read_channels

HOLDS, FAILS, UNDECIDED = "holds", "FAILS", "undecided"


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


def check_statistics(metadata: Metadata) -> Iterator[Finding]:
    """Mean, deviation and range of every field against those stored; samples that are there twice.

    Reads every sample once, in blocks.

    Raises:
        DataError: for a damaged chunk or a number that is not finite; names the field and the sample.
    """
    with open_file(metadata.path) as file:
        for name in metadata.fields:
            yield _field_statistics(file, metadata, name)


def _field_statistics(file: h5py.File, metadata: Metadata, name: str) -> Finding:
    times = len(metadata.fields[name].times)
    channels = [(name, time) for time in range(times)]
    moments = Moments(axes=(0, *range(2, 2 + metadata.ndim)))
    block = max(1, 2**24 // (times * math.prod(metadata.shape)))
    seen: dict[int, int] = {}
    twins: list[tuple[int, int]] = []
    for start in range(0, metadata.samples, block):
        rows = slice(start, min(start + block, metadata.samples))
        values = np.stack(read_channels(file, metadata, channels, rows), axis=1)
        moments.update(values)
        for row, sample in enumerate(values, start):
            first = seen.setdefault(hash(sample.tobytes()), row)
            if first != row:
                twins.append((first, row))
    found, stored = moments.stats(), metadata.stats[name]
    scale = np.maximum(np.abs(stored.std), 1e-6 * np.abs(stored.mean)) + 1e-30
    # The log of samples is summed in other blocks than these.
    off = max(float(np.max(np.abs(np.subtract(*(getattr(s, k) for s in (found, stored)))) / scale)) for k in STATISTICS)
    detail = f"{off:.1e} of the standard deviation away from the stored ones"
    if twins:
        detail += f"; samples {twins[0][0]} and {twins[0][1]} are equal, {len(twins)} such in all"
    verdict = UNDECIDED if off <= 1e-3 and twins else HOLDS if off <= 1e-3 else FAILS
    return Finding(f"statistics of {name}", verdict, detail)


def check_samples(metadata: Metadata, generator: Generator, samples: Sequence[int]) -> Iterator[Finding]:
    """Samples made again from their seed and number.

    Raises:
        FloatingPointError: where the solver leaves the finite numbers.
    """
    made = Solver(generator, metadata.seed, (metadata.shape,), samples=len(samples))
    again = made(np.asarray(samples[: made.count]))[metadata.shape]
    for name, values in again.items():
        if name not in metadata.fields:
            yield Finding(f"{name} made again", FAILS, f"the file stores {sorted(metadata.fields)}")
            continue
        times = range(len(metadata.fields[name].times))
        stored = np.stack([states(metadata, [name], t, samples[: len(values)])[:, 0] for t in times], axis=1)
        if stored.shape != values.shape:
            yield Finding(f"{name} made again", FAILS, f"stored {stored.shape[1:]}, made {values.shape[1:]}")
            continue
        off = float(np.linalg.norm(stored - values) / (np.linalg.norm(values) + 1e-30))
        # Round-off grows in a turbulent flow; another seed, scale or coefficient is of order one.
        detail = f"samples {list(samples[: len(values)])} differ by {off:.1e}"
        yield Finding(f"{name} made again", HOLDS if off <= 1e-3 else FAILS, detail)


def states(metadata: Metadata, names: Sequence[str], time: int, samples: Sequence[int]) -> np.ndarray:
    """Fields at one time [b, field, *space] in float64."""
    with open_file(metadata.path) as file:
        channels = [(name, time % len(metadata.fields[name].times)) for name in names]
        rows = [np.stack(read_channels(file, metadata, channels, int(row))) for row in samples]
    return np.stack(rows).astype(np.float64)
