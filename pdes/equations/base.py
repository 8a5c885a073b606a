"""What a time stepper, a rollout or a refiner may ask of an equation."""

import abc
from collections.abc import Mapping

import numpy as np
from jaxtyping import Array, Complex, Float

from spectral.derivatives import symbol
from spectral.grid import Grid


class Equation(abc.ABC):
    """A semi-linear evolution equation on a periodic box whose linear part is diagonal in Fourier space.

        d u_hat / dt = linear * u_hat + nonlinear(u_hat)

    The state is one unbatched half spectrum u_hat[*k] (in two dimensions [kx, ky]) in NumPy's order, in amplitudes
    (`spectral.transforms`); batches go through `jax.vmap`. Equations of several fields have one more axis in front,
    [field, *k] and [field, *space]; complex ones a whole spectrum. `linear` is a NumPy array of the state's shape in
    float64 or complex128, so that steppers can work out their coefficients in full precision before they cast them to
    that of the state. `fields` names what `to_physical` returns, in order: unit and description. `degree` is that of
    the nonlinear term as a polynomial (1 where there is none): modes |m| < N / (degree + 1) are solved for.
    """

    grid: Grid
    linear: np.ndarray
    fields: Mapping[str, tuple[str, str]]
    degree: int

    @abc.abstractmethod
    def nonlinear(self, u_hat: Complex[Array, "*k"]) -> Complex[Array, "*k"]:
        """Everything but the linear term, forcing included."""

    @abc.abstractmethod
    def to_spectral(self, u: Float[Array, "*space"]) -> Complex[Array, "*k"]:
        """Field on the grid -> a state: the amplitudes that the equation keeps."""

    @abc.abstractmethod
    def to_physical(self, u_hat: Complex[Array, "*k"]) -> Float[Array, "*space"]:
        """State -> field on the grid."""

    @abc.abstractmethod
    def invariants(self, u_hat: Complex[Array, "*k"]) -> dict[str, Float[Array, ""]]:
        """What is conserved when nothing damps (Re linear = 0) or forces; empty where nothing is."""

    def transport_velocity(self, u_hat: Complex[Array, "*k"]) -> Float[Array, "d *space"] | None:
        """What the nonlinear term carries the state with along every axis, for limits on time steps, or None."""
        del u_hat
        return None

    def rhs(self, u_hat: Complex[Array, "*k"]) -> Complex[Array, "*k"]:
        """The whole right-hand side, d u_hat / dt."""
        return symbol(self.linear, u_hat) * u_hat + self.nonlinear(u_hat)
