"""What a data set says about the equation behind it: all that a physics loss may ask."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from data.metadata import FieldMap, Metadata
from pdes.equations import AdvectionDiffusion, Burgers, Equation, NavierStokes
from pdes.generators import Generator
from spectral.grid import Grid


class Problem(NamedTuple):
    """A map between fields of an equation, as a file or a generator states it.

    Args:
        equation: name of the problem in the file.
        parameters: physical parameters, as stored.
        extent: side lengths of the domain.
        periodic: whether its opposite sides are one.
        inputs: the fields of the input channels.
        targets: the fields of the target channels.
    """

    equation: str
    parameters: Mapping[str, Any]
    extent: tuple[float, ...]
    periodic: bool
    inputs: tuple[str, ...]
    targets: tuple[str, ...]

    def flow(self) -> Callable[[Grid], Equation]:
        """Grid -> the evolution equation of the states on it, with the parameters of the data.

        Raises:
            ValueError: where the map is not one from states of such an equation to later ones.
        """
        # A map from a forcing says nothing about how its output goes on.
        if self.equation not in FLOWS or len({*self.inputs, *self.targets}) != 1:
            raise ValueError(
                f"loss: got the problem {self.equation!r} from {sorted(set(self.inputs))} to "
                f"{sorted(set(self.targets))}, wanted states of an autonomous flow to later ones: {sorted(FLOWS)}"
            )
        return lambda grid: FLOWS[self.equation](grid, self.parameters)


def problem_of_file(metadata: Metadata, inputs: FieldMap, targets: FieldMap) -> Problem:
    """The problem of a data set under the given field maps."""
    fields = (tuple(name for name, _ in metadata.channels(field_map)) for field_map in (inputs, targets))
    return Problem(metadata.equation, metadata.parameters, metadata.extent, metadata.periodic, *fields)


def problem_of_generator(generator: Generator, inputs: FieldMap | None, targets: FieldMap | None) -> Problem:
    """The problem that a generator's files will state; a field map of None is its own."""
    fields = (
        tuple(name for name, times in field_map.items() for _ in times)
        for field_map in (inputs or generator.inputs, targets or generator.targets)
    )
    periodic = generator.grid_type == "periodic"
    return Problem(generator.name, generator.parameters(), generator.grid.extent, periodic, *fields)


FLOWS: dict[str, Callable[[Grid, Mapping[str, Any]], Equation]] = {
    "burgers": lambda grid, p: Burgers(grid, float(p["viscosity"])),
    "heat": lambda grid, p: AdvectionDiffusion(grid, (0.0,) * grid.ndim, float(p["diffusivity"])),
    "ns_decaying": lambda grid, p: NavierStokes(grid, float(p["viscosity"]), float(p["drag"])),
}
