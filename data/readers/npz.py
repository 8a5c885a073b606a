"""Opening NumPy's own files."""

import contextlib
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import DataError
from .reader import refuse

_HEADERS = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}


def open_npy(path: Path) -> np.ndarray:
    """The array of a .npy file, mapped into memory.

    Raises:
        DataError: for a file that is no array of numbers, or ends early.
    """
    with _explained(path, "an array (.npy)"):
        data = np.load(path, mmap_mode="r", allow_pickle=False)
        if not isinstance(data, np.ndarray) or data.dtype.kind not in "biuf":
            raise refuse(path, getattr(data, "dtype", "an archive"), "one array of real numbers", "save it so")
    return data


class ArchivedArray:
    """An array in a .npz archive: its shape is read at once, its numbers, all of them, with the first slice.

    Args:
        path: the archive.
        key: name of the array.

    Raises:
        DataError: for a file that is no archive, is damaged, or has no such array.
    """

    def __init__(self, path: Path, key: str):
        self._path, self._key = path, key
        self._values: np.ndarray | None = None
        with _explained(path, "an archive (.npz)"), zipfile.ZipFile(path) as archive:
            names = [name.removesuffix(".npy") for name in archive.namelist()]
            if key not in names:
                raise refuse(path, f"arrays {names[:8]}", f"one named {key!r}", "choose the source that wrote it")
            with archive.open(f"{key}.npy") as member:
                self.shape = _HEADERS[np.lib.format.read_magic(member)](member)[0]

    def __getitem__(self, index: Any) -> np.ndarray:
        values = self._values
        if values is None:
            with _explained(self._path, "an archive (.npz)"), np.load(self._path, allow_pickle=False) as archive:
                values = self._values = archive[self._key]
        return values[index]


@contextlib.contextmanager
def _explained(path: Path, wanted: str) -> Iterator[None]:
    """Whatever a damaged file leads to, as one error."""
    try:
        yield
    except DataError:
        raise
    except (OSError, ValueError, EOFError, KeyError, zipfile.BadZipFile, zlib.error) as error:
        size = path.stat().st_size if path.is_file() else 0
        raise refuse(path, f"a damaged file of {size} bytes ({error})", wanted, "fetch it again") from error
