"""Mean and standard deviation of data that does not fit in memory at once."""

import numpy as np

from .metadata import FieldStats


class Moments:
    """Running mean, unbiased standard deviation and range over some axes, in float64.

    Blocks are merged by Chan's rule, M2 = M2_a + M2_b + d^2 n_a n_b / (n_a + n_b) with d the difference of the
    means, so that no sum of squares cancels.

    Args:
        axes: axes of a block that are reduced; the first one runs over samples.

    Accuracy: relative error of a few float64 roundings, whatever the mean is.
    Source: Chan, Golub, LeVeque, "Updating formulae and a pairwise algorithm", 1979.
    """

    def __init__(self, axes: tuple[int, ...]):
        self._axes = axes
        self.count = 0
        self.mean: np.ndarray | float = 0.0
        self._m2: np.ndarray | float = 0.0
        self.min: np.ndarray | float = np.inf
        self.max: np.ndarray | float = -np.inf

    def update(self, block: np.ndarray) -> None:
        """Adds a block of samples."""
        block = np.asarray(block, np.float64)
        count = int(np.prod([block.shape[axis] for axis in self._axes]))
        mean = block.mean(self._axes)
        m2 = ((block - block.mean(self._axes, keepdims=True)) ** 2).sum(self._axes)
        total = self.count + count
        delta = mean - self.mean
        self._m2 = self._m2 + m2 + delta**2 * (self.count * count / total)
        self.mean = self.mean + delta * (count / total)
        self.count = total
        self.min = np.minimum(self.min, block.min(self._axes))
        self.max = np.maximum(self.max, block.max(self._axes))

    @property
    def std(self) -> np.ndarray:
        """Unbiased standard deviation; zero from a single value."""
        return np.asarray(np.sqrt(self._m2 / max(self.count - 1, 1)))

    def stats(self) -> FieldStats:
        """The moments as plain numbers, one per entry of the axis that is left."""
        arrays = (self.mean, self.std, self.min, self.max)
        return FieldStats(*(tuple(float(v) for v in np.atleast_1d(array)) for array in arrays))
