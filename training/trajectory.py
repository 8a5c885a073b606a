"""The flow behind data that are trajectories: what an estimate or a refinement of their predictions asks for."""

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from data.instantiate import instantiate
from data.metadata import FieldMap
from data.source import Samples
from pdes.equations import Equation
from pdes.generators import Generator
from spectral.grid import Grid


class Trajectory(NamedTuple):
    """Evenly spaced snapshots of the states of a flow, the inputs before the targets.

    Args:
        equation: on a grid where no stored mode is lost to de-aliasing.
        interval: time between snapshots.
        snapshots: inputs and targets together.
    """

    equation: Equation
    interval: float
    snapshots: int


def trajectory_of(samples: Samples, allow: Sequence[str] = (), *, what: str) -> Trajectory:
    """The trajectory that the samples of a file are pieces of.

    Args:
        samples: of any set.
        allow: as for `data.instantiate.instantiate`.
        what: asks for it, in errors: the name of a setting.

    Raises:
        ValueError: where the data are no trajectory of an equation: no generator, one without a flow, other fields than
            its states, times that are not evenly spaced, fewer than three.
    """
    metadata = samples.metadata
    if not metadata.generator:
        raise _refusal(what, f"a file of {metadata.equation!r} that names no generator")
    generator = instantiate(metadata.generator, allow=allow, where=str(metadata.path))
    times = {name: field.times for name, field in metadata.fields.items()}
    grid = Grid(metadata.shape, metadata.extent) if metadata.periodic else None
    return _trajectory(generator, grid, times, samples.inputs, samples.targets, what)


def trajectory_ahead(
    generator: Generator, shape: tuple[int, ...], inputs: FieldMap | None, targets: FieldMap | None, *, what: str
) -> Trajectory:
    """The same of the samples that a generator will make, on a grid of a shape; a field map of None is its own.

    Raises:
        ValueError: as `trajectory_of`.
    """
    times = {name: field.times for name, field in generator.fields.items()}
    grid = Grid(shape, generator.grid.extent) if generator.grid_type == "periodic" else None
    return _trajectory(generator, grid, times, inputs or generator.inputs, targets or generator.targets, what)


def _trajectory(
    generator: Generator,
    stored: Grid | None,
    times: Mapping[str, Sequence[float]],
    inputs: FieldMap,
    targets: FieldMap,
    what: str,
) -> Trajectory:
    equation = None if stored is None else generator.flow(stored)
    if stored is None or equation is None:
        raise _refusal(what, f"data of {generator.name!r}, which names no flow on a periodic box")
    # Of the modes below N/2 none is lost.
    share = max(2, equation.degree) + 1
    equation = generator.flow(Grid(tuple(math.ceil(share * n / 2) for n in stored.shape), stored.extent))
    assert equation is not None
    fields = list(equation.fields)
    if list(inputs) != fields or list(targets) != fields:
        raise _refusal(what, f"a map from {list(inputs)} to {list(targets)} of states {fields}")
    chosen = [(*inputs[name], *targets[name]) for name in fields]
    at = np.array([times[fields[0]][i] for i in chosen[0]])
    steps = np.diff(at)
    even = len(at) > 2 and steps[0] > 0 and np.allclose(steps, steps[0], rtol=1e-6)
    if not even or len(set(chosen)) > 1:
        raise _refusal(what, f"snapshots at {', '.join(f'{t:g}' for t in at)}")
    return Trajectory(equation, float(steps[0]), len(at))


def _refusal(what: str, got: str) -> ValueError:
    return ValueError(
        f"{what}: got {got}, wanted a trajectory: at least three evenly spaced snapshots of the states of one flow, "
        f"the inputs before the targets, such as those of pde=ns_decaying; leave {what} away"
    )
