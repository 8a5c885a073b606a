"""Writing a collection of somebody else's files as a data set of schema v1."""

import hashlib
import itertools
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import h5py
import numpy as np

from .collection import Collection, Piece, Selection, digest, fingerprint
from .errors import DataError
from .metadata import FieldStats, Metadata
from .moments import Moments
from .progress import ProgressReport
from .provenance import revision
from .readers.reader import Reader
from .schema import STATISTICS, VERSION, dataset, read_metadata, write_header
from .splits import data_root
from .writer import exclusive, prepare_folder, whole_file, write_stats


def conversion_key(reader: Reader, files: Sequence[Path], selection: Selection) -> str:
    """Hash of all that decides a converted file: layout, options, selection, name, size and time of every file."""
    content = [VERSION, reader.source, reader.version, vars(reader), selection.described(), fingerprint(reader, files)]
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]


def find_or_convert(
    reader: Reader, paths: Sequence[Path], selection: Selection, root: str | Path | None = None
) -> Path:
    """The converted file in the data folder, made where it is not there yet.

    Args:
        reader: of the format.
        paths: files, or folders of them.
        selection: what of them is kept.
        root: folder of data sets; $SPECTRAL_DATA, else `datasets`.

    Raises:
        DataError: for files that are not what the reader wants.
        StorageError: for a folder that cannot be written or is too small.
    """
    key = conversion_key(reader, [file for path in paths for file in reader.files(path)], selection)
    target = converted_path(reader, paths, key, root)
    if not target.exists():
        collection = Collection(reader, paths, selection)
        prepare_folder(target.parent, needed=0)
        with exclusive(target.parent):
            if not target.exists():
                write(collection, target, key)
    return target


def convert_to(target: Path, reader: Reader, paths: Sequence[Path], selection: Selection) -> None:
    """Converts into a file of that name.

    Raises:
        DataError: for files that are not what the reader wants, or a target that is there already.
        StorageError: for a folder that cannot be written or is too small.
    """
    collection = Collection(reader, paths, selection)
    prepare_folder(target.parent, _needed(collection), "name a file in another folder with --output")
    with exclusive(target.parent):
        if target.exists():
            raise DataError(
                f"--output: got {target}, which is there already, wanted a new file; delete it or name another"
            )
        write(collection, target, conversion_key(reader, collection.files, selection))


def _needed(collection: Collection) -> int:
    """Bytes of the file."""
    return collection.samples * (collection.sample_bytes + 256 * len(collection.fields)) + 2**16


def converted_path(reader: Reader, paths: Sequence[Path], key: str, root: str | Path | None = None) -> Path:
    """Where a converted set lies: named after its first file."""
    return data_root(root) / reader.source / f"{paths[0].stem}_{key[:10]}.h5"


def write(collection: Collection, target: Path, key: str) -> Metadata:
    """Writes a data set; memory holds a piece of one field at a time.

    Args:
        collection: the samples.
        target: the file to make.
        key: kept in the header.

    Returns:
        the header of the file.

    Raises:
        DataError: for files that are damaged, or a number that is not finite: names file, field and sample.
        StorageError: for a folder that cannot be written, or a full disk.
    """
    source = collection.reader.source
    # By field and first time of a piece: large samples come cut in time.
    moments: dict[tuple[str, int], Moments] = {}
    reduced = (0, *range(2, 2 + len(collection.box.shape)))
    title = f"{source}: {collection.files[0].name}"
    with whole_file(target, _needed(collection)) as file, ProgressReport(title, collection.samples) as progress:
        write_header(file, _metadata(collection, target, key))
        done = 0
        for piece in collection.pieces():
            name, start, time, values, _ = piece
            _check_finite(piece, collection)
            stop = start + len(values)
            dataset(file, f"fields/{name}")[start:stop, time : time + values.shape[1]] = values
            moments.setdefault((name, time), Moments(reduced)).update(values)
            progress.advance(stop - done)
            done = stop
        write_stats(file, _joined(moments))
        _write_source(file, collection)
    return read_metadata(target)


def _joined(moments: Mapping[tuple[str, int], Moments]) -> dict[str, FieldStats]:
    """The statistics of every field over all of its times."""
    parts: dict[str, list[FieldStats]] = {}
    for (name, _), moment in sorted(moments.items()):
        parts.setdefault(name, []).append(moment.stats())
    return {
        name: FieldStats(
            *(tuple(itertools.chain(*(getattr(part, statistic) for part in found))) for statistic in STATISTICS)
        )
        for name, found in parts.items()
    }


def _write_source(file: h5py.File, collection: Collection) -> None:
    found = [digest(collection.reader, path) for path in collection.files]
    reader = collection.reader
    options = {name: value for name, value in vars(reader).items() if value is not None}
    made = {"source": reader.source, "options": options, "selection": collection.selection.described()}
    file.create_group("source").attrs["made"] = json.dumps(made)
    file["source/names"] = [path.name for path in collection.files]
    file["source/bytes"] = [size for size, _ in found]
    file["source/sha256"] = [text for _, text in found]


def _check_finite(piece: Piece, collection: Collection) -> None:
    finite = np.isfinite(piece.values)
    if not finite.all():
        sample, time = (int(i) for i in np.argwhere(~finite)[0][:2])
        raise DataError(
            f"{piece.file}: got a number that is not finite in field {piece.name!r}, sample "
            f"{collection.rows[piece.start + sample]}, time index {piece.time + time}, wanted finite "
            "numbers; leave the sample out with range, the field with fields, or fetch the file again"
        )


def _metadata(collection: Collection, path: Path, key: str) -> Metadata:
    reader, box = collection.reader, collection.box
    return Metadata(
        path=path,
        equation=collection.equation,
        parameters=collection.parameters,
        generator={},
        revision=revision(),
        seed=0,
        compute_dtype="unknown",
        split="converted",
        samples=collection.samples,
        shape=box.shape,
        extent=box.extent,
        grid_type=box.grid_type,
        fields=collection.fields,
        stats={},
        inputs=collection.inputs,
        targets=collection.targets,
        content_key=key,
        generator_version=reader.version,
        origin=box.origin,
    )
