"""Whether the fields of a file follow from each other by an equation."""

import functools
import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any, cast

import jax
import jax.numpy as jnp
import numpy as np

from pdes.equations import Equation
from pdes.generators import Generator
from pdes.replay import replay
from spectral.filters import resize
from spectral.grid import Grid

from .metadata import Metadata
from .verification import FAILS, HOLDS, UNDECIDED, Finding, states

# Of what the states change: round-off of float32, an error of the solver of the data, and the tolerance of the replay
# are far below, a coefficient that is wrong by some percent is above.
TOLERANCE = 0.01
# Beyond this, agreement within a bound that is wider still says nothing.
_BLURRED = 0.05
# A change by this share of the states may be one of rounding to float32 ...
_AT_REST = 1e-5
# ... of which this is ten times.
_NOISE = 1e-6

# Fields [b, field, *space] -> what follows from them, on the same grid.
Solve = Callable[[np.ndarray], np.ndarray]


def check_equation(
    metadata: Metadata, generator: Generator, samples: Sequence[int], intervals: int
) -> Iterator[Finding]:
    """Stored states against those that the equation gives from the ones before, or targets from their inputs.

        R = |S(u_i) - u_(i+1)| / s  <=  0.01 + 2 D,    D = |P S(u_i) - S(P u_i + e)| / s,
        s = min(|S(u_i) - u_i|, |S(u_i)|)

    with S the equation's own solution, P the way to two thirds of the points and e noise of ten times the rounding to
    float32. So D is what a coarser grid would do, and no less than what the stored one has done. Where the bound is
    above 0.05 and the residual too, the stored grid or the time between states does not let anyone decide.

    Args:
        metadata: header of the file.
        generator: names the equation: by `flow`, or by `solve`.
        samples: trajectories to look at; the worst of them decides.
        intervals: pairs of successive states.

    Raises:
        DataError: for a damaged chunk or a number that is not finite.
    """
    equation = generator.flow(Grid(metadata.shape, metadata.extent))
    if equation is None:
        yield from _check_map(metadata, generator, samples)
        return
    if not metadata.periodic:
        found = f"the points are of the kind {metadata.grid_type!r}, the flow of {generator.name} is periodic"
        yield Finding("equation", UNDECIDED, found)
        return
    names = list(equation.fields) if len(equation.fields) > 1 else list(metadata.fields)
    if len(names) != len(equation.fields) or not set(names) <= set(metadata.fields):
        found = f"the file stores {sorted(metadata.fields)}, a state of {generator.name} is {list(equation.fields)}"
        yield Finding("equation", UNDECIDED, found)
        return
    times = metadata.fields[names[0]].times
    if len(times) < 2:
        yield Finding("equation", UNDECIDED, "one state is stored, and none that follows")
    for first in sorted({int(i) for i in np.linspace(0, len(times) - 2, min(intervals, len(times) - 1)).round()}):
        where = f"equation, t = {times[first]:g} to {times[first + 1]:g}"
        start, end = (states(metadata, names, time, samples) for time in (first, first + 1))
        try:
            solve = _advance(metadata, generator, times[first + 1] - times[first])
            yield _residual(
                where, metadata, start, end, solve, metadata.periodic and metadata.shape == generator.max_shape
            )
        except FloatingPointError as error:
            yield Finding(where, UNDECIDED, str(error))


def _advance(metadata: Metadata, generator: Generator, duration: float) -> Solve:
    dt: Any = metadata.parameters.get("dt")
    steps = max(1, math.ceil(duration / dt - 1e-9)) if isinstance(dt, float) and dt > 1e-4 * duration else 8

    # Times are equally far apart up to round-off, and a program is compiled for one duration.
    duration = float(f"{duration:.12g}")
    return lambda u: replay(_flow(generator), u, metadata.extent, duration, steps=steps)


@functools.lru_cache(maxsize=32)
def _flow(generator: Generator) -> Callable[[Grid], Equation]:
    """The same function for equal generators, which have the same programs."""
    return cast(Callable[[Grid], Equation], generator.flow)


