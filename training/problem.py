"""What a data set says about the equation behind it: all that a physics loss may ask."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from data.instantiate import instantiate
from data.metadata import FieldMap, Metadata
from data.sets import Maker
from pdes.equations import Equation
from pdes.generators import Generator
from spectral.grid import Grid


class Problem(NamedTuple):
    """A map between fields of an equation, as a file or a generator states it.

    Args:
        equation: name of the problem in the file.
        parameters: physical parameters, as stored.
        extent: side lengths of the domain; empty for a cloud of points.
        periodic: whether its opposite sides are one.
        inputs: the fields of the input channels.
        targets: the fields of the target channels.
        generator: builds what the data come from; None where that is not known.
    """

    equation: str
    parameters: Mapping[str, Any]
    extent: tuple[float, ...]
    periodic: bool
    inputs: tuple[str, ...]
    targets: tuple[str, ...]
    generator: Callable[[], Generator] | None = None

    def flow(self) -> Callable[[Grid], Equation]:
        """Grid -> the evolution equation of the states on it, with the parameters of the data.

        Raises:
            ValueError: where the map is not one from states of such an equation to later ones.
        """
        generator = self.generator() if self.generator else None
        equation = generator.flow(generator.grid) if generator else None
        # A map from a forcing says nothing about how its output goes on, nor one field of several.
        names = {*self.inputs, *self.targets}
        if generator is None or equation is None or len(equation.fields) != 1 or len(names) != 1:
            raise ValueError(
                f"the problem {self.equation!r}: got a map from {sorted(set(self.inputs))} to "
                f"{sorted(set(self.targets))}, wanted states of an autonomous flow of one field to later ones, such as "
                "those of pde=burgers; take a loss without residuals"
            )

        def on(grid: Grid) -> Equation:
            found = generator.flow(grid)
            assert found is not None
            return found

        return on


def problem_of_file(metadata: Metadata, inputs: FieldMap, targets: FieldMap, allow: Sequence[str] = ()) -> Problem:
    """The problem of a data set under the given field maps; `allow` as for `data.instantiate.instantiate`."""

    def generator() -> Generator:
        return instantiate(metadata.generator, allow=allow, where=str(metadata.path))

    fields = (tuple(name for name, _ in metadata.channels(field_map)) for field_map in (inputs, targets))
    known = generator if metadata.generator else None
    return Problem(
        metadata.equation, metadata.parameters, metadata.box.span, metadata.periodic, *fields, generator=known
    )


def problem_of_generator(maker: Maker, inputs: FieldMap | None, targets: FieldMap | None) -> Problem:
    """The problem that the files of a generator will state, or those of others do; a field map of None is its own."""
    fields = (
        tuple(name for name, times in field_map.items() for _ in times)
        for field_map in (inputs or maker.inputs, targets or maker.targets)
    )
    periodic = maker.grid_type == "periodic"
    known = (lambda: maker) if isinstance(maker, Generator) else None
    extent = () if maker.grid_type == "cloud" else maker.grid.extent
    return Problem(maker.name, maker.parameters(), extent, periodic, *fields, generator=known)
