"""What a file of unknown origin may not do: lead elsewhere, or promise what it does not hold."""

import math
from typing import Any

import h5py

from .errors import DataError

# What deflate makes of zeros is half of this.
_MOST_COMPRESSED = 2000
_NOT_COMPRESSING = (h5py.h5z.FILTER_SHUFFLE, h5py.h5z.FILTER_FLETCHER32)
# Without a filter, chunks that were never written cost nothing on the disk and all of it in memory.
_SMALL = 2**20
# A chunk is unpacked whole, whatever is asked of it.
_LARGEST_CHUNK = 2**26


def inside(group: h5py.Group, name: str) -> Any:
    """The member of a group, where every step to it stays in the file.

    Raises:
        DataError: for a link to another file, or one that leads nowhere.
    """
    found: Any = group
    for part in name.strip("/").split("/"):
        link = found.get(part, getlink=True) if isinstance(found, h5py.Group) else None
        if link is None:
            return None
        if isinstance(link, h5py.ExternalLink):
            raise _refuse(found, part, f"a link into the file {link.filename!r}", "data in this file")
        if isinstance(link, h5py.SoftLink):
            raise _refuse(found, part, f"a link to {link.path!r}", "data in its place")
        found = found[part]
    return found


def check_numbers(data: h5py.Dataset) -> None:
    """Looks at what a dataset says about itself before anything is read or allocated.

    Raises:
        DataError: for one whose values lie in another file, that holds no numbers, or that promises far more than it
            has stored.
    """
    if data.external or data.is_virtual:
        raise _refuse(data, "", "values that lie in another file", "values in this file")
    if data.dtype.kind not in "biuf":
        raise _refuse(data, "", f"values of type {data.dtype}", "real numbers")
    if data.shape is None:
        raise _refuse(data, "", "a dataset without a shape", "numbers")
    if data.chunks and data.dtype.itemsize * math.prod(data.chunks) > max(
        _LARGEST_CHUNK, 2 * data.dtype.itemsize * math.prod(data.shape)
    ):
        raise _refuse(
            data, "", f"chunks of {data.chunks} for values of shape {data.shape}", "chunks no larger than that"
        )
    stored, promised = data.id.get_storage_size(), data.dtype.itemsize * math.prod(map(int, data.shape))
    made = data.id.get_create_plist()
    compressed = any(made.get_filter(i)[0] not in _NOT_COMPRESSING for i in range(made.get_nfilters()))
    if promised > max(_SMALL, stored * (_MOST_COMPRESSED if compressed else 1)):
        raise _refuse(data, "", f"{data.shape} values in {stored:,} bytes", f"{promised:,} bytes, as it promises")


def _refuse(found: h5py.Group | h5py.Dataset, name: str, got: str, wanted: str) -> DataError:
    where = f"{str(found.name).rstrip('/')}/{name}".rstrip("/")
    return DataError(f"{found.file.filename}: got {got} at {where}, wanted {wanted}; fetch or make the file again")