def _check_map(metadata: Metadata, generator: Generator, samples: Sequence[int]) -> Iterator[Finding]:
    inputs, targets = list(generator.inputs), list(generator.targets)
    where = f"equation, {', '.join(inputs)} to {', '.join(targets)}"
    if type(generator).solve is Generator.solve:
        yield Finding(where, UNDECIDED, f"{generator.name} does not say how to solve from stored fields")
        return
    missing = sorted({*inputs, *targets} - set(metadata.fields))
    if missing:
        yield Finding(where, UNDECIDED, f"the file stores {sorted(metadata.fields)}, and no {', '.join(missing)}")
        return
    given, end = (states(metadata, names, -1, samples) for names in (inputs, targets))

    def solve(u: np.ndarray) -> np.ndarray:
        with jax.enable_x64(True):
            call = _map(generator, metadata.extent, u.shape[2:], metadata.periodic)
            return np.asarray(call(jnp.asarray(u, jnp.float64)))

    yield _residual(where, metadata, given, end, solve, complete=False, steady=True)


@functools.lru_cache(maxsize=32)
def _map(
    generator: Generator, extent: tuple[float, ...], shape: tuple[int, ...], periodic: bool
) -> Callable[[jax.Array], jax.Array]:
    """Inputs [b, field, *space] -> targets on the same grid, compiled once."""
    axes = tuple(range(len(shape)))
    # Cells are constant: each may be many.
    fine = generator.solver_shape(shape) if periodic else tuple(3 * n for n in shape)

    def one(fields: jax.Array) -> jax.Array:
        there = {
            name: _refined(field, fine, periodic)[None] for name, field in zip(generator.inputs, fields, strict=True)
        }
        found = generator.solve(there, Grid(fine, extent))
        assert found is not None
        back = [found[name][-1:] for name in generator.targets]
        if periodic:
            return jnp.concatenate([resize(v[0], shape, axes)[None] for v in back])
        return jnp.concatenate([v[(slice(None), *[slice(1, None, 3)] * len(shape))] for v in back])

    return jax.jit(jax.vmap(one))


def _refined(u: jax.Array, shape: tuple[int, ...], periodic: bool) -> jax.Array:
    return resize(u, shape, range(u.ndim)) if periodic else jax.image.resize(u, shape, "nearest")


def _residual(
    where: str,
    metadata: Metadata,
    start: np.ndarray,
    end: np.ndarray,
    solve: Solve,
    complete: bool,
    steady: bool = False,
) -> Finding:
    """The finding for states [b, field, *space], of which the worst sample decides.

    Where they are complete, with every mode that was solved for, D is what the noise does.
    """
    coarse = metadata.shape if complete else tuple(max(1, 2 * n // 3) for n in metadata.shape)
    rough = _coarsened(start, coarse, metadata.periodic, "nearest")
    noise = np.random.default_rng(0).standard_normal(rough.shape)
    if metadata.periodic:
        rough = rough + _NOISE * np.sqrt(np.mean(start**2)) * noise
    found, other = solve(start), solve(rough)
    # What has all but decayed is small beside its change: an error of all of it must not pass for a small one.
    change = _size(found) if steady else np.minimum(_size(found - start), _size(found))
    change = np.maximum(change, _AT_REST * _size(start if not steady else found)) + 1e-30
    residual = _size(found - end) / change
    doubt = _size(_coarsened(found, coarse, metadata.periodic, "linear") - other) / change
    worst = int(np.argmax(residual - 2 * doubt))
    r, most = float(residual[worst]), TOLERANCE + 2 * float(doubt[worst])
    near, far = r <= max(TOLERANCE, min(most, _BLURRED)), not r <= most
    verdict = HOLDS if near else FAILS if far else UNDECIDED
    return Finding(where, verdict, f"residual {r:.1e}, wanted at most {most:.1e}")


def _coarsened(u: np.ndarray, shape: tuple[int, ...], periodic: bool, method: str) -> np.ndarray:
    with jax.enable_x64(True):
        return np.asarray(_coarsen(u, shape, periodic, method))


@functools.partial(jax.jit, static_argnums=(1, 2, 3))
def _coarsen(u: jax.Array, shape: tuple[int, ...], periodic: bool, method: str) -> jax.Array:
    if periodic:
        return resize(u, shape, range(2, u.ndim))
    return jax.image.resize(u, (*u.shape[:2], *shape), method, antialias=False)


def _size(u: np.ndarray) -> np.ndarray:
    """Root mean square over fields and points, per sample."""
    return np.sqrt(np.mean(u**2, axis=tuple(range(1, u.ndim))))
