"""From latent steps to the snapshots that follow: a linear map of Fourier modes in space and time."""

import math
from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jaxtyping import Array, Float

from spectral.filters import resize
from spectral.transforms import forward_planes, inverse_complex

from . import pairs
from .arguments import number, refusal, whole
from .compat import TORCH_CFD
from .modes import as_modes, mode_window, stored_modes
from .weights import DenseWeight

Planes = tuple[Float[Array, "..."], Float[Array, "..."]]


class OutputOperator(nnx.Module):
    """Q(v, u_0)(x, t_m) = u_0(x) + sum_k (W_k z_k + s b_k) exp(i k . (x, t_m)),   m = 1 .. n.

    z is the window of time 0, .., 0, u_0, v_1, .., v_T: the last snapshot and the T latent steps behind as many zeros,
    which keep the end of a periodic window from its beginning; z_k are its amplitudes. The window has 2 (T + 1) steps,
    so there are T + 2 frequencies of time, whatever n is. u_0 is at time 0 and the last output where v_T is: n outputs
    are n samples of one function, at m T / n latent steps.

    Args:
        n_modes: modes per axis, both signs counted, time last (it keeps n//2 + 1).
        fields: fields of u_0 and v.
        delta: root mean square of the field that biases b of modulus 1 add; it sets how fast they learn.
        extent: sides of the box, of which only ratios matter: the output's increments become solenoidal, with as many
            fields as spatial axes. None leaves them as they are.
        compat: "torch_cfd" for its scaling by the number of points, and its window of n + 1 outputs behind T + 1 zeros,
            in which time is stretched unless n = T; s = delta then.
        rngs: random streams; W starts with E|W|^2 = 0.1^2 / fields, so that the first prediction is nearly u_0, and b
            at zero.

    Raises:
        ValueError: for counts that make no layer, or sides that are not as many as the fields.

    Accuracy:
        Five frequencies of time on T = 10 latent steps represent ten steps of decaying turbulence (interval 0.055) to
        2e-5, and forty to 6e-2: the bound of every fit with this layer.

    Source: Cao et al., Spectral-Refiner, 2025, and its code.
    """

    def __init__(
        self,
        n_modes: Sequence[int],
        *,
        fields: int = 1,
        delta: float = 0.1,
        extent: Sequence[float] | None = None,
        compat: str | None = None,
        rngs: nnx.Rngs,
    ) -> None:
        self.n_modes, self.fields = as_modes(n_modes), whole("fields", fields)
        self.delta, self.compat = number("delta", delta), compat
        self.extent = None if extent is None else tuple(float(length) for length in extent)
        if self.extent is not None and not fields == len(self.extent) == len(self.n_modes) - 1:
            wanted = f"one side for each of {len(self.n_modes) - 1} axes and as many fields (fields={fields})"
            raise refusal("extent", extent, wanted, "a divergence is one of vectors")
        stored = stored_modes(self.n_modes)
        self.weight = DenseWeight.draw((fields, fields, *stored), std=0.1 / math.sqrt(fields), rngs=rngs)
        self.bias = nnx.Param(jnp.zeros((*stored, 2, fields), jnp.float32))

    def __call__(
        self,
        v: Float[Array, "b *space t f"],
        last: Float[Array, "b *space f"],
        out_steps: int,
        output_shape: tuple[int, ...] | None = None,
    ) -> Float[Array, "b *outspace n f"]:
        """The snapshots that follow `last`.

        Args:
            v: latent steps.
            last: the last snapshot before them, u_0.
            out_steps: n.
            output_shape: spatial grid of the output, by default that of the input.
        """
        shape = last.shape[1:-1]
        target = shape if output_shape is None else tuple(output_shape)
        re, im = self.coefficients(v, last)
        latent = v.shape[-2] + 1
        if self.compat == TORCH_CFD:
            size = latent + out_steps + 1
            positions, scale = np.arange(size - out_steps, size), 2 * latent / size
            if target != shape:
                raise refusal("output_shape", target, f"the grid {shape} of the input with compat", "leave it out")
        else:
            size, scale = 2 * latent, 1.0
            positions = latent + (latent - 1) * np.arange(1, out_steps + 1) / out_steps
        axes = tuple(range(1, len(shape) + 1))
        z = inverse_complex(jax.lax.complex(re, im), target, axes=axes)
        if target != shape:
            last = resize(last, target, axes)
        return jnp.expand_dims(last, -2) + _at_times(z, positions, size) * scale

    def coefficients(self, v: Float[Array, "b *space t f"], last: Float[Array, "b *space f"]) -> Planes:
        """Amplitudes of the increments on the window, [b, *k, f]: ascending signed frequencies, time from zero on."""
        known = jnp.concatenate([jnp.expand_dims(last, -2), v], axis=-2)
        window = jnp.concatenate([jnp.zeros_like(known), known], axis=-2)
        axes = tuple(range(1, window.ndim - 1))
        x = pairs.modes_first(*forward_planes(window, self.n_modes, axes=axes))
        kept = mode_window(self.weight.modes, x.shape[: len(axes)])
        y = self.weight.mix(x, kept)
        y = y + jnp.expand_dims(self.bias[kept], -3) * self._scale(window.shape[1:-1])
        re, im = pairs.batch_first(y)
        return (re, im) if self.extent is None else (_solenoidal(re, self.extent), _solenoidal(im, self.extent))

    def _scale(self, window: Sequence[int]) -> float:
        """s; with compat, relative to amplitudes on the grid of the input."""
        if self.compat == TORCH_CFD:
            return self.delta / math.prod(window)
        return self.delta / math.sqrt(2 * math.prod(self.weight.modes))

    def enlarged(self, n_modes: Sequence[int]) -> "OutputOperator":
        """The same map with room for more modes: W and b go to the low frequencies, and the others are zero.

        A mode without a partner, -n/2 of an even count n, keeps its place: its new partner is zero.

        Raises:
            ValueError: for fewer modes than there are.
        """
        modes = as_modes(n_modes)
        if len(modes) != len(self.n_modes) or any(m < n for m, n in zip(modes, self.n_modes, strict=True)):
            raise refusal("n_modes", n_modes, f"at least {self.n_modes}", "a layer of fewer modes is another map")
        options = {"fields": self.fields, "delta": self.delta, "extent": self.extent, "compat": self.compat}
        larger = nnx.eval_shape(lambda: OutputOperator(modes, **options, rngs=nnx.Rngs(0)))
        kept = mode_window(larger.weight.modes, self.weight.modes)
        ratio = 1.0 if self.compat else math.sqrt(math.prod(larger.weight.modes) / math.prod(self.weight.modes))
        for new, old, factor in ((larger.weight.tensor, self.weight.tensor, 1.0), (larger.bias, self.bias, ratio)):
            values = old[...] * factor
            new.set_value(jnp.zeros(new.shape, values.dtype).at[kept].set(values))
        return larger


