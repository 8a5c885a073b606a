"""A function on another grid, between the layers of an operator."""

import jax
from jaxtyping import Array, Inexact

from spectral.filters import resize

from .by_position import interpolate
from .complex_valued import componentwise


def resample(
    x: Inexact[Array, "b *space c"], shape: tuple[int, ...], compat: str | None = None
) -> Inexact[Array, "b *outspace c"]:
    """The trigonometric polynomial through x on another grid; with `compat` what the library makes of it.

    Args:
        x: samples [b, *space, c].
        shape: points wanted per axis.
        compat: see `by_position.interpolate`.
    """
    if x.shape[1:-1] == shape:
        return x

    def carry(part: jax.Array) -> jax.Array:
        return interpolate(part, shape) if compat else resize(part, shape, tuple(range(1, x.ndim - 1)))

    return componentwise(carry, x)
