"""One axis of a rectangular grid that is fine around the body and stretches away from it."""

import dataclasses
import functools

import numpy as np


@dataclasses.dataclass(frozen=True, eq=False)
class Axis:
    """Cells between faces, from the far field to the far field.

    Args:
        faces: positions of the n + 1 faces, rising.
        fine: indices of the first and one after the last of the cells of equal width.
    """

    faces: np.ndarray
    fine: slice

    @property
    def cells(self) -> int:
        return len(self.faces) - 1

    @property
    def centres(self) -> np.ndarray:
        return (self.faces[1:] + self.faces[:-1]) / 2

    @property
    def widths(self) -> np.ndarray:
        return np.diff(self.faces)

    @property
    def gaps(self) -> np.ndarray:
        """Distances between the centres on both sides of every inner face, [n - 1]."""
        return np.diff(self.centres)

    @property
    def spacing(self) -> float:
        """Width of the fine cells."""
        return float(self.widths[self.fine.start])

    @functools.cached_property
    def modes(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Eigenvalues, eigenvectors V and V^-1 of the second difference of cell values, zero slope at both ends.

        The matrix is W^-1 K with K symmetric and W the widths, so it is symmetric between square roots of W.
        """
        slope = np.diff(np.eye(self.cells), axis=0) / self.gaps[:, None]
        second = np.diff(np.pad(slope, ((1, 1), (0, 0))), axis=0)
        root = np.sqrt(self.widths)
        values, vectors = np.linalg.eigh(second / np.outer(root, root))
        return values, vectors / root[:, None], vectors.T * root


def stretched_axis(low: float, high: float, cells: int, before: float, after: float, ratio: float) -> Axis:
    """Equal cells from `low` to `high`, then cells that grow by `ratio` each until they reach far enough.

    Args:
        low, high: ends of the fine part.
        cells: of the fine part.
        before, after: how far the axis goes beyond both ends, at least.
        ratio: of neighbouring widths, above one.
    """
    h = (high - low) / cells

    def outer(length: float) -> np.ndarray:
        count = int(np.ceil(np.log1p(length / h * (ratio - 1) / ratio) / np.log(ratio)))
        return np.cumsum(h * ratio ** np.arange(1, count + 1))

    left, right = outer(before), outer(after)
    inner = low + h * np.arange(cells + 1)
    return Axis(np.concatenate([low - left[::-1], inner, high + right]), slice(len(left), len(left) + cells))
