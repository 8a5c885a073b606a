"""Darcy flow through a two-phase medium: permeability -> pressure."""

import dataclasses
import math
from collections.abc import Mapping
from fractions import Fraction
from typing import ClassVar

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from spectral.grid import Grid

from ..darcy import solve_darcy
from ..random_fields import Covariance, neumann_random_field
from .base import FieldInfo, Generator, grid_text
from .checks import check_not_negative, check_positive, check_shape


@dataclasses.dataclass(frozen=True)
class DarcyFlow(Generator):
    """Steady flow in the unit square through a medium of two phases with a random interface.

        -div(a grad u) = 1,    u = 0 on the boundary,
        a = high where g >= 0, low elsewhere,    g ~ N(0, (-Lap + tau^2 I)^-alpha), zero normal derivative, mean-free

    The map is a -> u. Points are cell centres, (i + 1/2) / N, and a is constant on every solver cell. A stored point is
    the centre of a solver cell: the solver grid is an odd multiple of what is stored, at least three times, and stored
    permeabilities are of one phase or the other, never a mixture.

    Args:
        shape: cells of the solver.
        low, high: permeability of the phases.
        tau, alpha: of the covariance.
        tolerance: relative residual at which the solver stops.

    Raises:
        ValueError: for a permeability, power or tolerance that is not positive, or a negative tau.

    Accuracy:
        Relative L2 error of u at 64 x 64 points, for the permeability of the solver's own cells: 0.1 % from 192 x 192,
        0.03 % from 320 x 320; it would be 0.5 % from 64 x 64. The interface is rough at every scale: with the grid it
        gains detail, which changes 0.15 % of the cells and 0.2 % of u between 192 x 192 and 576 x 576.

    Source:
        Li et al. 2021 (arXiv 2010.08895), section 5.2: the same law of a, with 421 x 421 nodes, boundary included.
    """

    name: ClassVar[str] = "darcy"
    resolved: ClassVar[Fraction] = Fraction(1, 3)
    grid_type: ClassVar[str] = "cell"
    inputs: ClassVar[dict[str, tuple[int, ...]]] = {"permeability": (0,)}
    targets: ClassVar[dict[str, tuple[int, ...]]] = {"pressure": (0,)}

    shape: tuple[int, ...] = (192, 192)
    low: float = 3.0
    high: float = 12.0
    tau: float = 3.0
    alpha: float = 2.0
    tolerance: float = 1e-10

    def __post_init__(self) -> None:
        check_shape(self, axes=2)
        check_positive(self, "low", "high", "alpha", "tolerance")
        check_not_negative(self, "tau")

    @property
    def grid(self) -> Grid:
        return Grid(self.shape)

    @property
    def covariance(self) -> Covariance:
        return Covariance(1.0, self.tau**2, self.alpha)

    @property
    def fields(self) -> dict[str, FieldInfo]:
        return {
            "permeability": FieldInfo((0.0,), "1", f"{self.low:g} or {self.high:g} in the two phases"),
            "pressure": FieldInfo((0.0,), "1", "steady pressure for a unit source"),
        }

    def parameters(self) -> dict[str, float | str]:
        return {
            "source": 1.0,
            "low": self.low,
            "high": self.high,
            "interface_covariance": f"{self.covariance}, zero normal derivative, mean-free",
            "boundary": "pressure zero",
            "solver_grid": f"{grid_text(self.grid)} cells",
            "scheme": "finite volumes, harmonic means, preconditioned conjugate gradients",
            "tolerance": self.tolerance,
        }

    @property
    def storable(self) -> str:
        return "an odd fraction of the solver grid, at most a third of it"

    def resolves(self, shape: tuple[int, ...]) -> bool:
        multiples = [divmod(m, n) for n, m in zip(shape, self.grid.shape, strict=True)]
        return all(rest == 0 and times % 2 == 1 and times >= 3 for times, rest in multiples)

    def solver_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        multiples = [max(3, math.ceil(m / n)) for n, m in zip(shape, self.grid.shape, strict=True)]
        return tuple(n * (times + 1 - times % 2) for n, times in zip(shape, multiples, strict=True))

    def restrict(self, u: Float[Array, "t ..."], shape: tuple[int, ...]) -> Float[Array, "t ..."]:
        """The values at the centres of the stored cells, which are centres of solver cells."""
        steps = [m // n for n, m in zip(shape, u.shape[1:], strict=True)]
        return u[(slice(None), *(slice(step // 2, None, step) for step in steps))]

    def __call__(self, key: jax.Array) -> dict[str, Float[Array, "t ..."]]:
        """Permeability and pressure, each [1, x, y]."""
        interface = neumann_random_field(key, self.grid, self.covariance)
        permeability = jnp.where(interface >= 0, self.high, self.low)[None]
        return {"permeability": permeability, **self.solve({"permeability": permeability}, self.grid)}

    def solve(self, given: Mapping[str, Float[Array, "t ..."]], grid: Grid) -> dict[str, Float[Array, "t ..."]]:
        """The pressure behind a permeability [1, x, y] of the cells of a grid."""
        permeability = given["permeability"][0]
        return {"pressure": solve_darcy(permeability, jnp.ones_like(permeability), grid, self.tolerance)[None]}
