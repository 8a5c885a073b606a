"""Nonlinear maps of Fourier coefficients, which are pairs of real numbers on a (re, im) axis."""

import dataclasses
import math

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from .arguments import choice, flag, is_number, refusal

SHRINKS = ("cartesian", "magnitude")
# Keeps the root of a mean square differentiable where all is zero; its square is the smallest normal number of float32.
_TINY = 2e-19


def modulus(z: Float[Array, "*n 2 c"]) -> Float[Array, "*n 1 c"]:
    """|z|, with derivative 0 at 0."""
    squared = jnp.sum(z * z, axis=-2, keepdims=True)
    zero = squared == 0
    return jnp.where(zero, 0.0, jnp.sqrt(jnp.where(zero, 1.0, squared)))


def modulus_relu(z: Float[Array, "*n 2 c"], bias: Float[Array, "*m"]) -> Float[Array, "*n 2 c"]:
    """max(|z| + b, 0) z / |z|: it commutes with a rotation of the phase, so with a shift of the function."""
    size = modulus(z)
    return z * jnp.where(size > 0, jax.nn.relu(size + bias) / jnp.where(size > 0, size, 1.0), 0.0)


@dataclasses.dataclass(frozen=True)
class SoftShrink:
    """Soft-shrinkage of coefficients: sign(v) max(|v| - l, 0).

    Args:
        threshold: l; infinity leaves nothing.
        kind: v is the real and the imaginary part ("cartesian") or the modulus, with z / |z| as its sign ("magnitude").
        relative: l counts in units of the root mean square of a sample's v, so that it means the same whatever the norm
            of the transform and the scale of the weights.

    Raises:
        ValueError: for a negative threshold or another kind.
    """

    threshold: float | int
    kind: str = "cartesian"
    relative: bool = False

    def __post_init__(self) -> None:
        level = self.threshold
        if not is_number(level) or math.isnan(level) or level < 0:
            raise refusal("sparsity_threshold", level, "0 or a positive number", "such as sparsity_threshold=0.01")
        flag("relative_threshold", self.relative)
        choice("shrink", self.kind, SHRINKS)

    def __call__(self, z: Float[Array, "n b k 2 c"]) -> Float[Array, "n b k 2 c"]:
        """Shrink the coefficients of samples b, in blocks n of c channels, at modes k."""
        if self.threshold == 0:
            return z
        level: float | Array = self.threshold
        if self.relative and math.isfinite(level):
            parts = 2 if self.kind == "cartesian" else 1
            mean = jnp.mean(jnp.square(z), axis=(0, 2, 3, 4), keepdims=True) * (2 / parts)
            level = level * jnp.sqrt(mean + _TINY**2)
        if self.kind == "cartesian":
            return z - jnp.clip(z, -level, level)
        size = modulus(z)
        return z * jax.nn.relu(1 - level / jnp.where(size > 0, size, 1.0))
