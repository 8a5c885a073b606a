"""Whether the targets of a file follow from its inputs by an equation."""

from collections.abc import Callable, Sequence

import jax
import jax.numpy as jnp
import numpy as np

from pdes.generators import Generator
from spectral.grid import Grid

from .errors import DataError
from .metadata import Metadata
from .resampling import cells_of_nodes, nearest, nodes_of_cells, smooth
from .residuals import check_residuals
from .verification import UNDECIDED, Finding, blocks, states

Ways = tuple[Callable[[np.ndarray], np.ndarray], Callable[[np.ndarray], np.ndarray]]


def check_map(metadata: Metadata, generator: Generator, samples: Sequence[int]) -> Finding:
    """Targets against those that `generator.solve` gives from the stored inputs.

    Periodic fields and those at nodes are solved with as their series, so that a finer grid of the solver sees the same
    functions; what a cell holds is constant in it, and for a solver on cells so is the surrounding of a node.

    Raises:
        DataError: for a damaged chunk or a number that is not finite.
    """
    inputs, targets = list(generator.inputs), list(generator.targets)
    where = f"equation, {', '.join(inputs)} to {', '.join(targets)}"
    kind, made = metadata.grid_type, generator.grid_type
    missing = sorted({*inputs, *targets} - set(metadata.fields))
    reason = None
    if type(generator).solve is Generator.solve:
        reason = f"{generator.name} does not say how to solve from stored fields"
    elif missing:
        reason = f"the file stores {sorted(metadata.fields)}, and no {', '.join(missing)}"
    elif kind != made and (kind, made) != ("node", "cell"):
        reason = f"the points are of the kind {kind!r}, those of {generator.name} of the kind {made!r}"
    if reason:
        return Finding(where, UNDECIDED, reason)
    solve = _Solve(metadata, generator)
    try:
        given, sought = (metadata.channels(field_map) for field_map in (generator.inputs, generator.targets))
        pairs = ((states(metadata, given, rows), states(metadata, sought, rows)) for rows in blocks(metadata, samples))
        # The nodes of the solver itself: nothing between them was ever seen.
        complete = kind == "cloud" or (made == "node" and metadata.shape == generator.grid.shape)
        return check_residuals(where, metadata, pairs, solve, complete=complete, steady=True, jumping=made == "cell")
    except DataError:
        raise
    except (ValueError, FloatingPointError) as error:  # a solver that refuses the grid, or does not settle
        return Finding(where, UNDECIDED, str(error))


class _Solve:
    """Inputs [b, channel, *space] at the points of a file, or at fewer of their kind -> targets there."""

    def __init__(self, metadata: Metadata, generator: Generator):
        self._metadata, self._generator = metadata, generator
        self._program = jax.jit(jax.vmap(self._one))

    def __call__(self, u: np.ndarray) -> np.ndarray:
        finer, back = self._ways(u.shape[2:])
        with jax.enable_x64(True):
            return back(np.asarray(self._program(jnp.asarray(finer(u), jnp.float64))))

    def _one(self, channels: jax.Array) -> jax.Array:
        given, place = {}, 0
        for name, times in self._generator.inputs.items():
            given[name] = channels[place : place + len(times)]
            place += len(times)
        found = self._generator.solve(given, Grid(channels.shape[1:], self._metadata.extent))
        assert found is not None
        return jnp.concatenate([found[name][-1:] for name in self._generator.targets])

    def _ways(self, shape: tuple[int, ...]) -> Ways:
        """To the grid that is solved on, and back."""
        kind = self._metadata.grid_type
        if kind == "cloud":
            return (lambda u: u), (lambda v: v)
        if kind == "cell":  # each may be many
            middles = (..., *(slice(1, None, 3) for _ in shape))
            return (lambda u: nearest(u, tuple(3 * n for n in shape), kind)), (lambda v: v[middles])
        if self._generator.grid_type == "cell":
            return cells_of_nodes, nodes_of_cells
        solved = self._generator.solver_shape(shape)
        if kind == "periodic":
            return (lambda u: smooth(u, solved, kind)), (lambda v: smooth(v, shape, kind))
        shared = (..., *(slice(None, None, (m - 1) // (n - 1)) for n, m in zip(shape, solved, strict=True)))
        return (lambda u: smooth(u, solved, kind)), (lambda v: v[shared])
