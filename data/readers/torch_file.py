"""Tensors in files of `torch.save`, read without torch and without executing anything that they name."""

import collections
import io
import math
import pickle
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import numpy as np

from .reader import refuse

# bfloat16 has no NumPy type; a data set holds none.
_STORAGES = {
    "BoolStorage": "?",
    "ByteStorage": "u1",
    "CharStorage": "i1",
    "ShortStorage": "i2",
    "IntStorage": "i4",
    "LongStorage": "i8",
    "HalfStorage": "f2",
    "FloatStorage": "f4",
    "DoubleStorage": "f8",
}
_LOCAL_HEADER = 30  # bytes before the name of a member


def open_tensors(path: Path) -> dict[str, np.ndarray]:
    """The tensors of a dictionary by name, mapped into memory and read-only.

    A file is an archive of a pickled description and one member of raw numbers per storage. The description is
    unpickled with the few names that tensors need; any other is refused, not called.

    Args:
        path: a file of `torch.save` of version 1.6 or later.

    Raises:
        DataError: for a file that is damaged, older, holds no dictionary, or names anything but tensors.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            (described,) = (name for name in archive.namelist() if name.endswith("/data.pkl"))
            content = _Unpickler(path, archive, described.removesuffix("data.pkl")).load()
    except (zipfile.BadZipFile, OSError, EOFError, pickle.UnpicklingError, KeyError, IndexError, ValueError) as error:
        size = path.stat().st_size if path.is_file() else 0
        raise refuse(
            path, f"a file of {size} bytes that is damaged or no archive of tensors ({error})",
            "one of torch.save, of version 1.6 or later", "fetch it again, or save it again with torch",
        ) from error  # fmt: skip
    if not isinstance(content, Mapping):
        raise refuse(path, f"a {type(content).__name__}", "a dictionary of tensors", "save {'x': x, 'y': y}")
    return {str(name): value for name, value in content.items() if isinstance(value, np.ndarray)}


class _Unpickler(pickle.Unpickler):
    """Knows tensors alone.

    Args:
        path: of the archive.
        archive: the same, open.
        folder: of the members in it.
    """

    def __init__(self, path: Path, archive: zipfile.ZipFile, folder: str):
        super().__init__(io.BytesIO(archive.read(f"{folder}data.pkl")))
        self._path, self._archive, self._folder = path, archive, folder
        order = f"{folder}byteorder"
        big = order in archive.namelist() and archive.read(order) == b"big"
        self._order: Literal["<", ">"] = ">" if big else "<"

    def find_class(self, module_name: str, global_name: str) -> Any:
        if module_name in ("torch", "torch.storage") and global_name in _STORAGES:
            return np.dtype(_STORAGES[global_name]).newbyteorder(self._order)
        if (module_name, global_name) == ("torch._utils", "_rebuild_tensor_v2"):
            return _tensor
        if (module_name, global_name) == ("collections", "OrderedDict"):
            return collections.OrderedDict
        raise pickle.UnpicklingError(f"it names {module_name}.{global_name}")

    def persistent_load(self, pid: Any) -> np.ndarray:
        kind, dtype, key, _, count = pid
        if kind != "storage" or not isinstance(dtype, np.dtype):
            raise pickle.UnpicklingError(f"it holds a {kind} of {dtype}")
        member = self._archive.getinfo(f"{self._folder}data/{key}")
        if member.file_size < count * dtype.itemsize:
            raise pickle.UnpicklingError(f"storage {key} has {member.file_size} bytes of {count * dtype.itemsize}")
        if member.compress_type != zipfile.ZIP_STORED:
            return np.frombuffer(self._archive.read(member), dtype, count)
        with open(self._path, "rb") as file:
            file.seek(member.header_offset)
            header = file.read(_LOCAL_HEADER)
        # The local header has lengths of its own: torch pads members there, so that they begin at round addresses.
        lengths = int.from_bytes(header[26:28], "little") + int.from_bytes(header[28:30], "little")
        start = member.header_offset + _LOCAL_HEADER + lengths
        return np.memmap(self._path, dtype, "r", offset=start, shape=(count,))


def _tensor(storage: np.ndarray, offset: int, size: tuple[int, ...], stride: tuple[int, ...], *_: Any) -> np.ndarray:
    """A view of a storage; strides count numbers."""
    last = offset + sum((n - 1) * step for n, step in zip(size, stride, strict=True))
    if math.prod(size) and not (0 <= offset <= last < len(storage) and min(stride, default=1) >= 0):
        raise pickle.UnpicklingError("a tensor reaches beyond its storage")
    steps = tuple(step * storage.itemsize for step in stride)
    return np.lib.stride_tricks.as_strided(storage[offset:], size, steps, writeable=False)
