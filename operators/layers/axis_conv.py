"""Convolutions along one axis at a time, with learned kernels that are given by their lowest Fourier coefficients."""

import math

import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float

from spectral.transforms import forward_planes, inverse_planes

from . import pairs


class AxisConv(nnx.Module):
    """v = sum_j F_j^-1[ W_j[k_j] F_j[u] ]: for every axis j a transform along it alone and one matrix per frequency.

    Every transform is that of a real function of one variable, so frequencies 0 .. n_j//2 are kept on every axis, and
    d axes have sum_j (n_j//2 + 1) complex matrices where `SpectralConv` has about prod_j n_j / 2. Axes with fewer
    frequencies use those that they have.

    Args:
        channels: channel count, in and out.
        n_modes: modes per axis, both signs counted.
        gain: factor on the initial weights.
        rngs: random streams.

    Source: Tran et al., Factorized Fourier Neural Operators, 2023, section 3. At the start E|W|^2 is
        gain^2 / (channels (n//2 + 1)), as Xavier's rule has it for their real array of (in, out, mode, re and im).
    """

    def __init__(self, channels: int, n_modes: tuple[int, ...], *, gain: float = 1.0, rngs: nnx.Rngs) -> None:
        self.n_modes = n_modes
        self.weights = nnx.List([_matrices(n // 2 + 1, channels, gain, rngs) for n in n_modes])

    def __call__(self, u: Float[Array, "b *space c"]) -> Float[Array, "b *space c"]:
        along = [self._along(axis, u) for axis in range(1, u.ndim - 1)]
        return sum(along[1:], along[0])

    def _along(self, axis: int, u: Float[Array, "b *space c"]) -> Float[Array, "b *space c"]:
        re, im = forward_planes(u, self.n_modes[axis - 1 : axis], axes=(axis,))
        x = jnp.moveaxis(jnp.stack([re, im], axis=-2), axis, 0)
        rows = x.reshape(len(x), -1, *x.shape[-2:])
        y = pairs.mix_rows(rows, self.weights[axis - 1][: len(x)])
        planes = jnp.moveaxis(y.reshape(x.shape), 0, axis)
        return inverse_planes(planes[..., 0, :], planes[..., 1, :], u.shape[axis : axis + 1], axes=(axis,))


def _matrices(count: int, channels: int, gain: float, rngs: nnx.Rngs) -> nnx.Param:
    std = gain / math.sqrt(channels * count)
    return nnx.Param(pairs.draw(rngs, (count, channels, channels), std, axis=1))
