"""The token mixer of AFNO: one small network for all Fourier modes."""

import math
from collections.abc import Callable, Sequence

import jax.numpy as jnp
import numpy as np
from flax import nnx
from jaxtyping import Array, Float

from spectral.transforms import forward_planes, inverse_planes

from . import pairs
from .activations import as_activation
from .afno_modes import Truncation
from .arguments import choice, random_streams, refusal, whole
from .modes import as_modes
from .shrinkage import SoftShrink, modulus_relu
from .skips import make_skip

BIASES = ("spectral", "spatial", None)
INITS = ("fixed", "fan_in")
NORMS = ("ortho", "forward")

# Scale and shift [b, 2, c] of a layer before its activation; one on the pair axis acts on re and im alike.
Modulation = tuple[Float[Array, "b p c"], Float[Array, "b p c"]]


class AFNOMixer(nnx.Module):
    """v = S x + F^-1[ shrink( W_2 sigma(W_1 F[x] + b_1) + b_2 ) ], the same block-diagonal W at every Fourier mode.

    W_1 and W_2 are complex and have `num_blocks` blocks; modes that are not kept add nothing, and pass through the skip
    S. The half spectrum of a nonlinear map need not be Hermitian: the inverse transform projects it, see
    `spectral.transforms.irfftn`.

    Args:
        channels: channel count, in and out.
        ndim: spatial axes, 1 to 3.
        num_blocks: blocks of the weights; divides the channels.
        hidden_size_factor: width of the hidden layer over that of a block.
        truncation: "all", "two_sided" or "fourcastnet", see `afno_modes.Truncation`.
        n_modes: per axis, both signs counted, with "two_sided".
        hard_thresholding_fraction: share of the modes that is kept, see `Truncation`.
        non_linearity: sigma, on real and imaginary part: "relu", "gelu", ..; or "modulus", max(|z| + b, 0) z / |z|.
        sparsity_threshold: l of the soft-shrinkage; 0 for none.
        shrink: "cartesian" on real and imaginary part, "magnitude" on |z|.
        relative_threshold: l in units of the root mean square of what is shrunk.
        bias: "spectral", b_1 and b_2 at every mode; "spatial", one number per channel added to v; or None.
        inner_skip: S: "identity", "linear", "soft-gating" or None.
        init: "fixed", 0.02 N(0, 1) for weights and spectral biases; "fan_in", weights that keep the variance and
            biases of zero. With "fixed" and blocks of 16 channels or fewer the shrinkage stops nearly everything.
        norm: of the transform. With "ortho" the amplitudes of a smooth function grow with the root of the number of
            points, so that biases and l belong to one grid; with "forward" they do not.
        rngs: random streams.

    Raises:
        ValueError: for blocks that do not divide the channels, and names and numbers that make no mixer.

    Accuracy:
        Shifts of the function commute with the mixer to round-off with non_linearity="modulus", bias other than
        "spectral", and l = 0 or shrink="magnitude"; otherwise not at all. Spectral biases leave a pattern at the origin
        of the grid.

    Source: Guibas et al., Adaptive Fourier Neural Operators, 2022, and their code (`AFNO2D`); modulus activation,
        spatial bias and linear skip as in makani's second version.
    """

    def __init__(
        self,
        channels: int,
        *,
        ndim: int = 2,
        num_blocks: int = 8,
        hidden_size_factor: int = 1,
        truncation: str = "all",
        n_modes: int | Sequence[int] | None = None,
        hard_thresholding_fraction: float | int = 1.0,
        non_linearity: str | Callable = "relu",
        sparsity_threshold: float | int = 0.01,
        shrink: str = "cartesian",
        relative_threshold: bool = False,
        bias: str | None = "spectral",
        inner_skip: str | None = "identity",
        init: str = "fixed",
        norm: str = "ortho",
        rngs: nnx.Rngs,
    ) -> None:
        random_streams(rngs)
        self.channels, self.ndim = whole("channels", channels), whole("ndim", ndim)
        self.num_blocks = blocks = whole("num_blocks", num_blocks)
        if channels % blocks:
            wanted = f"a divisor of the {channels} channels"
            raise refusal("num_blocks", num_blocks, wanted, "change one of them")
        modes = None if n_modes is None else as_modes(n_modes)
        self.truncation = Truncation(truncation, ndim, modes, hard_thresholding_fraction)
        self.shrinkage = SoftShrink(sparsity_threshold, shrink, relative_threshold)
        self.norm = choice("norm", norm, NORMS)
        choice("bias", bias, BIASES)
        size = channels // blocks
        hidden = size * whole("hidden_size_factor", hidden_size_factor)
        fixed = choice("init", init, INITS) == "fixed"

        def normal(std: float, *shape: int) -> nnx.Param:
            # Drawn flat, see `pairs.draw`.
            return nnx.Param((std * rngs.params.normal((math.prod(shape),), jnp.float32)).reshape(shape))

        def biases(width: int) -> nnx.Param | None:
            if bias != "spectral":
                return None
            shape = 2, blocks, width
            return normal(0.02, *shape) if fixed else nnx.Param(jnp.zeros(shape, jnp.float32))

        self.w1 = normal(0.02 if fixed else 1 / math.sqrt(2 * size), 2, blocks, size, hidden)
        self.b1 = biases(hidden)
        self.w2 = normal(0.02 if fixed else 1 / math.sqrt(2 * hidden), 2, blocks, hidden, size)
        self.b2 = biases(size)
        self.spatial_bias = nnx.Param(jnp.zeros(channels, jnp.float32)) if bias == "spatial" else None
        by_modulus = isinstance(non_linearity, str) and non_linearity == "modulus"
        self.non_linearity = None if by_modulus else as_activation(non_linearity)
        self.modulus_bias = nnx.Param(jnp.zeros((blocks, hidden), jnp.float32)) if by_modulus else None
        self.skip = make_skip(inner_skip, channels, channels, name="inner_skip", rngs=rngs)

    def __call__(
        self, x: Float[Array, "b *space c"], modulation: Modulation | None = None
    ) -> Float[Array, "b *space c"]:
        """Mix the tokens.

        Args:
            x: samples [b, *space, channels]; what is mixed is float32 or float64.
            modulation: scale and shift of the hidden layer before its activation, see `ModAFNO`.
        """
        y = self.update(x, modulation)
        if self.spatial_bias is not None:
            y = y + self.spatial_bias[...].reshape([1] * (y.ndim - 1) + [-1])
        return y if self.skip is None else y + self.skip(x)

    def update(self, x: Float[Array, "b *space c"], modulation: Modulation | None = None) -> Float[Array, "b *space c"]:
        """What the kept modes add."""
        axes, shape = tuple(range(1, self.ndim + 1)), x.shape[1:-1]
        if len(shape) != self.ndim:
            raise ValueError(f"x: got shape {x.shape}, wanted [batch, {self.ndim} spatial axes, channels]")
        kept = self.truncation(shape)
        if kept is None:
            return jnp.zeros_like(x)
        scale = math.sqrt(math.prod(shape)) if self.norm == "ortho" else 1.0
        planes = forward_planes(x, kept.n_modes, axes=axes)
        z = self._mixed(self._in_blocks(*(scale * plane for plane in planes)), modulation)
        re, im = (plane.reshape(planes[0].shape) / scale for plane in self._planes(z))
        if kept.rows is not None:
            rows = jnp.asarray(kept.rows.reshape(-1, *[1] * self.ndim)[None], re.dtype)
            re, im = re * rows, im * rows
        return inverse_planes(re, im, shape, axes=axes).astype(x.dtype)

    def _mixed(self, z: Float[Array, "n b k 2 i"], modulation: Modulation | None) -> Float[Array, "n b k 2 i"]:
        z = self._layer(z, self.w1, self.b1)
        if modulation is not None:
            z = self._modulated(z, *modulation)
        if self.non_linearity is not None:
            z = self.non_linearity(z)
        elif self.modulus_bias is not None:
            z = modulus_relu(z, self.modulus_bias[...][:, None, None, None])
        return self.shrinkage(self._layer(z, self.w2, self.b2))

    def _layer(self, z: Float[Array, "n b k 2 i"], w: nnx.Param, b: nnx.Param | None) -> Float[Array, "n b k 2 o"]:
        n, *rows, _, i = z.shape
        y = pairs.mix_rows(z.reshape(n, -1, 2, i), w[...].swapaxes(0, 1))
        if b is not None:
            y = y + b[...].swapaxes(0, 1)[:, None]
        return y.reshape(n, *rows, 2, -1)

    def _modulated(
        self, z: Float[Array, "n b k 2 h"], scale: Float[Array, "b p c"], shift: Float[Array, "b p c"]
    ) -> Float[Array, "n b k 2 h"]:
        """z scale + shift; with a pair of numbers per channel that is a complex product."""

        def in_blocks(a: Array) -> Array:  # [n, b, 1, p, h]
            return jnp.moveaxis(a.reshape(*a.shape[:-1], self.num_blocks, -1), -2, 0)[:, :, None]

        scale, shift = in_blocks(scale), in_blocks(shift)
        return (z * scale if scale.shape[-2] == 1 else pairs.multiply(z, scale, axis=-2)) + shift

    def _in_blocks(self, re: Float[Array, "b *k c"], im: Float[Array, "b *k c"]) -> Float[Array, "n b m 2 i"]:
        rows = int(np.prod(re.shape[1:-1]))
        z = jnp.stack([plane.reshape(len(plane), rows, self.num_blocks, -1) for plane in (re, im)], axis=-2)
        return jnp.moveaxis(z, 2, 0)

    @staticmethod
    def _planes(z: Float[Array, "n b m 2 i"]) -> tuple[Float[Array, "b m n i"], Float[Array, "b m n i"]]:
        planes = jnp.moveaxis(z, 0, 2)
        return planes[..., 0, :], planes[..., 1, :]
