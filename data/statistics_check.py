"""Whether the stored statistics are those of the samples, and whether samples or states are there twice."""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import h5py
import numpy as np

from .equation_check import Plan
from .metadata import Metadata
from .moments import Moments
from .schema import STATISTICS, open_file
from .source import read_channels
from .verification import FAILS, HOLDS, UNDECIDED, Finding

_BLOCK_NUMBERS = 2**24


class Still(NamedTuple):
    """A state that equals the one before it, number for number."""

    field: str
    sample: int
    before: float
    time: float


class Survey(NamedTuple):
    """What one reading of all samples found."""

    findings: list[Finding]
    still: list[Still]


class _Field(NamedTuple):
    finding: Finding
    hashes: list[int]
    constant: list[bool]  # over points, at every time
    still: list[Still]


def survey(metadata: Metadata) -> Survey:
    """Mean, deviation and range of every field against those stored; samples that are there twice; states that rest.

    Reads every sample once, in blocks. Samples are random: none comes twice, and no field of one. What may come again
    is a value that is constant over the points, a medium of one phase for example, and in files that were converted all
    but the targets, such as the forces of a set that has few of them.

    Raises:
        DataError: for a damaged chunk or a number that is not finite; names the field and the sample.
    """
    with open_file(metadata.path) as file:
        fields = {name: _read(file, metadata, name) for name in metadata.fields}
    findings = [field.finding for field in fields.values()] + list(_twins(metadata, fields))
    return Survey(findings, [state for field in fields.values() for state in field.still])


def judge_still(still: Sequence[Still], solved: bool, plan: Plan) -> Iterator[Finding]:
    """Whether it is the equation that lets states rest.

    Args:
        still: those that equal the ones before them.
        solved: whether the equation has been found to hold where it was looked at.
        plan: where that was.
    """
    if still:
        first, seen = still[0], solved and all(plan.holds(state.sample, state.before) for state in still)
        where = f"{first.field} of sample {first.sample} from t = {first.before:g} to {first.time:g}"
        why = "as the equation has it" if seen else "where the equation was not looked at, or not decided on; see --all"
        verdict = HOLDS if seen else UNDECIDED
        yield Finding("states", verdict, f"{len(still)} equal those before them, first {where}; {why}")


def _read(file: h5py.File, metadata: Metadata, name: str) -> _Field:
    times = metadata.fields[name].times
    channels = [(name, i) for i in range(len(times))]
    moments, space = Moments(axes=(0, *range(2, 2 + metadata.ndim))), tuple(range(2, 2 + metadata.ndim))
    block = max(1, _BLOCK_NUMBERS // (len(times) * math.prod(metadata.shape)))
    hashes, constant, still = [], [], []
    for start in range(0, metadata.samples, block):
        rows = slice(start, min(start + block, metadata.samples))
        values = np.stack(read_channels(file, metadata, channels, rows), axis=1)
        moments.update(values)
        hashes += [hash(sample.tobytes()) for sample in values]
        constant += (values.max(space) == values.min(space)).all(1).tolist()
        # The "times" of a point in a cloud are its coordinates.
        if metadata.grid_type != "cloud":
            same = (values[:, 1:] == values[:, :-1]).all(space)
            still += [Still(name, start + int(row), times[i], times[i + 1]) for row, i in np.argwhere(same)]
    found, stored = moments.stats(), metadata.stats[name]
    scale = np.maximum(np.abs(stored.std), 1e-6 * np.abs(stored.mean)) + 1e-30
    # The log of samples is summed in other blocks than these.
    off = max(float(np.max(np.abs(np.subtract(*(getattr(s, k) for s in (found, stored)))) / scale)) for k in STATISTICS)
    detail = f"{off:.1e} of the standard deviation away from the stored ones"
    return _Field(Finding(f"statistics of {name}", HOLDS if off <= 1e-3 else FAILS, detail), hashes, constant, still)


def _twins(metadata: Metadata, fields: Mapping[str, _Field]) -> Iterator[Finding]:
    """What there is twice: whole samples, else fields of them."""
    given = [fields[name] for name in metadata.inputs]
    whole = _pairs(list(zip(*(field.hashes for field in fields.values()), strict=True)))
    whole = [pair for pair in whole if not all(field.constant[pair[1]] for field in given)]
    found = {"all fields": whole}
    for name, field in fields.items():
        if metadata.generator or name in metadata.targets:
            pairs = [pair for pair in _pairs(field.hashes) if not field.constant[pair[1]]]
            found[name] = [pair for pair in pairs if pair not in whole]
    equal = {name: pairs for name, pairs in found.items() if pairs}
    for name, pairs in equal.items():
        first, second = pairs[0]
        yield Finding("samples", FAILS, f"{first} and {second} are equal in {name}, {len(pairs)} such in all")
    if not equal:
        yield Finding("samples", HOLDS, f"no two of {metadata.samples} are equal")


def _pairs(hashes: Sequence) -> list[tuple[int, int]]:
    """Every row that is there before, with the first such."""
    seen: dict = {}
    rows = [(seen.setdefault(value, row), row) for row, value in enumerate(hashes)]
    return [(first, row) for first, row in rows if first != row]
