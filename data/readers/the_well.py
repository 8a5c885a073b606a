"""The Well's HDF5 files."""

import contextlib
import dataclasses
import itertools
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, ClassVar

import h5py
import numpy as np

from pdes.generators import FieldInfo

from .hdf5 import member, numbers, open_hdf5, subgroup
from .reader import SPACE, Layout, Reader, Variable, check_shape, equal_rows, first_to_last, refuse

_ORDERS = ("t0_fields", "t1_fields", "t2_fields")  # scalars, vectors, tensors


@dataclasses.dataclass(frozen=True)
class TheWell(Reader):
    """Fields (n, t, x[, y[, z]][, components]), with axes left out or of length one where a field is constant.

    A vector becomes a field per component, `velocity_x`, a tensor one per pair, `stress_xy`, in the order of the
    spatial dimensions that the file names; these are our x, y, z. What does not vary in time has one time; what does
    not vary along another axis is repeated. A scalar that varies with the sample or in time is a field that is constant
    in space, the others are parameters. The box is periodic where every dimension has a periodic boundary; otherwise
    points are called cell centres, and the boundary of every dimension is a parameter. Only Cartesian grids of equally
    spaced points are read.

    Source: Ohana et al., "The Well", NeurIPS 2024, and its specification of the data format.
    """

    source: ClassVar[str] = "the_well"
    suffixes: ClassVar[tuple[str, ...]] = (".hdf5", ".h5")

    @contextlib.contextmanager
    def open(self, path: Path) -> Iterator[Layout]:
        with open_hdf5(path) as file:
            yield self._layout(path, file)

    def _layout(self, path: Path, file: h5py.File) -> Layout:
        attributes = {name: _attribute(path, file, name) for name in ("dataset_name", "grid_type", "n_trajectories")}
        if attributes["grid_type"] != "cartesian":
            raise refuse(path, f"a {attributes['grid_type']} grid", "a Cartesian one", "resample the fields elsewhere")
        samples = int(attributes["n_trajectories"])
        dimensions = subgroup(file, "dimensions")
        names = _names(_attribute(path, dimensions, "spatial_dims"))
        coordinates = [equal_rows(path, numbers(dimensions, name), f"coordinates {name}") for name in names]
        boundaries = _boundaries(path, file)
        kinds = {name: boundaries.get(name, "open") for name in names}
        box = self.place(
            path,
            [len(points) for points in coordinates],
            coordinates=coordinates,
            grid_type="periodic" if set(kinds.values()) == {"periodic"} else "cell",
        )
        times = tuple(equal_rows(path, numbers(dimensions, "time"), "times").tolist())
        parser = _Fields(path, samples, times, names, box.shape)
        variables = {name: variable for order in range(3) for name, variable in parser.fields(file, order)}
        parameters: dict[str, float | str] = {f"boundary_{name}": kind for name, kind in kinds.items()}
        for name, variable in parser.scalars(file):
            if variable.axes:
                variables[name] = variable
            else:
                parameters[name] = float(np.asarray(variable.data[()]))
        moving = [name for name, variable in variables.items() if "t" in variable.axes and "x" in variable.axes]
        maps = first_to_last(*(moving or variables), given=[name for name in variables if name not in moving])
        return Layout(str(attributes["dataset_name"]), samples, box, variables, *maps, parameters)


class _Fields:
    """The fields and scalars of a file.

    Args:
        path: for errors.
        samples: trajectories.
        times: of the steps.
        names: of the spatial dimensions.
        shape: points per dimension.
    """

    def __init__(self, path: Path, samples: int, times: tuple[float, ...], names: Sequence[str], shape: Sequence[int]):
        self._path, self._samples, self._times, self._names, self._shape = path, samples, times, names, shape

    def fields(self, file: h5py.File, order: int) -> Iterator[tuple[str, Variable]]:
        """The fields of a tensor order by their names, one per component."""
        group = subgroup(file, _ORDERS[order])
        components = "cd"[:order]
        for name in _names(_attribute(self._path, group, "field_names")):
            data = member(group, name)
            leading, info = self._leading(data, f"{_ORDERS[order]}/{name}")
            varying = np.asarray(_attribute(self._path, data, "dim_varying"), bool)
            axes = leading + SPACE[: len(self._names)] + components
            wanted = [n if varies else 1 for n, varies in zip(self._shape, varying, strict=True)]
            sizes = [{"n": self._samples, "t": len(self._times)}[letter] for letter in leading]
            check_shape(self._path, f"{_ORDERS[order]}/{name}", data, (*sizes, *wanted, *[len(self._names)] * order))
            for places in itertools.product(range(len(self._names)), repeat=order):
                suffix = "".join(self._names[place] for place in places)
                full = f"{name}_{suffix}" if suffix else name
                yield full, Variable(data, axes, info, dict(zip(components, places, strict=True)))

    def scalars(self, file: h5py.File) -> Iterator[tuple[str, Variable]]:
        """The scalars by name; one without axes is a single number."""
        group = subgroup(file, "scalars")
        for name in _names(_attribute(self._path, group, "field_names")):
            data = member(group, name)
            leading, info = self._leading(data, f"scalars/{name}")
            sizes = [{"n": self._samples, "t": len(self._times)}[letter] for letter in leading]
            check_shape(self._path, f"scalars/{name}", data, sizes)
            yield name, Variable(data, leading, info)

    def _leading(self, data: h5py.Dataset, name: str) -> tuple[str, FieldInfo]:
        """The axes before space, and what is known about a field."""
        varies = {axis: bool(_attribute(self._path, data, f"{axis}_varying")) for axis in ("sample", "time")}
        leading = "n" * varies["sample"] + "t" * varies["time"]
        note = "" if varies["time"] else "constant in time"
        return leading, FieldInfo(self._times if varies["time"] else self._times[:1], "1", note)


def _attribute(path: Path, holder: Any, name: str) -> Any:
    if name not in holder.attrs:
        raise refuse(path, f"{holder.name} without attribute {name!r}", "The Well's layout", "choose another source")
    value = holder.attrs[name]
    return value.decode() if isinstance(value, bytes) else value


def _names(values: Any) -> list[str]:
    return [value.decode() if isinstance(value, bytes) else str(value) for value in np.atleast_1d(values)]


def _boundaries(path: Path, file: h5py.File) -> dict[str, str]:
    """Dimension to the kind of its boundary, in small letters; several kinds are joined."""
    found: dict[str, set[str]] = {}
    group = subgroup(file, "boundary_conditions")
    for name in group:
        boundary = subgroup(group, str(name))
        for dimension in _names(_attribute(path, boundary, "associated_dims")):
            found.setdefault(dimension, set()).add(str(_attribute(path, boundary, "bc_type")).lower())
    return {dimension: "+".join(sorted(kinds)) for dimension, kinds in found.items()}
