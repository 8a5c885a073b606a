"""Zero padding of the domain, for functions that are not periodic."""

from collections.abc import Sequence

import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Inexact

from .arguments import choice, shares

MODES = ("symmetric", "one-sided")


class DomainPadding(nnx.Module):
    """Append round(fraction * S) zeros to every spatial axis, on both ends or at the far end.

    Args:
        fraction: share of the axis to add per padded end, one for all axes or one per axis.
        ndim: spatial axes.
        mode: "symmetric" (both ends) or "one-sided" (the far end).

    Raises:
        ValueError: for a negative fraction, a wrong number of them, or another mode.
    """

    def __init__(self, fraction: int | float | Sequence[int | float], ndim: int, *, mode: str = "symmetric") -> None:
        self.fraction = shares("domain_padding", fraction, ndim)
        self.mode = choice("domain_padding_mode", mode, MODES)

    def widths(self, shape: tuple[int, ...]) -> tuple[tuple[int, int], ...]:
        """Points added before and after every axis (halves round to even)."""
        far = [round(f * s) for f, s in zip(self.fraction, shape, strict=True)]
        return tuple((w if self.mode == "symmetric" else 0, w) for w in far)

    def padded_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """Shape of the padded grid."""
        return tuple(s + before + after for s, (before, after) in zip(shape, self.widths(shape), strict=True))

    def pad(self, u: Inexact[Array, "b *space c"]) -> Inexact[Array, "b *padded c"]:
        """The function with zeros around it."""
        return jnp.pad(u, ((0, 0), *self.widths(u.shape[1:-1]), (0, 0)))

    def carried(self, shape: tuple[int, ...], target: tuple[int, ...]) -> tuple[int, ...]:
        """Shape of the padded grid after a change of resolution that takes `shape` to `target`: in proportion."""
        padded = self.padded_shape(shape)
        return tuple(round(p * t / s) for p, s, t in zip(padded, shape, target, strict=True))

    def begin(self, shape: tuple[int, ...], target: tuple[int, ...]) -> tuple[int, ...]:
        """First point without padding of a function that was padded on `shape`, and carried to `target` since."""
        sizes = zip(target, shape, self.widths(shape), strict=True)
        return tuple(round(before * t / s) for t, s, (before, _) in sizes)
