"""Shifting and scaling fields to mean 0 and standard deviation 1."""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Shaped

from .metadata import FieldMap, Metadata
from .moments import Moments

EPS = 1e-7
Values = Shaped[Array | np.ndarray, "*b c"]
_BLOCK = 256


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Normalizer:
    """z = (u - mean) / (std + eps), per channel or per point and channel.

    Args:
        mean: float32 (channels,), or (*space, channels) for a pixel-wise one.
        std: the unbiased standard deviation, of the same shape.
        eps: guards channels that do not vary.

    Source: the convention of neuraloperator's UnitGaussianNormalizer.
    """

    # Any: a tree of shapes or specs takes the same form as the tree of arrays.
    mean: Any
    std: Any
    eps: float = dataclasses.field(default=EPS, metadata={"static": True})

    @classmethod
    def fit(cls, u: np.ndarray, pixelwise: bool = False) -> "Normalizer":
        """Moments of u (samples, *space, channels), over samples and points, or over samples alone."""
        moments = Moments(axes=(0,) if pixelwise else tuple(range(u.ndim - 1)))
        for start in range(0, len(u), _BLOCK):
            moments.update(u[start : start + _BLOCK])
        return cls(np.asarray(moments.mean, np.float32), np.asarray(moments.std, np.float32))

    @classmethod
    def from_metadata(cls, metadata: Metadata, field_map: FieldMap) -> "Normalizer":
        """The channel-wise moments that the file states, without reading a sample."""
        channels = metadata.channels(field_map)
        return cls(
            np.array([metadata.stats[name].mean[time] for name, time in channels], np.float32),
            np.array([metadata.stats[name].std[time] for name, time in channels], np.float32),
        )

    @classmethod
    def of_fields(cls, metadata: Metadata, field_map: FieldMap) -> "Normalizer":
        """The moments of every field over all stored times: one unit for all states of a trajectory."""
        means, stds = [], []
        for name, _ in metadata.channels(field_map):
            mean, std = (np.array(values) for values in (metadata.stats[name].mean, metadata.stats[name].std))
            means.append(mean.mean())
            stds.append(np.sqrt(np.mean(std**2 + mean**2) - mean.mean() ** 2))
        return cls(np.array(means, np.float32), np.array(stds, np.float32))

    @classmethod
    def identity(cls, channels: int) -> "Normalizer":
        """The one that changes nothing, bit for bit."""
        return cls(np.zeros(channels, np.float32), np.ones(channels, np.float32), eps=0.0)

    def encode(self, u: Values) -> Float[Array, "*b c"]:
        """Physical to normalised, u (*batch, *space, channels)."""
        u = as_floats(u)
        mean, scale = self._broadcast(u)
        return (u - mean) / scale

    def decode(self, z: Values) -> Float[Array, "*b c"]:
        """Normalised to physical."""
        z = as_floats(z)
        mean, scale = self._broadcast(z)
        return z * scale + mean

    def _broadcast(self, u: Values) -> tuple[Array, Array]:
        shape = jnp.shape(self.mean)
        if u.shape[u.ndim - len(shape) :] != shape:
            raise ValueError(
                f"normaliser: got a field {u.shape}, wanted (..., {', '.join(map(str, shape))}); a pixel-wise "
                "normaliser serves one resolution only: use a channel-wise one to evaluate at another"
            )
        # Explicit leading axes: rank promotion is an error in the tests, on purpose.
        full = (1,) * (u.ndim - len(shape)) + shape
        mean, std = (jnp.asarray(values, u.dtype).reshape(full) for values in (self.mean, self.std))
        return mean, std + self.eps


def as_floats(u: Values) -> Float[Array, "*b c"]:
    """Fields in floating point: permeabilities and masks are often stored as whole numbers."""
    u = jnp.asarray(u)
    return u if jnp.issubdtype(u.dtype, jnp.inexact) else u.astype(jnp.float32)
