"""What the problems in the unit square share that Gaussian processes solve: points, random cosines, certificates."""

import dataclasses
from typing import ClassVar, Literal

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from spectral.grid import Grid

from ..gp.axis import Axis, longest_scale
from ..gp.poisson import certified_stride
from ..random_fields import Covariance
from .base import FieldInfo, Generator, grid_text
from .checks import check_not_negative, check_positive, check_shape, check_whole


@dataclasses.dataclass(frozen=True)
class GPSquare(Generator):
    """Random sources and boundary values in the unit square, on points that include the sides, i / (N - 1).

        f = sum over m < modes of xi_m sqrt(lambda_m) cos(pi m_x x) cos(pi m_y y),    g the trace of such a field

    with lambda_m of N(0, scale (-Lap + tau^2 I)^-alpha) for f, and of N(0, c (-Lap + tau^2 I)^-(alpha + 1)) for g:
    smooth functions that no grid changes. The variance of g is larger in the corners than between them; c makes it
    boundary^2 in the mean over the sides. Inside g is the blend of its sides (Coons), so that an operator sees the same
    function on every grid; zeros would leave it a strip one cell wide. Two fields beside the map say how good a sample
    is: the residual of the equation at the centres of the cells, where the solver did not look, and the posterior
    standard deviation of u.

    Args:
        shape: points of the solver.
        modes: per axis, the constant that is left out among them.
        scale, tau, alpha: of the covariance of f.
        boundary: standard deviation of g, in the root mean square over the sides; 0 leaves it out of the map.
        length_scale: of the Matern process, in sides.

    Raises:
        ValueError: for numbers that are not positive (boundary, scale and tau: negative), fewer than two modes, and a
            length scale that is too long for the points.
    """

    grid_type: ClassVar[str] = "node"
    targets: ClassVar[dict[str, tuple[int, ...]]] = {"solution": (0,)}
    left_side: ClassVar[str] = "-Lap u"
    cause: ClassVar[str] = "it is too large for float32"
    remedy: ClassVar[str] = "take a smaller scale or boundary"

    shape: tuple[int, ...] = (65, 65)
    modes: int = 16
    scale: float = 1e6
    tau: float = 10.0
    alpha: float = 3.0
    boundary: float = 0.3
    length_scale: float = 0.5

    def __post_init__(self) -> None:
        check_shape(self, axes=2, least=9)
        check_whole(self, "modes")
        check_positive(self, "alpha", "length_scale")
        check_not_negative(self, "scale", "tau", "boundary")
        if self.modes < 2:
            raise ValueError(
                f"modes: got {self.modes}, wanted 2 or more: the first is the constant, which is left out; nothing but "
                "zeros would be left"
            )
        if self.modes > min(self.shape) // 2:
            raise ValueError(
                f"modes: got {self.modes} on {self.shape} points, wanted at most {min(self.shape) // 2}, half the "
                "points of a side; take more points"
            )
        for n in self.shape:
            certified_stride(n)
        longest = min(longest_scale(Axis(0.0, 1.0, n), "matern52") for n in self.shape)
        if self.length_scale > longest:
            raise ValueError(
                f"length_scale: got {self.length_scale} with {self.shape} points, wanted at most {longest:.3g}, beyond "
                "which the covariance is singular to float64; shorten it or take fewer points"
            )

    @property
    def grid(self) -> Grid:
        return Grid(self.shape)

    @property
    def inputs(self) -> dict[str, tuple[int, ...]]:
        return {"source": (0,), **({"boundary": (0,)} if self.boundary else {})}

    @property
    def fields(self) -> dict[str, FieldInfo]:
        known = {
            "source": FieldInfo((0.0,), "1/length^2", "source f"),
            "boundary": FieldInfo((0.0,), "1", "u on the sides, blended between them inside"),
        }
        return {
            **{name: known[name] for name in self.inputs if name in known},
            "solution": FieldInfo((0.0,), "1", "u"),
            "residual": FieldInfo(
                (0.0,), "1/length^2", f"{self.left_side} - f at the centre of the cell that begins at the point"
            ),
            "deviation": FieldInfo((0.0,), "1", "posterior standard deviation of u, pessimistic"),
        }

    def parameters(self) -> dict[str, float | str]:
        return {
            "source_covariance": f"{Covariance(self.scale, self.tau**2, self.alpha)}, cosines below {self.modes}",
            "boundary": f"values of standard deviation {self.boundary:g} over the sides",
            "solver_grid": f"{grid_text(self.grid)} points, sides included",
            "scheme": f"collocation, Gaussian process of Matern order 5/2, scale {self.length_scale:g}",
            "length_scale": self.length_scale,
        }

    @property
    def storable(self) -> str:
        return f"n with n - 1 a divisor of {tuple(m - 1 for m in self.shape)}"

    def resolves(self, shape: tuple[int, ...]) -> bool:
        return all(n >= 2 and (m - 1) % (n - 1) == 0 for n, m in zip(shape, self.shape, strict=True))

    def solver_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        return tuple((n - 1) * -(-(m - 1) // (n - 1)) + 1 for n, m in zip(shape, self.shape, strict=True))

    def restrict(self, u: Float[Array, "t ..."], shape: tuple[int, ...]) -> Float[Array, "t ..."]:
        """The values at the points that both grids have."""
        steps = [(m - 1) // (n - 1) for n, m in zip(shape, u.shape[1:], strict=True)]
        return u[(slice(None), *(slice(None, None, step) for step in steps))]

    @property
    def nodes(self) -> list[Float[np.ndarray, "_"]]:
        """Coordinates of the points, per axis."""
        return [np.linspace(0, 1, n) for n in self.shape]

    @property
    def centres(self) -> list[Float[np.ndarray, "_"]]:
        """Those of the centres of the cells."""
        return [(x[:-1] + x[1:]) / 2 for x in self.nodes]

    def rough(self, key: jax.Array) -> Float[Array, "m m"]:
        """Coefficients of a random source."""
        amplitudes = self._amplitudes(Covariance(self.scale, self.tau**2, self.alpha))
        return jax.random.normal(key, amplitudes.shape) * amplitudes

    def smooth(self, key: jax.Array, deviation: float, where: Literal["square", "sides"]) -> Float[Array, "m m"]:
        """Coefficients of a random field, with one derivative more in each direction, of a root mean square there."""
        amplitudes = self._amplitudes(Covariance(1.0, self.tau**2, self.alpha + 1))
        mean = np.where(np.arange(self.modes) == 0, 1, 1 / 2)  # of cos^2 along an axis; 1 at both its ends
        means = np.outer(mean, mean) if where == "square" else np.add.outer(mean, mean) / 2
        amplitudes *= deviation / np.sqrt(np.sum(means * amplitudes**2))
        return jax.random.normal(key, amplitudes.shape) * amplitudes

    def series(
        self, coefficients: Float[Array, "m m"], points: list[np.ndarray], orders: tuple[int, int] = (0, 0)
    ) -> Float[Array, "x y"]:
        """The sum of cosines, or a first derivative of it, at a tensor grid of points."""
        m = np.arange(self.modes)
        left, right = (
            jnp.asarray(-np.pi * m * np.sin(np.pi * np.outer(x, m)) if order else np.cos(np.pi * np.outer(x, m)))
            for x, order in zip(points, orders, strict=True)
        )
        return left @ coefficients @ right.T

    def sides(self, key: jax.Array) -> Float[Array, "1 x y"]:
        """Random boundary values, blended inside."""
        return blend_of_sides(self.series(self.smooth(key, self.boundary, "sides"), self.nodes)[None], *self.nodes)

    def _amplitudes(self, covariance: Covariance) -> Float[np.ndarray, "m m"]:
        """Standard deviations of the coefficients of the cosines, sqrt(2) per axis for those that wave."""
        m = np.arange(self.modes)
        norms = np.where(m == 0, 1, np.sqrt(2))
        squared = np.add.outer((np.pi * m) ** 2, (np.pi * m) ** 2)
        return np.sqrt(np.where(squared > 0, covariance.at(np.where(squared > 0, squared, 1.0)), 0)) * np.outer(
            norms, norms
        )


def blend_of_sides(
    u: Float[Array, "t x y"], x: Float[np.ndarray, "x"], y: Float[np.ndarray, "y"]
) -> Float[Array, "t x y"]:
    """The same values on the sides of the unit square; inside both linear blends less that of the corners."""
    across, along = jnp.asarray(x)[None, :, None], jnp.asarray(y)[None, None, :]

    def along_x(u: Array) -> Array:
        return (1 - across) * u[:, :1] + across * u[:, -1:]

    def along_y(u: Array) -> Array:
        return (1 - along) * u[..., :1] + along * u[..., -1:]

    return along_x(u) + along_y(u) - along_x(along_y(u))


def at_centres(residual: Float[Array, "x y"]) -> Float[Array, "1 px py"]:
    """A field of the centres of the cells, stored at the points that they begin at; the last are repeated."""
    return jnp.pad(residual, ((0, 1), (0, 1)), mode="edge")[None]
