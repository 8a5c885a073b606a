"""Convolution with a learned kernel that is given by its lowest Fourier coefficients."""

import math
from collections.abc import Sequence

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float, Inexact

from spectral.transforms import forward_complex, forward_planes, inverse_complex, inverse_planes

from . import pairs
from .arguments import choice, flag, whole
from .by_position import place
from .compat import NEURALOP2, NEURALOP2_RELEASE, check_compat, lowered, modulated
from .modes import as_modes, mode_window, stored_modes
from .ranks import Rank
from .weights import SpectralWeight, make_weight

SPECTRAL_DTYPES = {"f32": None, "bf16": jnp.bfloat16, "f16": jnp.float16}
IMPLEMENTATIONS = ("auto", "factorized", "reconstructed")


class SpectralConv(nnx.Module):
    """v = F^-1[ W[:, :, k] F[u][k] ] + b: channels are mixed by one complex matrix per Fourier mode.

    Coefficients are amplitudes, so one weight serves every resolution; the output may have another grid than the
    input. A grid that cannot hold all modes uses those it has, matched by signed frequency.

    Args:
        in_channels: channels in.
        out_channels: channels out.
        n_modes: modes per axis, both signs counted; the last axis stores n//2 + 1. May be set anew later, up to
            `max_n_modes`: the convolution then uses the middle of its weight.
        max_n_modes: modes per axis that the weight has, by default `n_modes`.
        complex_data: u is complex. The last axis then has both signs like the others, and the weight n modes there.
        bias: whether b (one number per output channel) is there.
        own_weight: whether W belongs to this layer; if not, it is given with every call.
        separable: W is one number per mode and channel, and channels are not mixed; needs as many out as in.
        factorization: None or "dense", "Tucker", "CP", "TT".
        rank: share of the dense parameter count (float), or ranks (integers).
        implementation: "factorized" mixes through the factors, "reconstructed" forms the tensor first, "auto" takes the
            one with fewer multiply-adds for the batch and grid at hand.
        spectral_dtype: "f32", or "bf16", "f16" to round the operands of the mixing; transforms and sums keep their
            precision. float16 is used with scales, so that small numbers are not lost.
        compat: "neuralop2" for the neuraloperator library's window of modes on grids that hold fewer than are stored
            (`mode_window`), its change of grid (`by_position`), and its modes of complex data: frequencies -S//2 ..
            -S//2 + n - 1 of the last axis (0 .. n - 1 in one dimension) become 0 .. n - 1, which loses the mean.
            "neuralop2-release" also moves the frequencies of odd leading axes down by one, as the release 2.0.0 of the
            package index does.
        rngs: random streams.

    Raises:
        ValueError: for an unknown name, a mode count that is not positive, or options that exclude each other; when
            called, for a wrong number of axes.

    Source: Li et al., Fourier Neural Operator for Parametric Partial Differential Equations, 2021, section 4. The
        weight has E|W|^2 = 2 / (in + out), independent of the mode count, as in the neuraloperator library. With
        `max_n_modes` that one does not halve the last axis of its weight, and leaves what is beyond without effect.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        n_modes: int | Sequence[int],
        *,
        max_n_modes: int | Sequence[int] | None = None,
        complex_data: bool = False,
        bias: bool = True,
        own_weight: bool = True,
        separable: bool = False,
        factorization: str | None = None,
        rank: Rank = 1.0,
        implementation: str = "auto",
        spectral_dtype: str = "f32",
        compat: str | None = None,
        rngs: nnx.Rngs,
    ) -> None:
        self.implementation = choice("implementation", implementation, IMPLEMENTATIONS)
        self.spectral_dtype = choice("spectral_dtype", spectral_dtype, SPECTRAL_DTYPES)
        if flag("separable", separable) and spectral_dtype != "f32":
            raise ValueError(
                f'spectral_dtype: got {spectral_dtype!r} with separable=True, wanted "f32": nothing is mixed; drop one'
            )
        self.compat, self.complex_data = check_compat(compat), flag("complex_data", complex_data)
        self.in_channels, self.out_channels = whole("in_channels", in_channels), whole("out_channels", out_channels)
        self.max_n_modes = as_modes(n_modes) if max_n_modes is None else as_modes(max_n_modes, name="max_n_modes")
        self.n_modes = n_modes
        self.ndim = len(self.max_n_modes)
        std = math.sqrt(2 / (in_channels + out_channels))
        sizes = in_channels, out_channels, stored_modes(self.max_n_modes, complex_data)
        of_weight = {"rank": rank, "std": std, "separable": separable, "rngs": rngs}
        self.weight = make_weight(factorization, *sizes, **of_weight) if flag("own_weight", own_weight) else None
        self.bias = nnx.Param(std * rngs.params.normal((out_channels,), jnp.float32)) if flag("bias", bias) else None

    @property
    def n_modes(self) -> tuple[int, ...]:
        """Modes per axis that are used, both signs counted."""
        return self._n_modes

    @n_modes.setter
    def n_modes(self, n_modes: int | Sequence[int]) -> None:
        modes = as_modes(n_modes)
        if len(modes) != len(self.max_n_modes) or any(n > m for n, m in zip(modes, self.max_n_modes, strict=True)):
            raise ValueError(
                f"n_modes: got {modes}, wanted at most {self.max_n_modes}, which the weight has; give max_n_modes when "
                "building it"
            )
        self._n_modes = modes

    def __call__(
        self,
        u: Inexact[Array, "b *space ci"],
        output_shape: tuple[int, ...] | None = None,
        weight: SpectralWeight | None = None,
    ) -> Inexact[Array, "b *outspace co"]:
        """Apply the convolution.

        Args:
            u: samples [b, *space, in_channels].
            output_shape: grid of the output, by default that of the input.
            weight: W, for a layer without its own.

        Returns:
            Samples [b, *output_shape, out_channels].
        """
        axes = tuple(range(1, self.ndim + 1))
        shape = u.shape[1:-1]
        if len(shape) != self.ndim:
            raise ValueError(f"u: got shape {u.shape}, wanted [batch, {self.ndim} spatial axes, channels]")
        target = shape if output_shape is None else tuple(output_shape)
        release = self.compat == NEURALOP2_RELEASE
        odd = release and any(s % 2 for s in shape[:-1])
        if target != shape and (odd or (self.compat and self.complex_data)):
            raise ValueError(
                f"output_shape: got {target} for {shape} with compat={self.compat!r}, wanted the same grid: its change "
                "of odd grids, and that of complex data, are not reproduced"
            )

        weight = weight if self.weight is None else self.weight
        if weight is None:
            raise ValueError("weight: got None, wanted one: the layer was built with own_weight=False")
        x = pairs.modes_first(*self._forward(u, axes))
        window = mode_window(weight.modes, x.shape[: self.ndim], complex_data=self.complex_data, compat=self.compat)
        dtype = SPECTRAL_DTYPES[self.spectral_dtype]
        y = weight.mix(x, window, implementation=self.implementation, dtype=dtype)
        re, im = pairs.batch_first(y)
        if release:
            re, im = lowered(re, shape), lowered(im, shape)
        if self.bias is not None:
            # A constant is the zero mode: adding it there saves a pass over the field.
            last = re.shape[-2] // 2 if self.complex_data and not self.compat else 0
            zero = (slice(None), *(k // 2 for k in re.shape[1:-2]), last)
            re = re.at[zero].add(self.bias[...])
        if self.complex_data:
            v = inverse_complex(jax.lax.complex(re, im), target, axes=axes)
            return modulated(v, re.shape[-2] // 2) if self.compat else v
        if self.compat and target != shape:
            return place(re, im, shape, target, real_last=self.compat == NEURALOP2)
        return inverse_planes(re, im, target, axes=axes)

    def _forward(
        self, u: Inexact[Array, "b *space c"], axes: tuple[int, ...]
    ) -> tuple[Float[Array, "b *k c"], Float[Array, "b *k c"]]:
        """Real and imaginary parts of the coefficients."""
        if not self.complex_data:
            return forward_planes(u, self.n_modes, axes=axes)
        if self.compat:
            lowest = -(u.shape[-2] // 2) if self.ndim > 1 else 0
            u = modulated(u, -lowest - min(self.n_modes[-1], u.shape[-2]) // 2)
        c = forward_complex(u, self.n_modes, axes=axes)
        return c.real, c.imag
