"""Poisson problems in the unit square, solved by Gaussian processes: source and boundary values -> solution."""

import dataclasses
import functools
from collections.abc import Mapping
from typing import ClassVar

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from spectral.grid import Grid

from ..gp.axis import Axis
from ..gp.poisson import PoissonFactors
from .checks import check_positive
from .gp_square import GPSquare, at_centres


@dataclasses.dataclass(frozen=True)
class GPPoisson(GPSquare):
    """Random sources and boundary values in the unit square, and what answers them, each with its own certificate.

        -Lap u = f,    u = g on the sides;    f and g as in `GPSquare`

    Args:
        shape, modes, scale, tau, alpha, boundary, length_scale: see `GPSquare`.

    Raises:
        ValueError: as `GPSquare`, and without a scale of the source.

    Accuracy:
        Relative L2 error of u for smooth sources: see docs/gp.md. The residual shows what the points do not resolve;
        the deviation is that from at most 33 x 33 of the points for a prior that assumes little, and is pessimistic.
    """

    name: ClassVar[str] = "gp_poisson"
    # 1 had zeros for boundary values inside, 2 other sums (rounding alone), 3 boundary for the corners alone.
    version: ClassVar[int] = 4

    def __post_init__(self) -> None:
        super().__post_init__()
        check_positive(self, "scale")

    def __call__(self, key: jax.Array) -> dict[str, Float[Array, "t ..."]]:
        """Source, boundary values, solution and its certificate, each [1, x, y]."""
        factors = poisson_factors(self.shape, self.length_scale)
        of_source, of_sides = jax.random.split(key)
        coefficients = self.rough(of_source)
        source = self.series(coefficients, self.nodes)[None]
        sides = self.sides(of_sides)
        solution = factors.solve(source, sides)
        residual = factors.residual(solution, self.series(coefficients, self.centres)[None])
        return {
            "source": source,
            **({"boundary": sides} if self.boundary else {}),
            "solution": solution,
            "residual": at_centres(residual[0]),
            "deviation": factors.deviation(source, sides),
        }

    def solve(self, given: Mapping[str, Float[Array, "t ..."]], grid: Grid) -> dict[str, Float[Array, "t ..."]]:
        """The solution of a source and boundary values [1, x, y] at the points of a grid, sides included."""
        sides = given["boundary"] if self.boundary else jnp.zeros_like(given["source"])
        return {"solution": poisson_factors(grid.shape, self.length_scale).solve(given["source"], sides)}


@functools.lru_cache(maxsize=8)
def poisson_factors(shape: tuple[int, ...], length_scale: float) -> PoissonFactors:
    """Those of the unit square, made with numbers also while a program that uses them is being traced."""
    with jax.enable_x64(True), jax.ensure_compile_time_eval():
        return PoissonFactors.of((Axis(0.0, 1.0, shape[0]), Axis(0.0, 1.0, shape[1])), scale=length_scale)
