"""Numerics of other libraries, for checkpoints that were trained with them."""

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Complex, Float

from .arguments import choice

NEURALOP2 = "neuralop2"
NEURALOP2_RELEASE = "neuralop2-release"
TORCH_CFD = "torch_cfd"


def check_compat(compat: str | None) -> str | None:
    """The name, if it is one.

    Raises:
        ValueError: for another name.
    """
    return choice("compat", compat, (None, NEURALOP2, NEURALOP2_RELEASE), "None is the numerics of this library")


def lowered(c: Float[Array, "b *k o"], shape: tuple[int, ...]) -> Float[Array, "b *l o"]:
    """Coefficients with every frequency of an odd leading axis moved down by one, round the end of the axis.

    That is what the release 2.0.0 of neuraloperator does with fftshift where ifftshift undoes its shift: on S = 2 h + 1
    points the zero frequency goes from bin h to bin 2 h, which is that of -1. On even axes the two are the same.

    Args:
        c: one plane of coefficients in ascending signed frequency.
        shape: points of every axis.

    Returns:
        The plane with all S frequencies on the odd leading axes.
    """
    for axis, (size, kept) in enumerate(zip(shape[:-1], c.shape[1:-2], strict=True), 1):
        if size % 2:
            below = size // 2 - kept // 2
            widths = [(0, 0)] * c.ndim
            widths[axis] = (below, size - kept - below)
            c = jnp.roll(jnp.pad(c, widths), -1, axis)
    return c


def modulated(z: Complex[Array, "b *space c"], frequency: int) -> Complex[Array, "b *space c"]:
    """z exp(2 pi i frequency j / S) along the last axis of space: its spectrum, moved up by `frequency`."""
    size = z.shape[-2]
    wave = np.exp(2j * np.pi * (frequency * np.arange(size) % size) / size)
    return z * jnp.asarray(wave, z.dtype).reshape([1] * (z.ndim - 2) + [size, 1])
