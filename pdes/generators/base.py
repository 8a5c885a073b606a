"""What a source of training samples provides; `data.generate` writes them to files."""

import abc
import dataclasses
from collections.abc import Mapping
from typing import ClassVar

import jax
from jaxtyping import Array, Float

from spectral.filters import resize
from spectral.grid import Grid


@dataclasses.dataclass(frozen=True)
class FieldInfo:
    """One field of a sample.

    Args:
        times: at which it is given, in the time unit of the problem.
        unit: in words.
        description: in words.
    """

    times: tuple[float, ...]
    unit: str
    description: str


class Generator(abc.ABC):
    """Random samples of a PDE problem, as a frozen dataclass of plain numbers: they are the whole provenance.

    A sample is a function of its key alone and is solved in float64 on `grid`; the same key on a finer grid is the
    same problem, solved better. `inputs` and `targets` name the default operator-learning map as field -> time
    indices.
    """

    name: ClassVar[str]

    @property
    @abc.abstractmethod
    def grid(self) -> Grid:
        """The grid that the problem is solved on."""

    @property
    @abc.abstractmethod
    def fields(self) -> Mapping[str, FieldInfo]:
        """What `__call__` returns."""

    @property
    @abc.abstractmethod
    def inputs(self) -> Mapping[str, tuple[int, ...]]:
        """Default inputs of the map."""

    @property
    @abc.abstractmethod
    def targets(self) -> Mapping[str, tuple[int, ...]]:
        """Default targets of the map."""

    @abc.abstractmethod
    def parameters(self) -> dict[str, float | str]:
        """Physical and numerical parameters, written to the file."""

    @abc.abstractmethod
    def __call__(self, key: jax.Array) -> dict[str, Float[Array, "t ..."]]:
        """One sample: field name -> values [t, *space] on `grid`."""

    def restrict(self, u: Float[Array, "t ..."], shape: tuple[int, ...]) -> Float[Array, "t ..."]:
        """A field of `grid` on a stored resolution: its Fourier series cut by signed frequency, never averaged."""
        return resize(u, shape, tuple(range(1, u.ndim)))


def grid_text(grid: Grid) -> str:
    """The points of a grid, such as 128x128."""
    return "x".join(map(str, grid.shape))
