"""Trajectories of any equation of `pdes.equations` from random smooth fields."""

import dataclasses
import math
import re
from collections.abc import Mapping
from fractions import Fraction
from typing import ClassVar

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from spectral.grid import Grid

from .. import equations
from ..diagnostics import crossed
from ..equations import Equation
from ..random_fields import smooth_uniform_field
from .base import grid_text
from .checks import check_positive, check_shape, is_number
from .trajectory import Trajectory

Numbers = float | int | tuple[float | int, ...]
Coefficients = Mapping[str, Numbers] | tuple[tuple[str, Numbers], ...]


@dataclasses.dataclass(frozen=True)
class RandomStart(Trajectory):
    """An equation, named, with its coefficients, from fields that are smooth and bounded.

        u(0) = low + (high - low) Phi(g),    g ~ N(0, sigma^2 (-Lap + tau^2 I)^-alpha) of pointwise variance 1

    with Phi the normal distribution function: at every point u(0) is uniform in (low, high), so positive fields stay
    positive and the time step meets no surprise. Fields are independent of each other.

    Args:
        equation: a class of `pdes.equations`, such as "KortewegDeVries".
        coefficients: its arguments but the grid, by name.
        shape: points of the solver grid; what a product leaves of them is `max_shape`.
        length: side of the box, or one per axis.
        low, high: bounds of the start, numbers or one per field.
        tau: wavenumber beyond which the start's amplitudes fall, 1 / length.
        alpha: how fast.
        dt: largest time step; a sample that is carried by more than a cell in a step (Burgers, Kuramoto-Sivashinsky,
            Korteweg-de Vries) is turned into no numbers, at which generation stops and names it. The scheme leaves an
            error of its fourth power, see docs/pdes.md.
        warmup, interval, n_snapshots, n_inputs: see `Trajectory`.

    Raises:
        ValueError: for an equation that does not exist or does not take the coefficients, or numbers out of range.

    Accuracy:
        The start is a function of the key up to what of it the grid cannot hold: at the default alpha the variance of
        the amplitudes of g falls to 4e-8 from tau to 4 tau.
    """

    remedy: ClassVar[str] = "lower pde.dt, or take a finer solver grid or a gentler start"

    equation: str
    coefficients: Coefficients = ()
    shape: tuple[int, ...] = (128,)
    length: Numbers = 1.0
    low: Numbers = -1.0
    high: Numbers = 1.0
    tau: float = 10.0
    alpha: float = 8.0
    dt: float = 1e-2
    warmup: float = 0.0
    interval: float = 1.0
    n_snapshots: int = 2
    n_inputs: int = 1

    def __post_init__(self) -> None:
        check_shape(self)
        # Pairs, so that a generator can be hashed and written to a file.
        object.__setattr__(self, "coefficients", tuple(sorted(dict(self.coefficients).items())))
        self.check_times()
        check_positive(self, "tau", "alpha", "dt")
        known = [name for name in equations.__all__ if name != "Equation"]
        if self.equation not in known:
            raise ValueError(f"equation: got {self.equation!r}, wanted one of {', '.join(known)}")
        for name, value in dict(self.coefficients).items():
            if not all(map(is_number, value if isinstance(value, (tuple, list)) else [value])):
                raise ValueError(f"coefficients.{name}: got {value!r}, wanted a number, or a list of one per axis")
        count = len(self.solved.fields)
        for name, bounds in (("low", self.low), ("high", self.high)):
            several = isinstance(bounds, tuple)
            if not all(map(is_number, bounds if several else [bounds])) or (several and len(bounds) != count):
                raise ValueError(f"{name}: got {bounds!r}, wanted a number, or {count}: one per field")

    @property
    def name(self) -> str:  # pyright: ignore[reportIncompatibleVariableOverride]
        """The equation in small letters: "korteweg_de_vries"."""
        return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", self.equation).lower()

    @property
    def solved(self) -> Equation:
        """The equation on the solver grid."""
        return self.flow(self.grid)

    def flow(self, grid: Grid) -> Equation:
        coefficients = dict(self.coefficients)
        try:
            return getattr(equations, self.equation)(grid, **coefficients)
        except TypeError as error:
            raise ValueError(f"coefficients: got {coefficients}, wanted those of {self.equation}: {error}") from error

    @property
    def resolved(self) -> Fraction:  # pyright: ignore[reportIncompatibleVariableOverride]
        """What the de-aliasing of products leaves of the grid."""
        return Fraction(2, self.solved.degree + 1)

    @property
    def grid(self) -> Grid:
        return Grid(self.shape, self.length if isinstance(self.length, tuple) else (self.length,))

    def steps(self, duration: float) -> int:
        """Time steps that cover a duration."""
        return math.ceil(duration / self.dt - 1e-9)  # 0.3 / 0.1 is three

    def parameters(self) -> dict[str, float | str]:
        values = dict(self.coefficients).items()
        return {name: value if isinstance(value, float) else str(value) for name, value in values} | {
            "start": f"uniform in ({self.low}, {self.high}) at every point, smooth beyond |k| = {self.tau:g}",
            "solver_grid": grid_text(self.grid),
            "dealiasing": f"{self.resolved} of the grid, before and after",
            "scheme": "ETDRK4",
            "dt": self.interval / self.steps(self.interval),
        }

    def __call__(self, key: jax.Array) -> dict[str, Float[Array, "t ..."]]:
        """Every field of the equation, each [n_snapshots, *space]."""
        equation = self.solved
        start = self.start(key, len(equation.fields))
        states = self.record(equation, equation.to_spectral(start if len(start) > 1 else start[0]), self.steps)
        velocity = jax.vmap(equation.transport_velocity, out_axes=1)(states)
        if velocity is not None:
            cells = crossed(velocity, self.grid, self.interval / self.steps(self.interval))
            states = jnp.where(jnp.max(cells) <= 1, states, jnp.nan)
        values = jax.vmap(equation.to_physical)(states)
        if len(start) == 1:
            values = values[:, None]
        return {name: values[:, i] for i, name in enumerate(equation.fields)}

    def start(self, key: jax.Array, count: int) -> Float[Array, "fields *space"]:
        """The fields at time 0."""
        grid = self.grid
        drawn = jax.vmap(lambda k: smooth_uniform_field(k, grid, self.tau, self.alpha))(jax.random.split(key, count))
        low, high = (
            jnp.broadcast_to(jnp.asarray(bound, drawn.dtype), (count,)).reshape(count, *[1] * grid.ndim)
            for bound in (self.low, self.high)
        )
        return low + (high - low) * drawn
