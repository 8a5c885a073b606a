"""The MATLAB files of the first Fourier neural operators: Burgers, Darcy and Navier-Stokes."""

import contextlib
import dataclasses
import functools
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar

import h5py
import numpy as np

from pdes.generators import FieldInfo

from ..guard import check_numbers, inside
from .hdf5 import open_hdf5
from .reader import Layout, Reader, Variable, check_shape, refuse

# Bytes of a variable that is read at once.
_WHOLE = 2**31


@dataclasses.dataclass(frozen=True)
class FnoMat(Reader):
    """Li et al.'s data sets; samples first, then x, y and, in Navier-Stokes, t.

    Burgers:        a, u (n, x): velocity at 0 and at 1, periodic on [0, 1).
    Darcy:          coeff, sol (n, x, y): permeability and pressure at the nodes of the unit square, both ends included.
    Navier-Stokes:  a (n, x, y), u (n, x, y, t), t: vorticity at 0 and at the times t, periodic on [0, 1)^2.

    Files of version 7.3 are HDF5 with reversed axes and are read in pieces; a variable whose chunks are compressed and
    hold several samples each would be unpacked again for every piece, and is read whole where it has at most 2 GiB.
    Those of version 5 (at most 2 GiB a variable) are always read whole. What is whole is kept until the file is closed.
    Smoothed copies and derivatives (`a_smooth`, `Kcoeff`, ...) are left out.

    Source: Li et al., "Fourier neural operator for parametric PDEs", 2021, and its published files.
    """

    source: ClassVar[str] = "fno_mat"
    suffixes: ClassVar[tuple[str, ...]] = (".mat",)

    @contextlib.contextmanager
    def open(self, path: Path) -> Iterator[Layout]:
        with _matrices(path) as matrices:
            if {"coeff", "sol"} <= set(matrices):
                yield self._darcy(path, matrices)
            elif {"a", "u", "t"} <= set(matrices) and len(matrices["u"].shape) == 4:
                yield self._navier_stokes(path, matrices)
            elif {"a", "u"} <= set(matrices):
                yield self._burgers(path, matrices)
            else:
                wanted = "a, u (Burgers), coeff, sol (Darcy) or a, u, t (Navier-Stokes)"
                raise refuse(path, f"variables {sorted(matrices)}", wanted, "choose the source that wrote it")

    def _burgers(self, path: Path, matrices: "Mapping[str, _Matrix]") -> Layout:
        a, u = matrices["a"], matrices["u"]
        check_shape(path, "a", a, (None, None))
        check_shape(path, "u", u, a.shape)
        variables = {
            "initial_velocity": a.variable("nx", FieldInfo((0.0,), "1", "velocity at the start")),
            "velocity": u.variable("nx", FieldInfo((1.0,), "1", "velocity at T = 1")),
        }
        box = self.place(path, a.shape[1:], extent=(1.0,), grid_type="periodic")
        return Layout("burgers", a.shape[0], box, variables, {"initial_velocity": (0,)}, {"velocity": (-1,)})

    def _darcy(self, path: Path, matrices: "Mapping[str, _Matrix]") -> Layout:
        coeff, sol = matrices["coeff"], matrices["sol"]
        check_shape(path, "coeff", coeff, (None, None, None))
        check_shape(path, "sol", sol, coeff.shape)
        variables = {
            "permeability": coeff.variable("nxy", FieldInfo((0.0,), "1", "")),
            "pressure": sol.variable("nxy", FieldInfo((0.0,), "1", "")),
        }
        box = self.place(path, coeff.shape[1:], extent=(1.0, 1.0), grid_type="node")
        return Layout("darcy", coeff.shape[0], box, variables, *_from_to("permeability", "pressure"))

    def _navier_stokes(self, path: Path, matrices: "Mapping[str, _Matrix]") -> Layout:
        a, u = matrices["a"], matrices["u"]
        times = tuple(np.asarray(matrices["t"][...], np.float64).ravel().tolist())
        check_shape(path, "a", a, (None, None, None))
        check_shape(path, "u", u, (*a.shape, len(times)))
        variables = {
            "initial_vorticity": a.variable("nxy", FieldInfo((0.0,), "1", "vorticity at the start")),
            "vorticity": u.variable("nxyt", FieldInfo(times, "1", "")),
        }
        # The file does not hold the viscosity; the published names do: ns_V1e-3_N5000_T50.
        named = re.search(r"_V(\d+(?:\.\d+)?(?:e-?\d+)?)_", path.name)
        parameters = {"viscosity": float(named[1])} if named else {}
        box = self.place(path, a.shape[1:], extent=(1.0, 1.0), grid_type="periodic")
        return Layout(
            "navier_stokes", a.shape[0], box, variables, *_from_to("initial_vorticity", "vorticity"), parameters
        )


