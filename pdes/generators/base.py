"""What a source of training samples provides; `data.generate` writes them to files."""

import abc
import dataclasses
import math
from collections.abc import Mapping
from fractions import Fraction
from typing import ClassVar

import jax
from jaxtyping import Array, Float

from spectral.filters import resize
from spectral.grid import Grid

from ..equations import Equation


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

    A sample is a function of its key alone and is solved in float64 on `grid`; the same key on a finer grid is the same
    problem, solved better. `inputs` and `targets` name the default operator-learning map as field -> time indices.
    `resolved` is the share of the solver grid's modes, per axis, that the solution has: two thirds where products are
    de-aliased. `cause` is why a sample may not be finite, `remedy` what to do about it. `grid_type` says where the
    points are: "periodic" at i L/N, "cell" at (i + 1/2) L/N, in which case the box has a boundary and `grid` is only
    sizes and lengths, "cloud" wherever a field says. `version` rises by one whenever a change of the code, here or in
    the solver, changes the numbers of a sample: sets that older code made are then no longer found, and are made anew.
    """

    name: ClassVar[str]
    version: ClassVar[int] = 1
    resolved: ClassVar[Fraction] = Fraction(1)
    grid_type: ClassVar[str] = "periodic"
    cause: ClassVar[str] = "the flow left what its time step is made for, or was not resolved"
    remedy: ClassVar[str] = "take a finer solver grid or a gentler start"

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

    def flow(self, grid: Grid) -> Equation | None:
        """The equation u_t = F(u) that the fields are states of, on any grid of the box; None where they are not."""
        del grid
        return None

    def solve(self, given: Mapping[str, Float[Array, "t ..."]], grid: Grid) -> dict[str, Float[Array, "t ..."]] | None:
        """The targets that follow from input fields on any grid of the box; None where `flow` says it or nothing does.

        On a grid coarser than that of the generator they are as wrong as it is coarse.
        """
        del given, grid
        return None

    def advance(self, u: Float[Array, "field ..."], duration: float) -> Float[Array, "field ..."] | None:
        """Stored states a duration later, of an evolution that is not that of a `flow`; None where nothing says it."""
        del u, duration
        return None

    @property
    def max_shape(self) -> tuple[int, ...]:
        """The largest grid that the solution fills: on a finer one its highest modes would be zeros."""
        return tuple(math.floor(self.resolved * n) for n in self.grid.shape)

    @property
    def storable(self) -> str:
        """The shapes that `resolves` accepts, in words."""
        return f"at most {self.max_shape}"

    def resolves(self, shape: tuple[int, ...]) -> bool:
        """Whether `restrict` goes to that shape."""
        return all(n <= m for n, m in zip(shape, self.max_shape, strict=True))

    def solver_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """The smallest solver grid, no coarser than this one, that resolves `shape`."""
        return tuple(max(math.ceil(n / self.resolved), m) for n, m in zip(shape, self.grid.shape, strict=True))

    def restrict(self, u: Float[Array, "t ..."], shape: tuple[int, ...]) -> Float[Array, "t ..."]:
        """A field of `grid` on a stored resolution: its Fourier series cut by signed frequency, never averaged."""
        return resize(u, shape, tuple(range(1, u.ndim)))


def grid_text(grid: Grid) -> str:
    """The points of a grid, such as 128x128."""
    return "x".join(map(str, grid.shape))
