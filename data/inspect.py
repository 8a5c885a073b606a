"""Door: `python -m data.inspect FILE`: schema, statistics, spectra, resolution, and a picture."""

import argparse
import sys
from pathlib import Path

from .errors import DataError

_ABOUT = """Prints what a data set says about itself, the statistics of its fields, where in wavenumber their variance
is and how well its grid resolves them, and draws some of its samples."""


def main() -> None:
    """Prints the description and writes the contact sheet."""
    parser = argparse.ArgumentParser(prog="python -m data.inspect", description=_ABOUT)
    parser.add_argument("file", type=Path, help="a data set of schema v1")
    parser.add_argument("--picture", type=Path, help="PNG to write (default: the file's name in this folder)")
    parser.add_argument("--samples", type=int, default=4, help="rows of the picture (default 4)")
    parser.add_argument("--no-picture", action="store_true", help="words and numbers only")
    arguments = parser.parse_args()
    if not 1 <= arguments.samples <= 32:
        parser.error(f"--samples: got {arguments.samples}, wanted 1 to 32 rows")
    if arguments.picture and arguments.picture.suffix != ".png":
        parser.error(f"--picture: got {arguments.picture}, wanted a name that ends in .png")
    try:
        _inspect(arguments)
    except (DataError, OSError) as error:
        sys.exit(f"error: {error}")


def _inspect(arguments: argparse.Namespace) -> None:
    # JAX starts here: --help answers at once.
    from . import inspection
    from .contact_sheet import contact_sheet
    from .schema import read_metadata

    metadata = read_metadata(arguments.file)
    for line in inspection.describe_header(metadata):
        print(line, flush=True)
    if metadata.grid_type == "cloud":
        print("points in no order have no spectrum and no picture")
        return
    spectra = inspection.spectra(metadata)
    print()
    for line in inspection.describe_fields(metadata, spectra):
        print(line)
    print()
    for name in metadata.fields:
        tail = max(one.tail for (field, _), one in spectra.items() if field == name)
        print(f"{name}: {inspection.judge(tail)}, {tail:.1e} of its norm in the outermost tenth of frequencies")
    if not arguments.no_picture:
        path = arguments.picture or Path(f"{arguments.file.stem}.png")
        print(contact_sheet(path, metadata, spectra, arguments.samples))


if __name__ == "__main__":
    main()
