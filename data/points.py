"""Where the points of a set are."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from .errors import DataError

GRID_TYPES = ("periodic", "cell", "node", "cloud")


class Box(NamedTuple):
    """Equally spaced points in a box.

    Args:
        shape: points per axis.
        extent: side lengths.
        origin: the corner with the smallest coordinates.
        grid_type: "periodic" (points i L / N, the other end is the first point again), "cell" (centres,
            (i + 1/2) L / N), "node" (both ends are points, i L / (N - 1)) or "cloud" (points anywhere, in no order: a
            field of the set says where, and the box is their number).
    """

    shape: tuple[int, ...]
    extent: tuple[float, ...]
    origin: tuple[float, ...]
    grid_type: str

    @classmethod
    def through(cls, coordinates: Sequence[np.ndarray], grid_type: str, where: str) -> "Box":
        """The box of points with given coordinates along every axis.

        Args:
            coordinates: rising, equally spaced to a thousandth of their distance (files hold them in float32).
            grid_type: one of `GRID_TYPES`.
            where: file, for errors.

        Raises:
            DataError: for an axis of one point, or points that are not equally spaced.
        """
        extent, origin = [], []
        for axis, points in enumerate(np.asarray(values, np.float64) for values in coordinates):
            steps = np.diff(points)
            if len(points) < 2 or not (steps > 0).all() or np.ptp(steps) > 1e-3 * steps.mean() + _rounding(points):
                raise DataError(
                    f"{where}: got coordinates {_short(points)} along axis {axis}, wanted equally spaced points; "
                    "set options.extent and options.grid_type to read them as such"
                )
            h = (points[-1] - points[0]) / (len(points) - 1)
            extent.append(h * (len(points) - (grid_type == "node")))
            origin.append(points[0] - (h / 2 if grid_type == "cell" else 0.0))
        shape = tuple(len(values) for values in coordinates)
        return cls(shape, tuple(map(float, extent)), tuple(map(float, origin)), grid_type)

    @property
    def spacing(self) -> tuple[float, ...]:
        """Distance of neighbours along every axis."""
        ends = self.grid_type == "node"
        return tuple(length / max(n - ends, 1) for n, length in zip(self.shape, self.extent, strict=True))

    @property
    def span(self) -> tuple[float, ...]:
        """Points times their distance: what difference quotients divide by the number of points; empty for a cloud."""
        if self.grid_type == "cloud":
            return ()
        if self.grid_type != "node":
            return self.extent
        return tuple(n * h for n, h in zip(self.shape, self.spacing, strict=True))

    @property
    def coordinates(self) -> tuple[np.ndarray, ...]:
        """Of the points along every axis, float64."""
        shift = 0.5 if self.grid_type == "cell" else 0.0
        ends = self.grid_type == "node"
        # In this order of operations a box that begins at zero has the coordinates of `spectral.grid.Grid`, to the bit.
        return tuple(
            start + (np.arange(n) + shift) * length / max(n - ends, 1)
            for n, length, start in zip(self.shape, self.extent, self.origin, strict=True)
        )

    def every(self, strides: Sequence[int], where: str) -> "Box":
        """The box of every so-manyth point.

        Raises:
            DataError: for a periodic axis that the stride does not divide, or one of which less than two points stay.
        """
        for n, stride in zip(self.shape, strides, strict=True):
            if self.grid_type == "periodic" and n % stride:
                raise DataError(
                    f"{where}: got stride {stride} for {n} points of a periodic axis, wanted a divisor of {n}"
                )
            if (n - 1) // stride < 1:
                raise DataError(f"{where}: got stride {stride} for {n} points, wanted one that leaves two or more")
        if all(stride == 1 for stride in strides):
            return self
        taken = [points[::stride] for points, stride in zip(self.coordinates, strides, strict=True)]
        return Box.through(taken, self.grid_type, where)


def _rounding(points: np.ndarray) -> float:
    """What float32 leaves of a difference of coordinates."""
    return 4 * float(np.finfo(np.float32).eps) * float(np.abs(points).max())


def _short(points: np.ndarray) -> str:
    return "[" + ", ".join(f"{v:.6g}" for v in points[:4]) + (", ..." if len(points) > 4 else "") + "]"
