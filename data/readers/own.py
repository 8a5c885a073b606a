"""Files of our own schema: generated or converted before."""

import contextlib
import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

from ..schema import read_metadata
from .hdf5 import member, open_hdf5, subgroup
from .reader import Layout, Reader, Variable


@dataclasses.dataclass(frozen=True)
class Own(Reader):
    """Sets of schema v1, to choose from, to string together, or to train on without what they were made from.

    What a physics loss asks a generator for is not carried over: train on generated sets with their own `pde`.
    """

    source: ClassVar[str] = "own"
    suffixes: ClassVar[tuple[str, ...]] = (".h5",)

    @contextlib.contextmanager
    def open(self, path: Path) -> Iterator[Layout]:
        found = read_metadata(path)
        box = found.box
        if self.extent or self.grid_type:
            box = self.place(path, found.shape, coordinates=box.coordinates, grid_type=found.grid_type)
        with open_hdf5(path, own=True) as file:
            fields = subgroup(file, "fields")
            axes = "nt" + "xyz"[: found.ndim]
            variables = {name: Variable(member(fields, name), axes, info) for name, info in found.fields.items()}
            yield Layout(found.equation, found.samples, box, variables, found.inputs, found.targets, found.parameters)
