"""PDEBench's HDF5 files, in the three dialects that they come in."""

import contextlib
import dataclasses
import math
import re
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

import h5py
import numpy as np

from pdes.generators import FieldInfo

from .hdf5 import member, numbers, open_hdf5, scalars, subgroup
from .reader import SPACE, Layout, Reader, Variable, check_shape, equal_rows, first_to_last, refuse

_VELOCITIES = {"Vx": "velocity_x", "Vy": "velocity_y", "Vz": "velocity_z"}
# Groups, one a sample, by the number of space axes and of components. The generator of the reaction-diffusion set
# reshapes to (t, Ny, Nx); that of the shallow water set keeps (t, x, y).
_IN_GROUPS = {
    (1, 1): ("diffusion_sorption", ("concentration",), "tx"),
    (2, 1): ("shallow_water", ("height",), "txy"),
    (2, 2): ("reaction_diffusion", ("activator", "inhibitor"), "tyx"),
}


@dataclasses.dataclass(frozen=True)
class PDEBench(Reader):
    """Time after sample, then x, y, z; one component an array or last.

    One array:      tensor (n, t, x): advection, Burgers, reaction-diffusion, all periodic; with `nu` (n, x, y) Darcy.
    Compressible:   density, pressure, Vx[, Vy[, Vz]] (n, t, x[, y[, z]]); the file name says periodic or trans.
    Incompressible: velocity, particles (n, t, x, y, c), force (n, x, y, c), t (n, t); cells between walls, a box whose
                    size the file does not state.
    In groups:      0000/data (t, space, c), 0000/grid/x, ...: shallow water, reaction-diffusion, diffusion-sorption.

    `t-coordinate` of the first two has an entry more than there are snapshots: edges of time steps; an entry is the
    time of the snapshot of its index. Points are cell centres, as their coordinates state.

    Source: Takamoto et al., "PDEBench", NeurIPS 2022, and the scripts that made and merged its files.
    """

    source: ClassVar[str] = "pdebench"
    suffixes: ClassVar[tuple[str, ...]] = (".hdf5", ".h5")
    version: ClassVar[int] = 2  # 1 took Eta1.e-8 in a file's name for 1

    @contextlib.contextmanager
    def open(self, path: Path) -> Iterator[Layout]:
        with open_hdf5(path) as file:
            names = set(file)
            if {"tensor", "nu"} <= names:
                yield self._darcy(path, file)
            elif "tensor" in names:
                yield self._scalar(path, file)
            elif "density" in names:
                yield self._compressible(path, file)
            elif "velocity" in names:
                yield self._incompressible(path, file)
            elif names and all(re.fullmatch(r"\d+", name) for name in names):
                yield self._grouped(path, file)
            else:
                raise refuse(
                    path, f"an HDF5 file of {sorted(names)[:8]}", "tensor, density, velocity or groups 0000, ...",
                    "choose the source that wrote it",
                )  # fmt: skip

    def _scalar(self, path: Path, file: h5py.File) -> Layout:
        tensor = member(file, "tensor")
        check_shape(path, "tensor", tensor, (None, None, None))
        parameters = _named(file, path)
        lower = {name.lower() for name in parameters}
        equation = "advection" if "beta" in lower else "reaction_diffusion" if "rho" in lower else "burgers"
        if equation == "burgers" and "nu" in parameters:
            parameters["viscosity"] = parameters["nu"] / math.pi  # u_t + (u^2/2)_x = nu/pi u_xx
        if not lower & {"beta", "rho", "nu"}:
            equation = "pdebench"
        box = self.place(
            path,
            tensor.shape[2:],
            coordinates=[numbers(file, "x-coordinate")],
            grid_type=None if equation == "pdebench" else "periodic",
        )
        check_shape(path, "tensor", tensor, (None, None, *box.shape))
        variables = {"u": Variable(tensor, "ntx", FieldInfo(_times(path, file, tensor.shape[1]), "1", ""))}
        return Layout(equation, tensor.shape[0], box, variables, *first_to_last("u"), parameters)

    def _darcy(self, path: Path, file: h5py.File) -> Layout:
        tensor, nu = member(file, "tensor"), member(file, "nu")
        box = self.place(path, nu.shape[1:], coordinates=_coordinates(file, 2), grid_type="cell")
        check_shape(path, "nu", nu, (None, *box.shape))
        check_shape(path, "tensor", tensor, (nu.shape[0], 1, *box.shape))
        variables = {
            "permeability": Variable(nu, "nxy", FieldInfo((0.0,), "1", "")),
            "pressure": Variable(tensor, "ntxy", FieldInfo((0.0,), "1", "")),
        }
        maps = {"permeability": (0,)}, {"pressure": (0,)}
        return Layout("darcy", nu.shape[0], box, variables, *maps, _named(file, path))

    def _compressible(self, path: Path, file: h5py.File) -> Layout:
        density = member(file, "density")
        ndim = len(density.shape) - 2
        if not 1 <= ndim <= 3:
            raise refuse(path, f"density of shape {density.shape}", "(n, t, x[, y[, z]])", "fetch the file again")
        known = "periodic" if "periodic" in path.name else "cell" if "trans" in path.name else None
        box = self.place(path, density.shape[2:], coordinates=_coordinates(file, ndim), grid_type=known)
        names = {"density": "density", "pressure": "pressure", **dict(list(_VELOCITIES.items())[:ndim])}
        info = FieldInfo(_times(path, file, density.shape[1]), "1", "")
        variables = {}
        for stored, name in names.items():
            check_shape(path, stored, member(file, stored), (*density.shape[:2], *box.shape))
            variables[name] = Variable(member(file, stored), "nt" + SPACE[:ndim], info)
        maps = first_to_last(*variables)
        return Layout("compressible_navier_stokes", density.shape[0], box, variables, *maps, _named(file, path))

    def _incompressible(self, path: Path, file: h5py.File) -> Layout:
        velocity, particles, force = (member(file, name) for name in ("velocity", "particles", "force"))
        check_shape(path, "velocity", velocity, (None, None, None, None, 2))
        samples, times, *shape = velocity.shape[:4]
        check_shape(path, "particles", particles, (samples, times, *shape, 1))
        check_shape(path, "force", force, (samples, *shape, 2))
        check_shape(path, "t", member(file, "t"), (samples, times))
        info = FieldInfo(tuple(equal_rows(path, numbers(file, "t"), "times").tolist()), "1", "")
        once = FieldInfo((0.0,), "1", "constant in time")
        variables = {
            **{f"velocity_{x}": Variable(velocity, "ntxyc", info, {"c": i}) for i, x in enumerate("xy")},
            "particles": Variable(particles, "ntxyc", info, {"c": 0}),
            **{f"force_{x}": Variable(force, "nxyc", once, {"c": i}) for i, x in enumerate("xy")},
        }
        box = self.place(path, shape, grid_type="cell")
        moving = ("velocity_x", "velocity_y", "particles")
        maps = first_to_last(*moving, given=("force_x", "force_y"))
        return Layout("navier_stokes_particles", samples, box, variables, *maps, scalars(file))

    def _grouped(self, path: Path, file: h5py.File) -> Layout:
        groups = sorted(map(str, file))
        first = subgroup(file, groups[0])
        data, grid = member(first, "data"), subgroup(first, "grid")
        known = _IN_GROUPS.get((len(data.shape) - 2, data.shape[-1]))
        if known is None:
            raise refuse(path, f"data of shape {data.shape}", "(t, x, 1), (t, x, y, 1) or (t, y, x, 2)", "another file")
        equation, names, axes = known
        space = [letter for letter in SPACE if letter in axes]
        box = self.place(
            path,
            [data.shape[axes.index(letter)] for letter in space],
            coordinates=[numbers(grid, letter) for letter in space],
            grid_type="cell",
        )
        rows = {letter: numbers(grid, letter) for letter in ("t", *space)}
        sizes = {"t": len(rows["t"]), **dict(zip(space, box.shape, strict=True))}
        stack = _Groups(path, file, groups, (*(sizes[letter] for letter in axes), len(names)), rows)
        info = FieldInfo(tuple(rows["t"].tolist()), "1", "")
        variables = {name: Variable(stack, f"n{axes}c", info, {"c": i}) for i, name in enumerate(names)}
        return Layout(equation, len(groups), box, variables, *first_to_last(*names), scalars(file))


