"""Trajectories of APEBench and Exponax, saved as NumPy arrays."""

import contextlib
import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

from pdes.generators import FieldInfo

from .npz import open_npy
from .reader import SPACE, Layout, Reader, Variable, check_option, check_step, first_to_last, refuse


@dataclasses.dataclass(frozen=True)
class APEBench(Reader):
    """One array (n, t, channel, x[, y[, z]]) a file, periodic, x first; mapped, not loaded.

    The file holds numbers alone: `options.extent` says how large the box is. Times count steps from 0 unless
    `options.dt` says how long one is.

    Args:
        dt: time from one state to the next; null to count steps.
        channels: names of the channels; u, or u_0, u_1, ...
        equation: what the trajectories solve.

    Source: Koehler et al., "APEBench", NeurIPS 2024, and Exponax, whose arrays these are.
    """

    source: ClassVar[str] = "apebench"
    suffixes: ClassVar[tuple[str, ...]] = (".npy",)

    dt: float | int | None = None
    channels: tuple[str, ...] | None = None
    equation: str = "apebench"

    def __post_init__(self) -> None:
        super().__post_init__()
        check_step(self.dt)
        names = self.channels if isinstance(self.channels, tuple) else () if self.channels is None else (None,)
        named = all(isinstance(name, str) and name.isidentifier() for name in names)
        check_option("channels", self.channels, named, "a name of letters, digits and _ for each, such as [u, v]")
        check_option("equation", self.equation, isinstance(self.equation, str), "a name")

    @contextlib.contextmanager
    def open(self, path: Path) -> Iterator[Layout]:
        data = open_npy(path)
        ndim = data.ndim - 3
        if not 1 <= ndim <= 3:
            raise refuse(path, f"an array of shape {data.shape}", "(n, t, channel, x[, y[, z]])", "add the axes of one")
        count = data.shape[2]
        names = self.channels or (("u",) if count == 1 else tuple(f"u_{i}" for i in range(count)))
        if len(names) != count or len(set(names)) != count:
            raise refuse(path, f"{count} channels", f"a name for each, not {list(names)}", "set options.channels")
        times = tuple(float(i * (self.dt or 1)) for i in range(data.shape[1]))
        info = FieldInfo(times, "1", "" if self.dt else "times in steps")
        variables = {name: Variable(data, "ntc" + SPACE[:ndim], info, {"c": place}) for place, name in enumerate(names)}
        box = self.place(path, data.shape[3:], grid_type="periodic")
        yield Layout(self.equation, data.shape[0], box, variables, *first_to_last(*names))
