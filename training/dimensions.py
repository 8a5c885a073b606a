"""Residuals of equations in many dimensions, from a few random dimensions in every step."""

import dataclasses
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int32

from operators.layers.arguments import whole_number
from pdes.high_dimensional import PointProblem

from .component import check
from .directions import Directions
from .objective import Loss, Model, Objective, Physics, single
from .problem import Problem


@dataclasses.dataclass(frozen=True)
class SampledResidual(Physics):
    """Mean square residual of a network that is the solution, with random dimensions in place of all (SDGD).

        R = sum_{i <= d} L_i(u) + N(u),    d/dtheta mean R^2 / 2 = mean R dR/dtheta,

    where `directions` estimates the sum in dR/dtheta, the only part that is differentiated backward, and `factor`, from
    other random numbers, the sum in R. So the gradient is one of the mean square, without bias, whose cost does not
    grow with the number of terms:

        Alg. 1  directions Coordinates, factor Every          exact R; its forward cost is that of d terms
        Alg. 2  directions Coordinates, factor Coordinates    without bias
        Alg. 3  directions Coordinates, factor null           R from the same dimensions: biased by the variance of the
                                                              estimate, half the cost, the least noise
        Hutchinson  Rademacher for one or both

    R is divided by d, so that its size does not depend on it. The value of the loss is the product of both estimates
    of R, averaged over points: of Alg. 2 it may be negative where few points are averaged.

    Derivatives along directions are two nested forward ones, the directions being shared by all points, so that the
    first layer sees them once.

    Args:
        problem: what the data say about themselves; they come from a `PointProblem`.
        directions: estimate that is differentiated.
        factor: estimate that multiplies it; None takes the same numbers.
        seed: of the random directions; those of a step are a function of (seed, step).
        instead: loss for data of another kind, such as those of the debug configs; None refuses them.

    Raises:
        ValueError: for data of another kind where `instead` is None, or arguments of another type.

    Source: Hu et al. (arXiv 2307.12306), algorithms 1 to 3; Hu et al. (arXiv 2312.14499).
    """

    problem: Problem
    directions: Directions
    factor: Directions | None = None
    seed: int = 0
    instead: Callable[..., Loss] | None = None

    def __post_init__(self) -> None:
        check("directions", self.directions, isinstance(self.directions, Directions), "one of training.directions")
        check("factor", self.factor, isinstance(self.factor, Directions | None), "one of training.directions, or null")
        check("seed", self.seed, (whole_number(self.seed) or 0) >= 0, "a whole number of at least 0")
        if self.instead is None and self._equation() is None:
            raise ValueError(
                f"problem: got {self.problem.equation!r}, wanted one of pdes.high_dimensional, such as pde=hd_poisson; "
                "take another loss"
            )

    def _equation(self) -> PointProblem | None:
        made = self.problem.generator() if self.problem.generator else None
        return made if isinstance(made, PointProblem) else None

    def objective(self, encode: Callable[[Array], Array], decode: Callable[[Array], Array]) -> Objective:
        """See `Physics`."""
        equation = self._equation()
        if equation is None:
            assert self.instead is not None
            domain: dict[str, Any] = {"extent": self.problem.extent, "periodic": self.problem.periodic}
            loss = self.instead(**domain)
            return single(lambda prediction, y: loss(prediction, encode(y)))

        def terms(model: Model, x: Array, y: Array, step: Int32[Array, ""]) -> dict[str, Array]:
            del y
            key = jax.random.fold_in(jax.random.key(self.seed), step)
            product = self.product(equation, lambda points: decode(model(points)), x, *jax.random.split(key))
            return {"residual": jnp.mean(product, axis=-1)}

        return Objective(terms, {"residual": 1.0})

    def product(
        self, equation: PointProblem, model: Model, x: Float[Array, "*b n d"], backward: Array, forward: Array
    ) -> Float[Array, "*b n"]:
        """R^2 at points: a product of two estimates of which one has a gradient, 2 R dR.

        Args:
            equation: of the data.
            model: points -> physical values.
            x: points.
            backward: random key of `directions`.
            forward: random key of `factor`.
        """
        points = x.reshape(-1, x.shape[-1])
        residual = sampled_residual(equation, model, points, self.directions, backward)
        if self.factor is None:
            product = residual**2
        else:
            factor = jax.lax.stop_gradient(sampled_residual(equation, model, points, self.factor, forward))
            product = factor * (2 * residual - jax.lax.stop_gradient(residual))
        return product.reshape(x.shape[:-1])


def sampled_residual(
    equation: PointProblem, model: Model, points: Float[Array, "n d"], directions: Directions, key: Array
) -> Float[Array, "n"]:
    """R / d at points, its sum over dimensions estimated from some directions."""

    def u(x: Float[Array, "d"]) -> Float[Array, ""]:
        return model(x[None])[0, 0]

    def total(vectors: Float[Array, "v dims"]) -> Float[Array, "n"]:
        # Time and whatever else is no dimension stays where it is.
        padded = jnp.pad(vectors, ((0, 0), (0, equation.coordinates - equation.dims))).astype(points.dtype)

        def at(x: Float[Array, "d"]) -> Float[Array, ""]:
            first, second = jax.vmap(lambda v: along(u, x, v))(padded)
            return jnp.sum(equation.piece(first, second))

        return jax.vmap(at)(points)

    rest = jax.vmap(lambda x: equation.rest(u, x))(points)
    return (directions(key, equation.dims, total) + rest) / equation.dims


def along(
    u: Callable[[Float[Array, "d"]], Float[Array, ""]], x: Float[Array, "d"], v: Float[Array, "d"]
) -> tuple[Float[Array, ""], Float[Array, ""]]:
    """First and second derivative of s -> u(x + s v) at 0."""

    def slope(x: Float[Array, "d"]) -> Float[Array, ""]:
        return jax.jvp(u, (x,), (v,))[1]

    # Not `jax.experimental.jet`, which counts as many operations: it has no rule for what `shard_map` inserts.
    return jax.jvp(slope, (x,), (v,))
