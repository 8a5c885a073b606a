"""How far a learned map is from obeying the equation that its data were made with."""

import dataclasses
import math
from collections.abc import Callable

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from pdes.equations import Equation
from spectral.filters import resize
from spectral.grid import Grid

from .losses import EPSILON


@dataclasses.dataclass(frozen=True)
class FlowResidual:
    """Relative residual of u_t = F(u) in the output of a map from states to later states.

        R = G'(u0) [F(u0)] - F(G(u0)),    |R| / |F(v)|  with v the target

    In an autonomous flow the output moves along as the input does, so u_t of the output is the derivative of the map in
    the direction u_t = F(u0) of the input, which forward differentiation gives: no output at other times, and no error
    of differences in time. F is evaluated spectrally and free of aliases, on a grid of half as many points again, or of
    (degree + 1) / 2 as many where it is of a higher degree.

    The residual vanishes for the flow over any time, that over none included: it does not take the place of the data,
    but tells the operator how the output depends on directions of the input that few samples explore.

    Args:
        flow: grid -> equation.
        extent: side lengths of the periodic domain.

    Accuracy:
        Round-off for the exact map, on stored states that hold all that the solver resolved. Where they are cut below
        that, what the lost modes do to the others remains.
    Source: Li et al. 2021 (arXiv 2111.03794) add a residual of the equation to the loss of the data; theirs takes u_t
        from the operator's output at many times.
    """

    flow: Callable[[Grid], Equation]
    extent: tuple[float, ...]

    def __call__(
        self, apply: Callable[[Array], Array], x: Float[Array, "b *space ci"], y: Float[Array, "b *space co"]
    ) -> Float[Array, "b"]:
        """Residual of every sample, averaged over channels.

        Args:
            apply: the map, physical inputs [b, *space, c] -> physical outputs.
            x: inputs.
            y: targets, which set the scale.
        """
        output, moved = jax.jvp(apply, (x,), (self.rate(x),))
        axes = tuple(range(1, x.ndim - 1))
        error, size = (jnp.sum(v**2, axis=axes) for v in (moved - self.rate(output), self.rate(y)))
        # The small numbers: a target at rest, and a perfect map, where the root has no derivative.
        return jnp.mean(jnp.sqrt(error / (size + EPSILON**2) + EPSILON**2), axis=-1)

    def rate(self, u: Float[Array, "b *space c"]) -> Float[Array, "b *space c"]:
        """F(u) of every state, on its own grid."""
        shape = u.shape[1:-1]
        # Of the modes below N/2 none is lost to de-aliasing.
        degree = max(2, self.flow(Grid(shape, self.extent)).degree)
        fine = tuple(math.ceil((degree + 1) / 2 * n) for n in shape)
        equation = self.flow(Grid(fine, self.extent))

        def rate_of(state: Float[Array, "*space"]) -> Float[Array, "*space"]:
            axes = tuple(range(state.ndim))
            rate = equation.rhs(equation.to_spectral(resize(state, fine, axes)))
            return resize(equation.to_physical(rate), shape, axes)

        return jax.vmap(jax.vmap(rate_of, in_axes=-1, out_axes=-1))(u)
