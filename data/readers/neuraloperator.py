"""The `.pt` files of the PyTorch library neuraloperator."""

import contextlib
import dataclasses
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

from pdes.generators import FieldInfo

from .reader import SPACE, Layout, Reader, Variable, check_option, check_shape, refuse
from .torch_file import open_tensors


class _Known(NamedTuple):
    """What the files of a published set do not say."""

    equation: str
    x: str
    y: str
    length: float
    grid_type: str


_SETS = {
    "darcy": _Known("darcy", "permeability", "pressure", 1.0, "cell"),
    "nsforcing": _Known("navier_stokes_forcing", "forcing", "vorticity", 2 * math.pi, "periodic"),
}


@dataclasses.dataclass(frozen=True)
class NeuralOperator(Reader):
    """Tensors x and y (n, x1, x2, ...), or with a channel axis (n, c, x1, x2, ...), of equal grids.

    The sets whose names begin with `darcy` (unit square) and `nsforcing` (torus of side 2 pi) are known; of others
    `options.extent` and `options.grid_type` say where the points are. Tensors are mapped, not loaded, without torch.

    Args:
        channels: whether the second axis counts channels; in the library's own files it does not.

    Source: Kossaifi et al., neuraloperator, its data sets on Zenodo (12784353, 12825163).
    """

    source: ClassVar[str] = "neuraloperator"
    suffixes: ClassVar[tuple[str, ...]] = (".pt",)

    channels: Any = False

    def __post_init__(self) -> None:
        super().__post_init__()
        check_option("channels", self.channels, isinstance(self.channels, bool), "true or false")

    @contextlib.contextmanager
    def open(self, path: Path) -> Iterator[Layout]:
        tensors = open_tensors(path)
        if not {"x", "y"} <= set(tensors):
            raise refuse(path, f"tensors {sorted(tensors)[:8]}", "x and y", "choose the source that wrote the file")
        x, y = tensors["x"], tensors["y"]
        known = next((known for name, known in _SETS.items() if path.name.startswith(name)), None)
        first = 2 if self.channels else 1
        ndim = x.ndim - first
        if not 1 <= ndim <= 3:
            raise refuse(path, f"x of shape {x.shape}", f"{first} axes and one to three of space", "options.channels")
        wanted = (x.shape[0], *([None] if self.channels else []), *x.shape[first:])
        check_shape(path, "y", y, wanted)
        names = (known.x, known.y) if known else ("x", "y")
        variables, maps = {}, []
        for name, tensor in zip(names, (x, y), strict=True):
            count = tensor.shape[1] if self.channels else 1
            fields = [name] if count == 1 else [f"{name}_{i}" for i in range(count)]
            axes = ("nc" if self.channels else "n") + SPACE[:ndim]
            for place, field in enumerate(fields):
                places = {"c": place} if self.channels else {}
                variables[field] = Variable(tensor, axes, FieldInfo((0.0,), "1", ""), places)
            maps.append({field: (0,) for field in fields})
        box = self.place(
            path,
            x.shape[first:],
            extent=[known.length] * ndim if known else None,
            grid_type=known.grid_type if known else None,
        )
        yield Layout(known.equation if known else "neuraloperator", x.shape[0], box, variables, *maps)
