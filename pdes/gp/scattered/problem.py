"""What the solver on scattered points is told: equation, points and data, but never the solution."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float
from scipy.spatial import KDTree

from ..equations import Equation, Field
from .matern import Functionals

_APART = 1e-10  # of the extent: what lies nearer, or flatter, is one to the covariance and to Delaunay's triangulation


@dataclasses.dataclass(frozen=True)
class Scattered:
    """a Lap u + b . grad u + c u + n(u) = f at points inside, u = g at points of the boundary.

    Args:
        equation: second derivatives along all axes with the same coefficient, none mixed.
        interior, boundary: points, no two of all of them alike, not all on one line or plane.
        source: f at the points inside.
        values: g at those of the boundary.

    Raises:
        ValueError: without float64, for other equations, where shapes do not agree, for what is not finite, and for
            points that lie on each other or all on one line or plane.
    """

    equation: Equation
    interior: Float[np.ndarray, "n d"]
    boundary: Float[np.ndarray, "m d"]
    source: Float[np.ndarray, "n"]
    values: Float[np.ndarray, "m"]

    def __post_init__(self) -> None:
        if not jax.config.jax_enable_x64:  # pyright: ignore[reportAttributeAccessIssue]
            raise ValueError("precision: got float32, wanted float64; run under `with jax.enable_x64(True)`")
        d = self.equation.ndim
        if d not in (2, 3):
            raise ValueError(f"equation: got {d} dimensions, wanted 2 or 3; solve others by `pdes.gp.direct.solve`")
        for name in ("interior", "boundary", "source", "values"):
            object.__setattr__(self, name, np.asarray(getattr(self, name), float))
        for name, points, data in (("interior", self.interior, self.source), ("boundary", self.boundary, self.values)):
            if points.ndim != 2 or points.shape[1] != d or data.shape != points.shape[:1] or len(points) == 0:
                raise ValueError(
                    f"{name}: got points {points.shape} with data {data.shape}, wanted [n, {d}] with [n], n > 0"
                )
            wrong = np.flatnonzero(~(np.isfinite(points).all(1) & np.isfinite(data)))
            if len(wrong):
                row = wrong[0]
                raise ValueError(
                    f"{name}: got {points[row]} with {data[row]} in row {row}, wanted finite numbers; mend it"
                )
        self._check_points()
        self.operator()

    def _check_points(self) -> None:
        """Raises ValueError unless the points span the space and lie apart from each other."""
        points, d = np.concatenate([self.interior, self.boundary]), self.equation.ndim
        spread = np.linalg.svd(points - points.mean(0), compute_uv=False)
        if len(points) <= d or spread[-1] <= _APART * spread[0]:
            raise ValueError(
                f"points: got {len(points)} on one {'line' if d == 2 else 'plane'}, wanted {d + 1} or more that span "
                f"{d} dimensions; take others, or solve an equation of fewer dimensions by `pdes.gp.direct.solve`"
            )
        gaps, nearest = map(np.asarray, KDTree(points).query(points, 2))
        row = int(np.argmin(gaps[:, 1]))
        if gaps[row, 1] <= _APART * np.linalg.norm(np.ptp(points, 0)):
            n = len(self.interior)
            # Of three or more at one place the tree may name another one first.
            pair = sorted({row, *nearest[row].tolist()})[:2]
            first, second = (f"interior row {i}" if i < n else f"boundary row {i - n}" for i in pair)
            raise ValueError(
                f"points: got {points[row]} twice, {first} and {second}, wanted points apart from each other; drop one"
            )

    @classmethod
    def of(
        cls, equation: Equation, interior: Float[np.ndarray, "n d"], boundary: Float[np.ndarray, "m d"], solution: Field
    ) -> "Scattered":
        """The problem that a chosen function of the coordinates solves."""
        source = jax.jit(lambda *x: equation.apply(solution, x))(*jnp.asarray(interior).T)
        return cls(equation, interior, boundary, np.asarray(source), np.asarray(solution(*jnp.asarray(boundary).T)))

    def operator(self) -> Functionals:
        """The linear part of the equation at the points inside.

        Raises:
            ValueError: for an equation that is not of this kind.
        """
        d, coordinates = self.equation.ndim, tuple(jnp.asarray(self.interior).T)
        value, first, second = (np.zeros((len(self.interior), k)) for k in (1, d, d))
        for term in self.equation.terms:
            along = np.flatnonzero(term.orders)
            if sum(term.orders) > 2 or len(along) > 1:
                raise ValueError(f"equation: got a term d^{term.orders}, wanted orders of at most 2, none mixed")
            part = (value, first, second)[sum(term.orders)]
            part[:, along[0] if len(along) else 0] += np.asarray(term.values(coordinates))
        if not (second[:, :1] == second).all() or not second.any():
            raise ValueError(
                f"equation: got {self.equation.name} with second derivatives that differ between axes, wanted a "
                "multiple of the Laplacian; solve others on a grid, `pdes.gp.direct.solve`"
            )
        return Functionals(self.interior, value[:, 0], first, second[:, 0])

    def differential(self) -> Functionals:
        """L, the operator without the multiple of u itself, at the points inside."""
        operator = self.operator()
        return operator._replace(value=np.zeros_like(operator.value))

    def linearise(self, u: Float[np.ndarray, "n"]) -> tuple[Float[np.ndarray, "n"], Float[np.ndarray, "n"]]:
        """s and r with L v + s v = r for the equation linearised around u."""
        value, reaction = np.asarray(self.operator().value), self.equation.reaction
        if reaction is None:
            return value, self.source
        found, slope = (np.asarray(part) for part in jax.jvp(reaction, (jnp.asarray(u),), (jnp.ones(len(u)),)))
        return value + slope, self.source - found + slope * u
