"""PDEArena's HDF5 files of buoyant smoke."""

import contextlib
import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import h5py

from pdes.generators import FieldInfo

from .hdf5 import member, numbers, open_hdf5, subgroup
from .reader import Layout, Reader, Variable, check_option, check_shape, equal_rows, first_to_last, refuse

_SPLITS = ("train", "valid", "test")


@dataclasses.dataclass(frozen=True)
class PDEArena(Reader):
    """Smoke u and velocity vx, vy (n, t, x, y) in one group named after the split; t (n, t), x (n, x), buo_y (n).

    The box is closed. Smoke is given at the centres of its cells; a velocity component at their lower faces along its
    axis. The file's x and y run from 0 to the side of the box, both ends included, which is where neither is: here the
    last of them is the side, and points are cell centres. The buoyancy of a sample is a field constant in space.

    Args:
        split: train, valid or test, where a file holds several.

    Source: Gupta and Brandstetter, "Towards multi-spatiotemporal-scale generalized PDE modeling", 2022, and the script
    that made the files.
    """

    source: ClassVar[str] = "pdearena"
    suffixes: ClassVar[tuple[str, ...]] = (".h5", ".hdf5")

    split: Any = None

    def __post_init__(self) -> None:
        super().__post_init__()
        check_option("split", self.split, self.split in (None, *_SPLITS), f"one of {', '.join(_SPLITS)}")

    @contextlib.contextmanager
    def open(self, path: Path) -> Iterator[Layout]:
        with open_hdf5(path) as file:
            yield self._layout(path, subgroup(file, self._group(path, file)))

    def _group(self, path: Path, file: h5py.File) -> str:
        held = [name for name in _SPLITS if name in file]
        if self.split is None and len(held) != 1:
            raise refuse(path, f"groups {sorted(file)[:8]}", f"one of {', '.join(_SPLITS)}", "set options.split")
        return self.split or held[0]

    def _layout(self, path: Path, group: h5py.Group) -> Layout:
        smoke = member(group, "u")
        check_shape(path, "u", smoke, (None, None, None, None))
        samples, steps, *shape = smoke.shape
        times = equal_rows(path, numbers(group, "t"), "times")
        check_shape(path, "t", times, (steps,))
        info = FieldInfo(tuple(times.tolist()), "1", "")
        variables = {"smoke": Variable(smoke, "ntxy", info)}
        for letter in "xy":
            check_shape(path, f"v{letter}", member(group, f"v{letter}"), smoke.shape)
            at_face = dataclasses.replace(info, description=f"at the lower face of a cell along {letter}")
            variables[f"velocity_{letter}"] = Variable(member(group, f"v{letter}"), "ntxy", at_face)
        given = ()
        if "buo_y" in group:
            check_shape(path, "buo_y", member(group, "buo_y"), (samples,))
            variables["buoyancy"] = Variable(
                member(group, "buo_y"), "n", FieldInfo((float(times[0]),), "1", "along y, constant in space and time")
            )
            given = ("buoyancy",)
        sides = [float(equal_rows(path, numbers(group, letter), f"coordinates {letter}")[-1]) for letter in "xy"]
        box = self.place(path, shape, extent=sides, grid_type="cell")
        maps = first_to_last("smoke", "velocity_x", "velocity_y", given=given)
        return Layout("buoyant_smoke", samples, box, variables, *maps)