class _Groups:
    """The samples of a file with one group for each, as one array."""

    def __init__(
        self, path: Path, file: h5py.File, groups: list[str], shape: tuple[int, ...], rows: dict[str, np.ndarray]
    ):
        self._path, self._file, self._groups, self._rows = path, file, groups, rows
        self.shape = (len(groups), *shape)
        check_shape(path, f"{groups[0]}/data", member(file, f"{groups[0]}/data"), shape)

    def __getitem__(self, key: tuple) -> np.ndarray:
        parts = []
        for name in self._groups[key[0]]:
            data = member(self._file, f"{name}/data")
            check_shape(self._path, f"{name}/data", data, self.shape[1:])
            self._check_rows(name)
            parts.append(data[key[1:]])
        return np.stack(parts)

    def _check_rows(self, name: str) -> None:
        """Refuses a group with other times or points than the first."""
        for letter, row in self._rows.items():
            found = numbers(self._file, f"{name}/grid/{letter}")
            if found.shape != row.shape:
                raise refuse(
                    self._path, f"{len(found)} {letter} in {name}/grid", f"{len(row)}", "split the file by them"
                )
            equal_rows(self._path, np.stack([row, found]), f"{letter} of {self._groups[0]} and {name}")


def _coordinates(file: h5py.File, ndim: int) -> list[np.ndarray]:
    return [numbers(file, f"{letter}-coordinate") for letter in SPACE[:ndim]]


def _times(path: Path, file: h5py.File, snapshots: int) -> tuple[float, ...]:
    times = numbers(file, "t-coordinate")
    if len(times) not in (snapshots, snapshots + 1):
        raise refuse(path, f"{len(times)} times of {snapshots} snapshots", "as many, or one more", "fetch it again")
    return tuple(times[:snapshots].tolist())


def _named(file: h5py.File, path: Path) -> dict[str, float]:
    """The parameters in the attributes, and those that the published file names state."""
    pairs = re.findall(r"(?:^|_)(beta|Nu|Rho|Eta|Zeta|M)(\d+\.?\d*(?:e[+-]?\d+)?)(?=_|\.h|$)", path.name)
    stated = {name.lower(): float(value) for name, value in pairs}
    return stated | {name.lower(): value for name, value in scalars(file).items()}
