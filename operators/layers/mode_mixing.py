"""Linear maps between coefficients: over the channels of every mode, and over the modes of one axis.

Coefficients are real arrays [*modes, b, parts, c]: one part, or (re, im), whose weights then are complex pairs, too.
"""

import math

import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float

from . import pairs
from .pointwise import matmul


class ModeMixing(nnx.Module):
    """y[k, b, o] = sum_i x[k, b, i] w[k, i, o]: a matrix of its own for every mode.

    Args:
        modes: number of modes.
        channels: channels in and out.
        parts: 1 for real coefficients, 2 for complex ones.
        std: of the normal weights; E|w|^2 = std^2.
        rngs: random streams.
    """

    def __init__(self, modes: int, channels: int, *, parts: int, std: float, rngs: nnx.Rngs) -> None:
        self.weight = nnx.Param(_draw(rngs, (modes, parts, channels, channels), std, parts))

    def __call__(self, x: Float[Array, "k b p c"]) -> Float[Array, "k b p c"]:
        weight = self.weight[...]
        if weight.shape[1] == 2:
            return pairs.mix_modes(x, weight)
        return jnp.matmul(x[:, :, 0], weight[:, 0])[:, :, None]


class AxisMixing(nnx.Module):
    """y[.., o, .., c] = sum_i x[.., i, .., c] a[i, o, c]: for every channel a matrix over the modes of one axis.

    Args:
        axis: which of the mode axes.
        modes: modes on that axis.
        channels: channels.
        parts: 1 for real coefficients, 2 for complex ones.
        std: of the normal weights; E|a|^2 = std^2.
        rngs: random streams.
    """

    def __init__(self, axis: int, modes: int, channels: int, *, parts: int, std: float, rngs: nnx.Rngs) -> None:
        self.axis = axis
        self.weight = nnx.Param(_draw(rngs, (parts, modes, modes, channels), std, parts))

    def __call__(self, x: Float[Array, "*k b p c"]) -> Float[Array, "*k b p c"]:
        weight = self.weight[...]
        # Sum of a_s (i^s x): of a complex product the real part of a times x, and its imaginary part times i x.
        powers = x[None] if len(weight) == 1 else jnp.stack([x, pairs.rotate(x, axis=-2)])
        modes = "xyz"[: x.ndim - 3]
        contracted = modes[self.axis]
        out = modes.replace(contracted, "o")
        return jnp.einsum(f"s{modes}bpc,s{contracted}oc->{out}bpc", powers, weight)


def _draw(rngs: nnx.Rngs, shape: tuple[int, ...], std: float, parts: int) -> Float[Array, "..."]:
    # Drawn flat: random draws with five axes take seconds to compile on CPU; the numbers are the same.
    flat = rngs.params.normal((math.prod(shape),), jnp.float32)
    return (flat * (std / math.sqrt(parts))).reshape(shape)


class SineHead(nnx.Module):
    """x -> sin(x W_1) W_2 at every mode; zero where x is zero, so that what is left out stays out.

    Args:
        in_channels: channels in.
        out_channels: channels out.
        hidden_channels: width between the two matrices.
        scale: standard deviation of both matrices; None for 1/sqrt(fan in).
        rngs: random streams.
    """

    def __init__(
        self, in_channels: int, out_channels: int, hidden_channels: int, *, scale: float | None, rngs: nnx.Rngs
    ) -> None:
        shapes = (in_channels, hidden_channels), (hidden_channels, out_channels)
        self.weights = nnx.List(
            [nnx.Param(_draw(rngs, s, 1 / math.sqrt(s[0]) if scale is None else scale, 1)) for s in shapes]
        )

    def __call__(self, x: Float[Array, "*b i"]) -> Float[Array, "*b o"]:
        first, second = (weight[...] for weight in self.weights)
        return matmul(jnp.sin(matmul(x, first)), second)
