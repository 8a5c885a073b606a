"""The wave equation."""

import dataclasses
import functools
from typing import ClassVar

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Complex, Float

from spectral.derivatives import symbol
from spectral.grid import Grid
from spectral.transforms import irfftn, rfftn

from .base import Equation
from .real_fields import check, dealiasing_mask


@dataclasses.dataclass(frozen=True)
class Wave(Equation):
    """A displacement u and its velocity v, in waves of one speed.

        u_t = v,    v_t = c^2 Lap u

    In space the state is (u, v), [2, *space]. Its spectrum is that of the waves that turn either way,
    a = v_hat + i w u_hat and b = v_hat - i w u_hat with w = c |k|, in which the equation is diagonal: linear symbols
    i w and -i w. At k = 0, where both are one, the state holds (v, u), and u_t = v is the other term: `etdrk4` is
    exact at any time step.

    Args:
        grid: one to three axes.
        speed: c, length / time.
    """

    fields: ClassVar[dict[str, tuple[str, str]]] = {
        "displacement": ("length", "displacement"),
        "velocity": ("length/time", "its rate of change"),
    }
    degree: ClassVar[int] = 1

    grid: Grid
    speed: float = 1.0

    def __post_init__(self) -> None:
        check((1, 2, 3), self.grid, speed=self.speed)

    @functools.cached_property
    def linear(self) -> np.ndarray:  # pyright: ignore[reportIncompatibleVariableOverride]
        """i c |k| and -i c |k|, 1 / time."""
        return np.stack([1j * self._frequency, -1j * self._frequency])

    def nonlinear(self, u_hat: Complex[Array, "2 *k"]) -> Complex[Array, "2 *k"]:
        """The mean velocity moves the mean displacement."""
        return jnp.stack([jnp.zeros_like(u_hat[0]), symbol(self._mean, u_hat[0]) * u_hat[0]])

    def to_spectral(self, u: Float[Array, "2 *space"]) -> Complex[Array, "2 *k"]:
        """Displacement and velocity on the grid -> both turning waves."""
        axes = tuple(range(1, u.ndim))
        kept = dealiasing_mask(self.grid, self.degree)
        displacement, velocity = rfftn(u, axes) * kept[None]
        turned = symbol(1j * self._frequency, velocity) * displacement
        return jnp.stack(
            [velocity + turned, velocity - turned + symbol(self._mean, velocity) * (displacement - velocity)]
        )

    def to_physical(self, u_hat: Complex[Array, "2 *k"]) -> Float[Array, "2 *space"]:
        """Turning waves -> displacement and velocity on the grid."""
        displacement, velocity = self._displacement_and_velocity(u_hat)
        return irfftn(jnp.stack([displacement, velocity]), self.grid.shape, tuple(range(1, u_hat.ndim)))

    def invariants(self, u_hat: Complex[Array, "2 *k"]) -> dict[str, Float[Array, ""]]:
        """Energy mean(v^2 + c^2 |grad u|^2) / 2, and the mean velocity."""
        displacement, velocity = self._displacement_and_velocity(u_hat)
        weights = symbol(np.broadcast_to(self.grid.rfft_weights, self.grid.spectrum_shape) / 2, velocity)
        energy = jnp.abs(velocity) ** 2 + symbol(self._frequency**2, velocity) * jnp.abs(displacement) ** 2
        return {"energy": jnp.sum(weights * energy), "mean velocity": velocity.ravel()[0].real}

    @functools.cached_property
    def _frequency(self) -> np.ndarray:
        return self.speed * np.sqrt(self.grid.wavenumber_squared)

    @functools.cached_property
    def _mean(self) -> np.ndarray:
        """1 at k = 0."""
        return (self.grid.wavenumber_squared == 0).astype(float)

    def _displacement_and_velocity(self, u_hat: Complex[Array, "2 *k"]) -> tuple[Array, Array]:
        a, b = u_hat
        mean = symbol(self._mean, a)
        inverse = 1 / np.where(self._frequency > 0, self._frequency, np.inf)
        displacement = symbol(-0.5j * inverse, a) * (a - b) + mean * b
        return displacement, (a + b) / 2 + mean * (a - b) / 2
