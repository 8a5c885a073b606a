"""ScalarFlow: videos of rising smoke, a folder a recording and an archive a frame."""

import contextlib
import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from pdes.generators import FieldInfo

from .npz import ArchivedArray
from .reader import Layout, Reader, Variable, check_option, check_shape, check_step, refuse

_CAMERAS = 5
_FRAMES = "imgsTarget_*.npz"


@dataclasses.dataclass(frozen=True)
class ScalarFlow(Reader):
    """`sim_%06d/.../imgsTarget_%06d.npz`, array `data` (camera, row, column[, 1]): a recording is a sample.

    x runs along the columns of an image and y along its rows, in the order of the file. Lengths are in pixels and times
    in frames unless options say otherwise. Frames are read one by one.

    Args:
        camera: which of the five, from 0.
        dt: time from frame to frame; null to count frames.

    Source: Eckert, Um and Thuerey, "ScalarFlow", ACM Transactions on Graphics 38(6), 2019.
    """

    source: ClassVar[str] = "scalarflow"
    suffixes: ClassVar[tuple[str, ...]] = (".npz",)

    camera: int = 2
    dt: float | int | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        sound = isinstance(self.camera, int) and 0 <= self.camera < _CAMERAS
        check_option("camera", self.camera, sound, f"0 to {_CAMERAS - 1}")
        check_step(self.dt)

    def files(self, path: Path) -> list[Path]:
        """The recordings at a path: the folder of one, or a folder of such folders."""
        recordings = [path] if path.name.startswith("sim_") else sorted(path.glob("sim_*"))
        if not path.is_dir() or not recordings:
            raise refuse(path, "no recordings", f"folders sim_000000, ... of {_FRAMES}", "correct the path")
        return recordings

    def contents(self, file: Path) -> list[Path]:
        """The frames of a recording, in order."""
        frames = sorted(file.rglob(_FRAMES), key=lambda frame: frame.name)
        if not frames:
            raise refuse(file, "a folder without frames", _FRAMES, "fetch the input images of the recording")
        names = [frame.name for frame in frames]
        if len(set(names)) != len(names):
            raise refuse(file, "frames of one name in several folders", "one of each", "name the folder of one kind")
        return frames

    @contextlib.contextmanager
    def open(self, path: Path) -> Iterator[Layout]:
        frames = _Frames(self.contents(path))
        check_shape(path, "data", frames, (None, _CAMERAS, None, None, *([1] if len(frames.shape) == 5 else [])))
        axes = "tcyxe"[: len(frames.shape)]
        rows, columns = frames.shape[2:4]
        times = tuple(float(i * (self.dt or 1)) for i in range(frames.shape[0]))
        note = "" if self.dt else "times in frames"
        places = {"c": self.camera, **({"e": 0} if "e" in axes else {})}
        variables = {"brightness": Variable(frames, axes, FieldInfo(times, "1", note), places)}
        box = self.place(path, (columns, rows), extent=(float(columns), float(rows)), grid_type="cell")
        yield Layout("smoke_video", 1, box, variables, {"brightness": (0,)}, {"brightness": (-1,)})


class _Frames:
    """The images of a recording as one array, each read when it is asked for."""

    def __init__(self, paths: list[Path]):
        self._paths = paths
        self.shape = (len(paths), *ArchivedArray(paths[0], "data").shape)

    def __getitem__(self, key: tuple[Any, ...]) -> np.ndarray:
        numbers = np.arange(len(self._paths))[key[0]]
        images = []
        for number in numbers:
            image = ArchivedArray(self._paths[number], "data")
            check_shape(self._paths[number], "data", image, self.shape[1:])
            images.append(image[key[1:]])
        return np.stack(images)
