"""Opening HDF5 files that others wrote."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

import h5py
import numpy as np

from ..guard import check_numbers, inside
from ..schema import SCHEMA
from .reader import refuse


@contextlib.contextmanager
def open_hdf5(path: Path, own: bool = False) -> Iterator[h5py.File]:
    """A file open for reading.

    Raises:
        DataError: for one that is missing, empty, truncated or no HDF5 file, and unless `own` for one of our schema.
    """
    try:
        file = h5py.File(path, "r")
    except OSError as error:
        size = path.stat().st_size if path.is_file() else 0
        reason = "truncated" if "truncated" in str(error) else "no HDF5"
        raise refuse(path, f"{reason} file of {size} bytes", "an HDF5 file", "fetch it again") from error
    with file:
        if not own and file.attrs.get("schema") == SCHEMA:
            raise refuse(path, f"a set of the schema {SCHEMA!r}", "somebody else's file", "choose the source own")
        yield file


def member(group: h5py.Group, name: str) -> h5py.Dataset:
    """A dataset below a group.

    Raises:
        DataError: where there is none of that name, and lists what there is; for one that `data.guard` refuses.
    """
    found = inside(group, name)
    if not isinstance(found, h5py.Dataset):
        held = ", ".join(sorted(map(str, group))[:12])
        where = Path(group.file.filename)
        raise refuse(where, f"{group.name} with {held}", f"a dataset {name!r}", "choose the source that wrote it")
    check_numbers(found)
    return found


def subgroup(group: h5py.Group, name: str) -> h5py.Group:
    """A group below a group.

    Raises:
        DataError: where there is none of that name.
    """
    found = inside(group, name)
    if not isinstance(found, h5py.Group):
        held = ", ".join(sorted(map(str, group))[:12])
        where = Path(group.file.filename)
        raise refuse(where, f"{group.name} with {held}", f"a group {name!r}", "choose the source that wrote it")
    return found


def numbers(group: h5py.Group, name: str) -> np.ndarray:
    """All values of a small dataset, float64."""
    return np.asarray(member(group, name)[()], np.float64)


def scalars(group: h5py.Group) -> dict[str, float]:
    """The attributes that are single numbers."""
    found = {str(name): np.asarray(value) for name, value in group.attrs.items()}
    return {name: float(value) for name, value in found.items() if value.size == 1 and value.dtype.kind in "biuf"}
