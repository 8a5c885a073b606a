"""What a reader of somebody else's files gives: fields that are read in pieces, and what is known about them."""

import abc
import dataclasses
import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from pdes.generators import FieldInfo

from ..errors import DataError
from ..metadata import FieldMap
from ..points import Box

SPACE = "xyz"


def refuse(path: Path, got: object, wanted: object, fix: str) -> DataError:
    """The one-line error that every reader raises."""
    return DataError(f"{path}: got {got}, wanted {wanted}; {fix}")


def check_option(name: str, value: object, sound: bool, wanted: str) -> None:
    """Refuses a bad option of a format.

    Raises:
        DataError: where it is not sound.
    """
    if not sound:
        raise DataError(f"options.{name}: got {value!r}, wanted {wanted}")


def check_step(dt: object) -> None:
    """Refuses a time step that is neither left out nor a positive number."""
    check_option("dt", dt, dt is None or _positive(dt), "a positive number, or null to count")


def _positive(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and 0 < value < math.inf


@dataclasses.dataclass(frozen=True)
class Variable:
    """One field in an open file: any array, with a letter for each of its axes.

    Args:
        data: what is sliced as NumPy arrays are; nothing of it is read before `read`.
        axes: a letter per axis: n samples, t times, x y z space, anything else an axis of which one place is taken.
            A field without n, t or a space axis is constant along it.
        info: times, unit and description; one time where there is no axis t.
        places: place on each axis with another letter.
    """

    data: Any
    axes: str
    info: FieldInfo
    places: Mapping[str, int] = dataclasses.field(default_factory=dict)

    def size(self, letter: str) -> int:
        """Points along an axis; 1 where the field is constant."""
        return self.data.shape[self.axes.index(letter)] if letter in self.axes else 1

    def read(self, letters: str, index: Mapping[str, slice | list[int]]) -> np.ndarray:
        """A part of the field, float32.

        Args:
            letters: the axes of the result, such as "ntxy".
            index: what to take along them; everything where nothing is said.

        Returns:
            an array with one axis per letter, of length 1 where the field is constant along it.

        Raises:
            OverflowError: for a number that float32 does not hold.
        """
        # A place is a slice of length one: a whole number beside a list would move the axes of a NumPy array.
        chosen = {**index, **{letter: slice(place, place + 1) for letter, place in self.places.items()}}
        key = tuple(
            slice(None) if size == 1 else chosen.get(letter, slice(None))
            for letter, size in zip(self.axes, self.data.shape, strict=True)
        )
        values = np.asarray(self.data[key])
        if values.dtype.kind not in "biuf":
            raise TypeError(f"values of type {values.dtype} in place of real numbers")
        own = [letter for letter in letters if letter in self.axes]
        rest = [letter for letter in self.axes if letter not in letters]
        values = values.transpose([self.axes.index(letter) for letter in (*own, *rest)])
        values = values.reshape([values.shape[own.index(letter)] if letter in own else 1 for letter in letters])
        with np.errstate(over="ignore"):
            found = np.ascontiguousarray(values, np.float32)
        if values.dtype.itemsize > found.itemsize:
            lost = np.isinf(found) & np.isfinite(values)
            if lost.any():
                raise OverflowError(f"{values[lost][0]:g}")
        return found


@dataclasses.dataclass(frozen=True)
class Layout:
    """What one open file holds.

    Args:
        equation: name of the equation, or of the set where that is not known.
        samples: number of trajectories.
        box: where the points are.
        variables: field to where it is in the file.
        inputs: default map of input channels.
        targets: default map of target channels.
        parameters: physical parameters; one that differs between the files of a set becomes a constant field.
    """

    equation: str
    samples: int
    box: Box
    variables: Mapping[str, Variable]
    inputs: FieldMap
    targets: FieldMap
    parameters: Mapping[str, float | str] = dataclasses.field(default_factory=dict)

    @property
    def letters(self) -> str:
        """The axes of a field in our files."""
        return "nt" + SPACE[: len(self.box.shape)]

    @property
    def fields(self) -> dict[str, FieldInfo]:
        return {name: variable.info for name, variable in self.variables.items()}


@dataclasses.dataclass(frozen=True)
class Reader(abc.ABC):
    """A published layout. The fields of a subclass are the options of the format, as a config states
    them: of any type until they are checked.

    Args:
        extent: side lengths of the box, for files that do not state it.
        grid_type: periodic, cell or node, likewise.
    """

    source: ClassVar[str]  # the name under which it is asked for
    suffixes: ClassVar[tuple[str, ...]]  # of its files
    version: ClassVar[int] = 1  # raised by hand where what is read changes: files converted before are made again

    extent: tuple[float | int, ...] | None = None
    grid_type: str | None = None

    def __post_init__(self) -> None:
        kinds = (None, "periodic", "cell", "node")
        check_option("grid_type", self.grid_type, self.grid_type in kinds, "periodic, cell or node")
        lengths = self.extent
        sound = lengths is None or (isinstance(lengths, tuple) and len(lengths) > 0 and all(map(_positive, lengths)))
        check_option("extent", lengths, sound, "a positive length for every axis, such as [1, 1]")

    def files(self, path: Path) -> list[Path]:
        """The files of a path: itself, or those in a folder, by name."""
        if not path.exists():
            raise refuse(path, "nothing there", f"a file or a folder of {self.source}", "correct the path")
        if not path.is_dir():
            return [path]
        found = sorted(file for file in path.iterdir() if file.suffix in self.suffixes)
        if not found:
            raise refuse(path, "a folder without them", f"files {' '.join(self.suffixes)}", "name the files or another")
        return found

    def contents(self, file: Path) -> list[Path]:
        """What lies on the disk for one entry of `files`."""
        return [file]

    @abc.abstractmethod
    def open(self, path: Path) -> AbstractContextManager[Layout]:
        """The layout of one of `files`, whose fields can be read while the context lasts.

        Raises:
            DataError: for a file that is missing, truncated, of another layout, or does not say what an option must.
        """

    def place(
        self,
        path: Path,
        shape: Sequence[int],
        *,
        coordinates: Sequence[np.ndarray] | None = None,
        extent: Sequence[float] | None = None,
        grid_type: str | None = None,
    ) -> Box:
        """Where the points are: options before what the file says before the convention of the format.

        Args:
            path: for errors.
            shape: points per axis.
            coordinates: of the points along every axis, as the file states them.
            extent: side lengths by the convention.
            grid_type: by the convention, or as the file states it.
        """
        kind = self.grid_type or grid_type
        if kind is None:
            raise refuse(
                path, "a file that does not say whether its box is periodic", "to know", "set options.grid_type"
            )
        lengths = self.extent or extent
        if self.extent is not None and len(self.extent) != len(shape):
            raise refuse(path, f"fields on {tuple(shape)} points", f"as many axes as {self.extent}", "options.extent")
        if coordinates is not None and self.extent is None:
            return Box.through(coordinates, kind, str(path))
        if lengths is None:
            raise refuse(path, "a file that does not say how large its box is", "to know", "set options.extent")
        return Box(tuple(shape), tuple(float(v) for v in lengths), (0.0,) * len(shape), kind)


def equal_rows(path: Path, values: np.ndarray, name: str) -> np.ndarray:
    """The one row that all rows of a table are; a single row stays."""
    rows = np.atleast_2d(np.asarray(values, np.float64))
    if not np.allclose(rows, rows[0], rtol=1e-6, atol=0):
        raise refuse(path, f"{name} that differ between samples", "the same for all", "split the file by them")
    return rows[0]


def check_shape(path: Path, name: str, data: Any, wanted: Sequence[int | None]) -> None:
    """Refuses an array of another shape; None is any size."""
    got = tuple(data.shape)
    if len(got) != len(wanted) or any(w not in (None, g) for g, w in zip(got, wanted, strict=True)):
        sizes = ", ".join("*" if w is None else str(w) for w in wanted)
        raise refuse(path, f"{name} of shape {got}", f"({sizes})", "choose the source that wrote the file")


def first_to_last(*names: str, given: Iterator[str] | Sequence[str] = ()) -> tuple[FieldMap, FieldMap]:
    """The usual maps: fields at their first time, with what is given, to the same fields at their last time."""
    return {name: (0,) for name in (*given, *names)}, {name: (-1,) for name in names}
