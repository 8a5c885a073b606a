"""Many Darcy problems on one grid: iterations behind the factors of Poisson's equation, a certificate for each."""

import dataclasses

import jax
import jax.numpy as jnp
from jax.scipy.sparse.linalg import bicgstab
from jaxtyping import Array, Float

from .axis import Axis, AxisModel
from .poisson import PoissonFactors, plain_kernel

# Of -Lap^-1 of the equation's residual, relative: where the iterations end, and what is accepted.
_TOLERANCE, _ACCEPTED = 1e-10, 1e-8
_MAX_STEPS = 200


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class DarcyFactors:
    """Solves -div(a grad u) = f in a rectangle, u = g on its sides, for any (a, f, g), with Matern processes.

        -Lap u - grad(log a) . grad u = f / a

    Collocation as in `pdes.gp.direct.solve`. Divided by a, all of the equation that varies is of first order: behind
    the factors of the Laplacian it is a small disturbance of the identity, and the number of iterations (BiCGStab)
    grows neither with the points nor much with the contrast of a. log a is differentiated as u is. Made on the host by
    `of`; a pytree. Of one problem: many go through `jax.vmap`.

    Args:
        poisson: factors of -Lap, and of the posterior deviation.
        first: per axis, first derivative at all points from values there.
        middle_first: the same at the centres of the cells.
    """

    poisson: PoissonFactors
    first: tuple[Float[Array, "_ _"], ...]
    middle_first: tuple[Float[Array, "_ _"], ...]

    @classmethod
    def of(cls, axes: tuple[Axis, Axis], envelope: str = "matern52", scale: float = 0.5) -> "DarcyFactors":
        """Factors everything.

        Args:
            axes, envelope, scale: as of `PoissonFactors.of`.

        Raises:
            ValueError: as there.
        """
        models = [AxisModel.of(axis, plain_kernel(axis, envelope, scale), [1]) for axis in axes]
        first = tuple(model.derivatives[1] for model in models)
        centres = [jnp.asarray((axis.points[:-1] + axis.points[1:]) / 2) for axis in axes]
        middle_first = tuple(model.interpolation(x, 1) for model, x in zip(models, centres, strict=True))
        return cls(PoissonFactors.of(axes, envelope, scale), first, middle_first)

    def solve(
        self, permeability: Float[Array, "x y"], source: Float[Array, "x y"], sides: Float[Array, "x y"]
    ) -> Float[Array, "x y"]:
        """u at all points; no number where the iterations do not converge.

        Args:
            permeability: a > 0 at all points.
            source: f at all points, of which those inside count.
            sides: g at the points on the sides; inside any field that continues it.
        """
        drift = self._gradient(jnp.log(permeability))

        def inverse(right: jax.Array) -> jax.Array:
            return jnp.pad(self.poisson.solver.solve(right[1:-1, 1:-1]), 1)

        def disturbed(u: jax.Array) -> jax.Array:
            return u + inverse(self._along(drift, u))

        start = inverse(-source / permeability - self._laplacian(sides) - self._along(drift, sides))
        found, _ = bicgstab(disturbed, start, tol=_TOLERANCE, maxiter=_MAX_STEPS)
        missed = jnp.max(jnp.abs(disturbed(found) - start))
        return jnp.where(missed <= _ACCEPTED * jnp.max(jnp.abs(start)), sides + found, jnp.nan)

    def residual(
        self,
        u: Float[Array, "x y"],
        permeability: Float[Array, "mx my"],
        drift: tuple[Float[Array, "mx my"], Float[Array, "mx my"]],
        source: Float[Array, "mx my"],
    ) -> Float[Array, "mx my"]:
        """-div(a grad u) - f of the processes' mean at the centres of the cells, where nothing was asked of it.

        Args:
            u: at all points.
            permeability, drift, source: a, grad(log a) and f at the centres.
        """
        value, second = self.poisson.middle, self.poisson.middle_second
        laplacian = second[0] @ u @ value[1].T + value[0] @ u @ second[1].T
        slopes = self.middle_first[0] @ u @ value[1].T, value[0] @ u @ self.middle_first[1].T
        return -permeability * (laplacian + drift[0] * slopes[0] + drift[1] * slopes[1]) - source

    def deviation(
        self,
        u: Float[Array, "x y"],
        permeability: Float[Array, "x y"],
        source: Float[Array, "x y"],
        sides: Float[Array, "x y"],
    ) -> Float[Array, "x y"]:
        """Posterior standard deviation of u, given -Lap u = f / a + grad(log a) . grad u with the slopes of u.

        See `PoissonFactors.deviation`. What the slopes do not know of themselves is left out: between points h apart a
        share of h |grad(log a)| of the deviation, as slopes of a wave of that length are of its second derivatives.
        """
        right = source / permeability + self._along(self._gradient(jnp.log(permeability)), u)
        return self.poisson.deviation(right[None], sides[None])[0]

    def _laplacian(self, u: jax.Array) -> jax.Array:
        return self.poisson.second[0] @ u + u @ self.poisson.second[1].T

    def _gradient(self, u: jax.Array) -> tuple[jax.Array, jax.Array]:
        return self.first[0] @ u, u @ self.first[1].T

    def _along(self, drift: tuple[jax.Array, jax.Array], u: jax.Array) -> jax.Array:
        x, y = self._gradient(u)
        return drift[0] * x + drift[1] * y
