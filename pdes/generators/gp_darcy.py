"""Darcy problems in the unit square, solved by Gaussian processes: permeability, source, boundary -> solution."""

import dataclasses
import functools
from collections.abc import Mapping
from typing import ClassVar

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from spectral.grid import Grid

from ..gp.axis import Axis
from ..gp.darcy import DarcyFactors
from .base import FieldInfo
from .checks import check_positive
from .gp_square import GPSquare, at_centres


@dataclasses.dataclass(frozen=True)
class GPDarcy(GPSquare):
    """Random smooth permeabilities, sources and boundary values in the unit square, and the flow that answers them.

        -div(a grad u) = f,    u = g on the sides;    f and g as in `GPSquare`
        log a = sum over m < modes of cosines as those of g, of variance contrast^2 in the mean over the square

    Args:
        shape, modes, tau, alpha, boundary, length_scale: see `GPSquare`.
        scale: of the covariance of f; 0 for f = 1, which is then left out of the map.
        contrast: standard deviation of log a, in the root mean square over the square; docs/gp.md has the ratios
            between the largest and the smallest a.

    Raises:
        ValueError: as `GPSquare`, and for a contrast that is not positive.

    Accuracy:
        Relative L2 error of u, see docs/gp.md; a sample whose iterations do not converge is not a number. The residual
        shows what the points do not resolve; the deviation is that of Poisson's equation with the slopes of u given,
        from at most 33 x 33 of the points, and is pessimistic.
    """

    name: ClassVar[str] = "gp_darcy"
    left_side: ClassVar[str] = "-div(a grad u)"
    version: ClassVar[int] = 2  # 1 had contrast and boundary for the deviations in the corners
    cause: ClassVar[str] = "the iterations did not converge, or a is too large for float32"
    remedy: ClassVar[str] = "take a smaller contrast, or more points"

    contrast: float = 0.7

    def __post_init__(self) -> None:
        super().__post_init__()
        check_positive(self, "contrast")

    @property
    def inputs(self) -> dict[str, tuple[int, ...]]:
        given = super().inputs
        if not self.scale:
            given.pop("source")
        return {"permeability": (0,), **given}

    @property
    def fields(self) -> dict[str, FieldInfo]:
        return {"permeability": FieldInfo((0.0,), "1", "a, smooth and positive"), **super().fields}

    def parameters(self) -> dict[str, float | str]:
        unit = {} if self.scale else {"source_covariance": "none: the source is 1"}
        return {**super().parameters(), **unit, "contrast": self.contrast}

    def __call__(self, key: jax.Array) -> dict[str, Float[Array, "t ..."]]:
        """Permeability, source, boundary values, solution and its certificate, each [1, x, y]."""
        of_permeability, of_source, of_sides = jax.random.split(key, 3)
        coefficients = self.smooth(of_permeability, self.contrast, "square")
        permeability = jnp.exp(self.series(coefficients, self.nodes))
        of_source = self.rough(of_source)
        source, middle_source = (self.series(of_source, x) + (not self.scale) for x in (self.nodes, self.centres))
        sides = self.sides(of_sides)
        factors = _factors(self.shape, self.length_scale)
        solution = factors.solve(permeability, source, sides[0])
        drift = self.series(coefficients, self.centres, (1, 0)), self.series(coefficients, self.centres, (0, 1))
        middle = jnp.exp(self.series(coefficients, self.centres))
        fields = {
            "permeability": permeability[None],
            "source": source[None],
            "boundary": sides,
            "solution": solution[None],
            "residual": at_centres(factors.residual(solution, middle, drift, middle_source)),
            "deviation": factors.deviation(solution, permeability, source, sides[0])[None],
        }
        return {name: fields[name] for name in self.fields}

    def solve(self, given: Mapping[str, Float[Array, "t ..."]], grid: Grid) -> dict[str, Float[Array, "t ..."]]:
        """The solution of a permeability, source and boundary values [1, x, y] at the points of a grid."""
        (permeability,) = given["permeability"]
        (source,) = given["source"] if self.scale else jnp.ones((1, *grid.shape))
        (sides,) = given["boundary"] if self.boundary else jnp.zeros((1, *grid.shape))
        return {"solution": _factors(grid.shape, self.length_scale).solve(permeability, source, sides)[None]}


@functools.lru_cache(maxsize=8)
def _factors(shape: tuple[int, ...], length_scale: float) -> DarcyFactors:
    # Made with numbers, also while a program that uses them is being traced.
    with jax.enable_x64(True), jax.ensure_compile_time_eval():
        return DarcyFactors.of((Axis(0.0, 1.0, shape[0]), Axis(0.0, 1.0, shape[1])), scale=length_scale)
