"""What an optimiser changes of a trajectory: the sources of the linear problem, as real numbers of one size."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Complex, Float

from spectral.derivatives import symbol
from spectral.norms import shell_spectrum, shells

from .flow import Flow, made_real


@dataclasses.dataclass(frozen=True, eq=False)
class Sources:
    """Corrections c_m of the outputs, by what is added from each to the next in the linear equation.

        c_m = exp(lambda Dt) c_(m-1) + scale * (p_m[0] + i p_m[1]),    c_0 = 0

    So the derivative of a residual by p is the identity but for the nonlinear term. With the c themselves as unknowns
    the same optimiser hardly moves: an error at one output is one at all that follow. `scale` is
    the size of the first residual in each shell of wavenumbers: one learning rate then suits all of them. Real
    pairs, because Adam on complex numbers is another method, and accelerators compute best with real ones.

    Args:
        equation: of real fields.
        interval: Dt.
        axis: mesh axis that the outputs are spread over, see `time_parallel`.
    """

    equation: Flow
    interval: float | int
    axis: str | None = None

    def scale(self, residual: Complex[Array, "t ..."]) -> Float[Array, "..."]:
        """Root mean square of a residual over outputs and the modes of each shell, times Dt: [*k] or [field, *k]."""
        grid = self.equation.grid
        power = shell_spectrum(residual, grid)
        shell = shells(grid)
        count = np.bincount(shell.ravel(), np.broadcast_to(grid.rfft_weights, shell.shape).ravel())
        mean = jnp.mean(power, axis=0)
        if self.axis is not None:
            mean = jax.lax.pmean(mean, self.axis)
        sizes = self.interval * jnp.sqrt(mean / symbol(np.maximum(count, 1.0), mean))
        return sizes[..., shell]

    def correction(self, p: Float[Array, "t *k 2"], scale: Float[Array, "..."]) -> Complex[Array, "t *k"]:
        """c of the pairs p: the spectra of real fields."""
        added = made_real(jax.lax.complex(p[..., 0], p[..., 1]) * scale[None], self.equation.grid)
        carry = jnp.zeros_like(added[0])
        if self.axis is not None:
            carry = self._from_the_left(added)
        return self._accumulate(carry, added)

    def _accumulate(self, carry: jax.Array, added: jax.Array) -> jax.Array:
        decay = symbol(np.exp(self.interval * self.equation.linear), carry)

        def following(c: jax.Array, source: jax.Array) -> tuple[jax.Array, jax.Array]:
            c = decay * c + source
            return c, c

        return jax.lax.scan(following, carry, added)[1]

    def _from_the_left(self, added: jax.Array) -> jax.Array:
        """c of the output before this device's first: one gather of one state per device."""
        last = self._accumulate(jnp.zeros_like(added[0]), added)[-1]
        every = jax.lax.all_gather(last, self.axis)
        across = symbol(np.exp(len(added) * self.interval * self.equation.linear), last)
        carry, index = jnp.zeros_like(last), jax.lax.axis_index(self.axis)
        for device in range(len(every) - 1):
            carry = jnp.where(device < index, across * carry + every[device], carry)
        return carry
