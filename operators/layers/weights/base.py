"""The interface of spectral weights: complex tensors W[i, o, k] that mix channels mode by mode."""

import abc

import jax
import jax.numpy as jnp
from flax import nnx
from jax.typing import DTypeLike
from jaxtyping import Array, Complex, Float

from .. import pairs


class SpectralWeight(nnx.Module):
    """A complex tensor over channels and modes that multiplies Fourier coefficients, stored as real pairs.

    Attributes:
        in_channels: size of the input channel axis.
        out_channels: size of the output channel axis.
        modes: stored sizes of the mode axes.
    """

    in_channels: int
    out_channels: int
    modes: tuple[int, ...]

    @abc.abstractmethod
    def dense(self) -> Complex[Array, "..."]:
        """The whole tensor as complex numbers, channels first, as the field writes it."""

    @abc.abstractmethod
    def mix(
        self,
        x: Float[Array, "*k b 2 i"],
        window: tuple[slice, ...],
        *,
        implementation: str = "auto",
        dtype: DTypeLike | None = None,
    ) -> Float[Array, "*k b 2 o"]:
        """Coefficients times the tensor on a window of its modes.

        Args:
            x: coefficients, modes first, (re, im) before the channel.
            window: slices of the stored modes that `x` holds.
            implementation: "factorized", "reconstructed", or "auto": the one with fewer multiply-adds for these sizes.
            dtype: precision of the operands of the mixing products; their own by default.
        """


class MatrixWeight(SpectralWeight):
    """A tensor W[in, out, *modes], in some factorised form: one matrix over the channels for every mode."""

    @abc.abstractmethod
    def reconstruct(self, window: tuple[slice, ...]) -> Float[Array, "*k 2 i o"]:
        """The tensor on a window of modes, laid out for `pairs.mix_modes`."""

    @abc.abstractmethod
    def contract(
        self, x: Float[Array, "*k b 2 i"], window: tuple[slice, ...], dtype: DTypeLike | None
    ) -> Float[Array, "*k b 2 o"]:
        """Mix coefficients through the factors, without forming the tensor."""

    @abc.abstractmethod
    def costs(self, kept: tuple[int, ...], batch: int) -> tuple[int, int]:
        """Complex multiply-adds of `contract`, and of `reconstruct` with its mixing, for one application."""

    def dense(self) -> Complex[Array, "i o *modes"]:
        w = self.reconstruct(tuple(slice(0, k) for k in self.modes))
        z = jax.lax.complex(*jnp.unstack(w, axis=len(self.modes)))
        return jnp.moveaxis(z, (-2, -1), (0, 1))

    def mix(
        self,
        x: Float[Array, "*k b 2 i"],
        window: tuple[slice, ...],
        *,
        implementation: str = "auto",
        dtype: DTypeLike | None = None,
    ) -> Float[Array, "*k b 2 o"]:
        """y[k, b, o] = sum_i W[i, o, k] x[k, b, i]; see `SpectralWeight.mix`."""
        *kept, batch, _, _ = x.shape
        if implementation == "auto":
            factorized, reconstructed = self.costs(tuple(kept), batch)
            implementation = "factorized" if factorized <= reconstructed else "reconstructed"
        if implementation == "factorized":
            return self.contract(x, window, dtype)
        return pairs.mix_modes(x, self.reconstruct(window), dtype)
