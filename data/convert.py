"""The door: `python -m data.convert pdebench 1D_Burgers_Sols_Nu0.01.hdf5 [--times 0:201:20] [--output FILE]`."""

import argparse
import json
import re
import sys
from pathlib import Path
from typing import Any

from .errors import DataError
from .readers import SOURCES

_FORMS = {
    "range": "FIRST:END, such as 0:1000",
    "samples": "a whole number, such as 100",
    "times": "indices such as 0:50:10 or 0,10,20",
    "stride": "whole numbers, such as 2, or 2,4 per axis",
}


def main(arguments: list[str] | None = None) -> None:
    """Converts published files to our schema, and prints what was found and written."""
    try:
        asked = _parser().parse_args(_joined(sys.argv[1:] if arguments is None else arguments))
        _convert(asked)
    except (DataError, OSError) as error:  # StorageError is an OSError
        sys.exit(f"error: {error}")


def _convert(asked: argparse.Namespace) -> None:
    # Numbers and files come in here: --help answers at once.
    from .conversion import conversion_key, convert_to, converted_path, find_or_convert
    from .foreign import selection_of
    from .readers.registry import build_reader
    from .schema import read_metadata

    reader = build_reader(asked.source, dict(map(_option, asked.option)))
    paths = [Path(path).expanduser() for path in asked.paths]
    given = {name: getattr(asked, name) for name in _FORMS} | {"fields": asked.fields and asked.fields.split(",")}
    selection = selection_of({name: _parsed(name, text) for name, text in given.items()})
    files = [file for path in paths for file in reader.files(path)]
    if asked.output:
        target, done = Path(asked.output).expanduser(), "wrote"
        convert_to(target, reader, paths, selection)
    else:
        known = converted_path(reader, paths, conversion_key(reader, files, selection))
        done = "found" if known.exists() else "wrote"
        target = find_or_convert(reader, paths, selection)
    metadata = read_metadata(target)
    box, shape = metadata.box, "x".join(map(str, metadata.shape))
    print(f"{reader.source}: {metadata.equation}, {metadata.samples} samples of {len(files)} file(s)")
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
    parser.add_argument("--range", help="samples FIRST:END, such as 0:1000", metavar="FIRST:END")
    parser.add_argument("--samples", help="at most so many of them", metavar="N")
    parser.add_argument("--times", help="time indices, such as 0:50:10 or 0,10,20")
    parser.add_argument("--stride", help="every so-manyth point: 2, or 2,4 per axis")
    parser.add_argument("--fields", help="the fields to keep: velocity_x,pressure")
    parser.add_argument(
        "--option", action="append", default=[], metavar="NAME=VALUE",
        help="of the format, such as extent=[1,1], grid_type=periodic, camera=3",
    )  # fmt: skip
    return parser


def _joined(words: list[str]) -> list[str]:
    """Words in which `--range -1:3` is one: a value that begins with a minus is none to argparse, or another option."""
    found: list[str] = []
    for word in words:
        if found and found[-1].removeprefix("--") in _FORMS and re.match(r"-\d", word):
            found[-1] += f"={word}"
        else:
            found.append(word)
    return found


def _parsed(name: str, value: Any) -> Any:
    """The value of an option that selects, from its text."""
    if not isinstance(value, str) or (name == "times" and ":" in value):
        return value
    try:
        parts = [int(part) for part in (value.replace(":", ",") if name == "range" else value).split(",")]
    except ValueError as error:
        raise DataError(f"--{name}: got {value!r}, wanted {_FORMS[name]}") from error
    return parts[0] if name in ("samples", "stride") and len(parts) == 1 else parts


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
