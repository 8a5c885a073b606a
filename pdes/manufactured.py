"""Any equation with a source that makes a given travelling wave its exact solution."""

import dataclasses
import functools
from collections.abc import Mapping

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Complex, Float

from .equations.base import Equation


@dataclasses.dataclass(frozen=True, eq=False)
class Manufactured(Equation):
    """An equation u_t = R(u) with the source under which u = U(x - c t) for a chosen U.

        u_t = R(u) + g(x - c t),    g = -c . grad U - R(U)

    The source travels too: it is one more field with the linear symbol -i c . k, so that any time stepper takes it
    along, exactly where it is exact for linear terms. States are [2, *k]: solution and source.

    Args:
        equation: R, of a half spectrum.
        velocity: c, length / time, one number per axis.
        source: g on the grid, at t = 0, in the shape of a state in space. Worked out from the equation as it is
            written, not by the solver, or the test is none.

    Accuracy:
        A solution that is not band-limited is missed by what the grid cannot hold, of it or of the source.

    Source:
        Roache 2002 (J. Fluids Eng. 124), on the method.
    """

    equation: Equation
    velocity: tuple[float, ...]
    source: Float[Array, "..."] | np.ndarray

    @property
    def grid(self):  # pyright: ignore[reportIncompatibleVariableOverride]
        return self.equation.grid

    @property
    def fields(self) -> Mapping[str, tuple[str, str]]:  # pyright: ignore[reportIncompatibleVariableOverride]
        return self.equation.fields

    @property
    def degree(self) -> int:  # pyright: ignore[reportIncompatibleVariableOverride]
        return self.equation.degree

    @functools.cached_property
    def linear(self) -> np.ndarray:  # pyright: ignore[reportIncompatibleVariableOverride]
        """The equation's, and -i c . k, 1 / time."""
        own, k = self.equation.linear, self.grid.derivative_wavenumbers
        carried = -1j * sum(c * kj for c, kj in zip(self.velocity, k, strict=True))
        return np.stack([own, np.broadcast_to(carried, own.shape)])

    def nonlinear(self, u_hat: Complex[Array, "2 *k"]) -> Complex[Array, "2 *k"]:
        """The equation's and the source; nothing acts on the source."""
        return jnp.stack([self.equation.nonlinear(u_hat[0]) + u_hat[1], jnp.zeros_like(u_hat[1])])

    def to_spectral(self, u: Float[Array, "*space"]) -> Complex[Array, "2 *k"]:
        """Solution at t = 0 on the grid -> it and the source at t = 0."""
        return jnp.stack([self.equation.to_spectral(v) for v in (u, jnp.asarray(self.source))])

    def to_physical(self, u_hat: Complex[Array, "2 *k"]) -> Float[Array, "*space"]:
        """The solution on the grid."""
        return self.equation.to_physical(u_hat[0])

    def invariants(self, u_hat: Complex[Array, "2 *k"]) -> dict[str, Float[Array, ""]]:
        """None: the source works."""
        return {}
