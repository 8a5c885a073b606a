"""The door: `python -m data.convert pdebench 1D_Burgers_Sols_Nu0.01.hdf5 [--times 0:201:20] [--output FILE]`."""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from .errors import DataError
from .readers import SOURCES


def main(arguments: list[str] | None = None) -> None:
    """Converts published files to our schema, and prints what was found and written."""
    asked = _parser().parse_args(arguments)
    try:
        _convert(asked)
    except (DataError, OSError) as error:  # StorageError is an OSError
        sys.exit(f"error: {error}")


def _convert(asked: argparse.Namespace) -> None:
    # Numbers and files come in here: --help answers at once.
    from .collection import Collection
    from .conversion import conversion_key, converted_path, write
    from .foreign import selection_of
    from .readers.registry import build_reader
    from .schema import read_metadata

    reader = build_reader(asked.source, dict(map(_option, asked.option)))
    paths = [Path(path).expanduser() for path in asked.paths]
    values = {name: getattr(asked, name) for name in ("range", "samples", "times", "stride", "fields")}
    selection = selection_of({name: value for name, value in values.items() if value is not None})
    collection = Collection(reader, paths, selection)
    key = conversion_key(reader, collection.files, selection)
    if asked.output and Path(asked.output).expanduser().exists():
        raise DataError(
            f"--output: got {asked.output}, which is there already, wanted a new file; delete it or name another"
        )
    target = Path(asked.output).expanduser() if asked.output else converted_path(reader, paths, key)
    if asked.output is None and target.exists():
        metadata, done = read_metadata(target), "found"
    else:
        metadata, done = write(collection, target, key), "wrote"
    box, shape = metadata.box, "x".join(map(str, metadata.shape))
    print(f"{reader.source}: {metadata.equation}, {metadata.samples} samples of {len(collection.files)} file(s)")
    print(f"  {shape} points ({box.grid_type}), sides {_list(box.extent)} from {_list(box.origin)}")
    for name, value in metadata.parameters.items():
        print(f"  {name} = {value}")
    for name, field in metadata.fields.items():
        times = f"{len(field.times)} times, {field.times[0]:g} to {field.times[-1]:g}"
        print(f"  {name:24s} {times if len(field.times) > 1 else 'one time'}  {field.description}".rstrip())
    print(f"  inputs {dict(metadata.inputs)}, targets {dict(metadata.targets)}")
    print(f"{done} {target}: {target.stat().st_size:,} bytes", flush=True)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m data.convert",
        description="Convert published data sets to the schema that training reads: docs/data.md.",
    )
    parser.add_argument("source", metavar="SOURCE", help=f"one of {', '.join(SOURCES)}")
    parser.add_argument("paths", metavar="PATH", nargs="+", help="files of one layout, or folders of them")
    parser.add_argument("--output", help="file to write; by default one in the data folder, found by its content")
    parser.add_argument("--range", type=_numbers, help="samples FIRST:END, such as 0:1000", metavar="FIRST:END")
    parser.add_argument("--samples", type=int, help="at most so many of them", metavar="N")
    parser.add_argument("--times", type=_times, help="time indices, such as 0:50:10 or 0,10,20")
    parser.add_argument("--stride", type=_numbers, help="every so-manyth point: 2, or 2,4 per axis")
    parser.add_argument("--fields", type=lambda text: text.split(","), help="the fields to keep: velocity_x,pressure")
    parser.add_argument(
        "--option", action="append", default=[], metavar="NAME=VALUE",
        help="of the format, such as extent=[1,1], grid_type=periodic, camera=3",
    )  # fmt: skip
    return parser


def _numbers(text: str) -> Any:
    parts = [int(part) for part in text.replace(":", ",").split(",")]
    return parts[0] if len(parts) == 1 else parts


def _times(text: str) -> Any:
    return text if ":" in text else [int(part) for part in text.split(",")]


def _option(text: str) -> tuple[str, Any]:
    name, found, value = text.partition("=")
    if not found:
        raise DataError(f"--option: got {text!r}, wanted NAME=VALUE, such as extent=[1,1]")
    try:
        return name, json.loads(value)
    except ValueError:
        return name, value  # text


def _list(values: tuple[float, ...]) -> str:
    return "(" + ", ".join(f"{value:g}" for value in values) + ")"


if __name__ == "__main__":
    main()
