"""Deep-Flow-Prediction: steady flow around airfoils, one archive a sample."""

import contextlib
import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

from pdes.generators import FieldInfo

from ..points import Box
from .npz import ArchivedArray
from .reader import Layout, Reader, Variable, check_shape

_CHANNELS = {
    "freestream_x": "zero inside the airfoil",
    "freestream_y": "zero inside the airfoil",
    "mask": "1 inside the airfoil",
    "pressure": "kinematic; zero inside the airfoil",
    "velocity_x": "zero inside the airfoil",
    "velocity_y": "zero inside the airfoil",
}
_UNITS = {"mask": "1", "pressure": "m^2/s^2"}


@dataclasses.dataclass(frozen=True)
class DeepFlow(Reader):
    """Array `a` (6, x, y): freestream velocity, mask of the airfoil, pressure and velocity.

    Points lie at -0.5 + 2 i / N along x and -1 + 2 j / N along y, in chords; the box is not periodic.

    Source: Thuerey et al., "Deep learning methods for Reynolds-averaged Navier-Stokes simulations of airfoil flows",
    AIAA Journal 2020, and the script that made the files.
    """

    source: ClassVar[str] = "deep_flow"
    suffixes: ClassVar[tuple[str, ...]] = (".npz",)

    @contextlib.contextmanager
    def open(self, path: Path) -> Iterator[Layout]:
        data = ArchivedArray(path, "a")
        check_shape(path, "a", data, (len(_CHANNELS), None, None))
        variables = {
            name: Variable(data, "cxy", FieldInfo((0.0,), _UNITS.get(name, "m/s"), note), {"c": place})
            for place, (name, note) in enumerate(_CHANNELS.items())
        }
        box = self.place(path, data.shape[1:], extent=(2.0, 2.0), grid_type="cell")
        if self.extent is None and box.grid_type == "cell":
            corner = tuple(first - h / 2 for first, h in zip((-0.5, -1.0), box.spacing, strict=True))
            box = Box(box.shape, box.extent, corner, box.grid_type)
        names = list(_CHANNELS)
        maps = {name: (0,) for name in names[:3]}, {name: (0,) for name in names[3:]}
        yield Layout("airfoil_rans", 1, box, variables, *maps)