def _at_times(z: Array, positions: np.ndarray, size: int) -> Float[Array, "b *space n f"]:
    """The real field of half a spectrum of time [b, *space, k, f], at positions of a window of `size` steps."""
    frequencies = np.arange(min(z.shape[-2], size // 2 + 1))
    once = (frequencies == 0) | (2 * frequencies == size)
    angles = 2 * np.pi * np.outer(frequencies, positions) / size
    weights = np.where(once, 1.0, 2.0)[:, None]
    # Im of what stands for itself alone does not count, as in `spectral.transforms.irfftn`.
    waves = weights * np.cos(angles), -np.where(once[:, None], 0.0, weights * np.sin(angles))
    planes = jnp.stack([z.real, z.imag], axis=-3)[..., : len(frequencies), :]
    matrix = jnp.asarray(np.stack(waves), planes.dtype)
    return jnp.einsum("...skf,skn->...nf", planes, matrix, precision=jax.lax.Precision.HIGHEST)


def _solenoidal(c: Float[Array, "b *k f"], extent: tuple[float, ...]) -> Float[Array, "b *k f"]:
    """One plane of a vector's coefficients without its gradient part: c - k (k . c) / |k|^2; the mean stays."""
    lines = [(np.arange(n) - n // 2) / side for n, side in zip(c.shape[1:-2], extent, strict=True)]
    k = np.stack(np.meshgrid(*lines, indexing="ij"), axis=-1)
    squared = (k**2).sum(-1, keepdims=True)
    unit = jnp.asarray(k / np.sqrt(np.where(squared > 0, squared, 1.0)), c.dtype)[None, ..., None, :]
    return c - unit * (unit * c).sum(-1, keepdims=True)