def _from_to(source: str, target: str) -> tuple[dict[str, tuple[int]], dict[str, tuple[int]]]:
    return {source: (0,)}, {target: (-1,)}


class _Matrix:
    """A variable in MATLAB's order of axes, whichever way it is stored.

    Args:
        shape: as in MATLAB.
        load: gives what is sliced; called when something is read.
        reversed_axes: whether the stored axes are the other way round.
    """

    def __init__(self, shape: tuple[int, ...], load: Callable[[], Any], reversed_axes: bool):
        self.shape, self._load, self._reversed = shape, functools.cache(load), reversed_axes

    def __getitem__(self, key: Any) -> np.ndarray:
        data = self._load()
        return data[key[::-1]].transpose() if self._reversed and isinstance(key, tuple) else data[key]

    def variable(self, axes: str, info: FieldInfo) -> Variable:
        return Variable(self, axes, info)


@contextlib.contextmanager
def _matrices(path: Path) -> Iterator[dict[str, _Matrix]]:
    """The variables of a file, in any version of the format."""
    import scipy.io
    from scipy.io.matlab import MatReadError, matfile_version

    try:
        major, _ = matfile_version(str(path))
    except (OSError, ValueError, MatReadError) as error:
        size = path.stat().st_size if path.is_file() else 0
        raise refuse(path, f"no MATLAB file ({size} bytes)", "one of version 5 or 7.3", "fetch it again") from error
    if major == 0:
        fix = "save it in MATLAB with -v7 or -v7.3"
        raise refuse(path, "a file of version 4, or none of MATLAB", "one of version 5 or 7.3", fix)
    if major == 2:
        with open_hdf5(path) as file:
            # Groups, and MATLAB's own beside the variables, are none of ours.
            arrays = {name: data for name in map(str, file) if hasattr(data := inside(file, name), "shape")}
            for data in arrays.values():
                check_numbers(data)
            yield {
                name: _Matrix(data.shape[::-1], functools.partial(_stored, data), True) for name, data in arrays.items()
            }
        return

    def load(name: str) -> np.ndarray:
        try:
            return scipy.io.loadmat(str(path), variable_names=[name])[name]
        except Exception as error:  # a reader of bytes: what it runs into depends on where the file is torn
            raise refuse(path, f"damaged variable {name!r} ({error})", "a whole file", "fetch it again") from error

    _check_whole(path)
    try:
        held = scipy.io.whosmat(str(path))
    except Exception as error:  # as above
        raise refuse(path, f"a damaged MATLAB file ({error})", "a whole file", "fetch it again") from error
    yield {name: _Matrix(tuple(shape), lambda name=name: load(name), False) for name, shape, _ in held}


def _stored(data: h5py.Dataset) -> h5py.Dataset | np.ndarray:
    """A dataset with reversed axes, or all of its numbers where pieces would cost as much each."""
    several = data.compression is not None and data.chunks is not None and data.chunks[-1] > 1
    return data[()] if several and data.nbytes <= _WHOLE else data


def _check_whole(path: Path) -> None:
    """Refuses a file of version 5 that ends within a variable, which SciPy would leave out without a word."""
    size = path.stat().st_size
    with open(path, "rb") as file:
        order = "little" if file.read(128).endswith(b"IM") else "big"
        end = 128
        while end < size:
            file.seek(end + 4)  # the size of an element is the second word of its tag
            end += 8 + int.from_bytes(file.read(4), order)
    if end != size:
        raise refuse(path, f"a truncated file of {size} bytes", f"{end} or more", "fetch it again")
