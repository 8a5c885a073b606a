"""Whether the fields of a file follow from each other by an equation."""

import functools
import itertools
import math
from collections.abc import Collection, Iterator
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from pdes.generators import Generator
from pdes.replay import replay
from spectral.grid import Grid

from .inspection import spread
from .map_check import check_map
from .metadata import Metadata
from .residuals import Solve, check_residuals
from .verification import UNDECIDED, Finding, blocks, states


class Snapshot(NamedTuple):
    """A stored state: its time, and where its fields are."""

    time: float
    channels: list[tuple[str, int]]


class Plan(NamedTuple):
    """What of a file is looked at.

    Args:
        samples: trajectories; the worst of them decides.
        intervals: successive states; none where the equation is not that of a flow, or its states are not stored.
        possible: how many intervals there are.
    """

    samples: list[int]
    intervals: list[tuple[Snapshot, Snapshot]]
    possible: int

    @classmethod
    def of(
        cls,
        metadata: Metadata,
        generator: Generator,
        samples: list[int],
        intervals: int | None = None,
        also: Collection[float] = (),
    ) -> "Plan":
        """So many intervals, evenly spread, all of them by default, and those that begin at the times `also`."""
        names = _state(metadata, generator)
        stored = snapshots(metadata, names) if names and metadata.grid_type == generator.grid_type else []
        pairs = list(itertools.pairwise(stored))
        chosen = spread(len(pairs), intervals or len(pairs)) if pairs else []
        kept = [pair for i, pair in enumerate(pairs) if i in chosen or pair[0].time in also]
        return cls(samples, kept, len(pairs))

    def holds(self, sample: int, time: float) -> bool:
        """Whether the interval of a sample that begins at a time is looked at."""
        return sample in self.samples and any(start.time == time for start, _ in self.intervals)


def check_equation(metadata: Metadata, generator: Generator, plan: Plan) -> Iterator[Finding]:
    """Stored states against those that the equation gives from the ones before, or targets from their inputs.

        R = |S(u_i) - u_(i+1)| / s  <=  0.01 + 2 D,    D = |P S(u_i) - S(P u_i + e)| / s,
        s = min(|S(u_i) - u_i|, |S(u_i)|)

    with S the equation's own solution, P the way to two thirds of the points and e noise of ten times the rounding to
    float32. So D is what a coarser grid would do, and no less than what the stored one has done. Where the bound is
    above 0.05 and the residual too, the stored grid or the time between states does not let anyone decide.

    Args:
        metadata: header of the file.
        generator: names the equation: by `flow`, or by `solve`.
        plan: what to look at.

    Raises:
        DataError: for a damaged chunk or a number that is not finite.
    """
    names, kinds = _state(metadata, generator), (metadata.grid_type, generator.grid_type)
    if not names:
        yield check_map(metadata, generator, plan.samples)
    elif kinds[0] != kinds[1]:
        found = f"the points are of the kind {kinds[0]!r}, those of {generator.name} of the kind {kinds[1]!r}"
        yield Finding("equation", UNDECIDED, found)
    elif not plan.intervals:
        wanted = f"two states of {generator.name}, {', '.join(names)}"
        yield Finding("equation", UNDECIDED, f"the file stores {_described(metadata)}, wanted {wanted}")
    for start, end in plan.intervals:
        where = f"equation, t = {start.time:g} to {end.time:g}"
        # Differences of decimal numbers: one duration, one program.
        solve = _advance(metadata, generator, float(f"{end.time - start.time:.9g}"))
        pairs = (
            (states(metadata, start.channels, rows), states(metadata, end.channels, rows))
            for rows in blocks(metadata, plan.samples)
        )
        try:
            complete = metadata.shape == generator.max_shape or not metadata.periodic
            yield check_residuals(where, metadata, pairs, solve, complete=complete)
        except FloatingPointError as error:
            yield Finding(where, UNDECIDED, str(error))


def _state(metadata: Metadata, generator: Generator) -> list[str]:
    """The fields of a state of the evolution, if it is one."""
    if type(generator).advance is not Generator.advance:
        return list(generator.fields)
    equation = generator.flow(Grid(metadata.shape, metadata.extent))
    return [] if equation is None else list(equation.fields)


def snapshots(metadata: Metadata, names: list[str]) -> list[Snapshot]:
    """The states that a file holds of an equation with fields of these names; none where they are not there.

    The fields are those of the equation's names. For an equation of one field it may have another name: it is then the
    only one, or the only one with several times. `initial_<name>` is a state too, as published sets have it.
    """
    if not set(names) <= set(metadata.fields):
        moving = [name for name, field in metadata.fields.items() if len(field.times) > 1] or list(metadata.fields)
        if len(names) > 1 or len(moving) > 1:
            return []
        names = moving
    times = metadata.fields[names[0]].times
    if any(metadata.fields[name].times != times for name in names):
        return []
    found = [Snapshot(time, [(name, i) for name in names]) for i, time in enumerate(times)]
    before = [metadata.fields.get(f"initial_{name}") for name in names]
    if all(field is not None and field.times[-1] < times[0] for field in before):
        starts = [(f"initial_{name}", len(field.times) - 1) for name, field in zip(names, before, strict=True) if field]
        found.insert(0, Snapshot(metadata.fields[starts[0][0]].times[-1], starts))
    return found


def _described(metadata: Metadata) -> str:
    counts = {name: len(field.times) for name, field in metadata.fields.items()}
    return ", ".join(f"{name} at {count} time{'s' * (count > 1)}" for name, count in sorted(counts.items()))


def _advance(metadata: Metadata, generator: Generator, duration: float) -> Solve:
    if type(generator).advance is not Generator.advance:
        program = _program(generator, duration)

        def advance(u: np.ndarray) -> np.ndarray:
            with jax.enable_x64(True):
                return np.asarray(program(jnp.asarray(u, jnp.float64)))

        return advance
    dt: Any = metadata.parameters.get("dt")
    steps = max(1, math.ceil(duration / dt - 1e-9)) if isinstance(dt, float) and dt > 1e-4 * duration else 8
    return lambda u: replay(_flow(generator), u, metadata.extent, duration, steps=steps)


@functools.lru_cache(maxsize=4)
def _flow(generator: Generator) -> Any:
    """The method of the first of equal generators, so that all intervals and files share a program."""
    return generator.flow


@functools.lru_cache(maxsize=4)
def _program(generator: Generator, duration: float) -> Any:
    return jax.jit(jax.vmap(lambda u: generator.advance(u, duration)))
