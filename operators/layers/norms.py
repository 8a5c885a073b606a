"""Normalisation layers; their statistics are integrals over space, so that they mean the same on every grid."""

import math

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float

from spectral.sharded import count_over_devices, mean_over_devices

from .activations import gelu
from .arguments import choice, whole
from .linear import Linear


class GroupNorm(nnx.Module):
    """(x - mean) / sqrt(var + eps) * scale + bias, statistics over space and the channels of a group, per sample.

    One group is a layer norm over channels and space.

    Args:
        channels: channel count.
        groups: number of groups; divides the channel count.
        eps: added to the variance.

    Raises:
        ValueError: when the groups do not divide the channels.
    """

    def __init__(self, channels: int, groups: int = 1, *, eps: float = 1e-5) -> None:
        if channels % whole("norm_groups", groups):
            raise ValueError(
                f"norm_groups: got {groups} for {channels} channels, wanted a divisor of the channel count; change one "
                "of them"
            )
        self.groups, self.eps = groups, eps
        self.scale = nnx.Param(jnp.ones(channels, jnp.float32))
        self.bias = nnx.Param(jnp.zeros(channels, jnp.float32))

    def __call__(self, x: Float[Array, "b *space c"]) -> Float[Array, "b *space c"]:
        return _affine(_standardise(x, self.groups, self.eps), self.scale[...], self.bias[...])


class LayerNorm(nnx.Module):
    """(x - mean) / sqrt(var + eps) * scale + bias, statistics over the channels of one point."""

    def __init__(self, channels: int, *, eps: float = 1e-5) -> None:
        self.eps = eps
        self.scale = nnx.Param(jnp.ones(channels, jnp.float32))
        self.bias = nnx.Param(jnp.zeros(channels, jnp.float32))

    def __call__(self, x: Float[Array, "b *space c"]) -> Float[Array, "b *space c"]:
        y = x - x.mean(-1, keepdims=True)
        y = y * jax.lax.rsqrt(jnp.square(y).mean(-1, keepdims=True) + self.eps)
        return _affine(y, self.scale[...], self.bias[...])


class InstanceNorm(nnx.Module):
    """(x - mean) / sqrt(var + eps), statistics over space, per sample and channel; no parameters."""

    def __init__(self, *, eps: float = 1e-5) -> None:
        self.eps = eps

    def __call__(self, x: Float[Array, "b *space c"]) -> Float[Array, "b *space c"]:
        return _standardise(x, x.shape[-1], self.eps)


class BatchNorm(nnx.Module):
    """(x - mean) / sqrt(var + eps) * scale + bias, statistics over the batch and space, per channel.

    While training, the statistics are those of the batch, of all devices together where the batch is spread over
    the "data" axis of a mesh, and running averages of them are kept; after `eval()` of the network those are used.

    Args:
        channels: channel count.
        eps: added to the variance.
        momentum: weight of a new batch in the running averages.

    Source: PyTorch's BatchNorm, whose running variance is the unbiased one.
    """

    def __init__(self, channels: int, *, eps: float = 1e-5, momentum: float = 0.1) -> None:
        self.eps, self.momentum = eps, momentum
        # Flax sets this by name: `network.train()` and `network.eval()`.
        self.use_running_average = False
        self.scale = nnx.Param(jnp.ones(channels, jnp.float32))
        self.bias = nnx.Param(jnp.zeros(channels, jnp.float32))
        self.mean = nnx.BatchStat(jnp.zeros(channels, jnp.float32))
        self.variance = nnx.BatchStat(jnp.ones(channels, jnp.float32))

    def __call__(self, x: Float[Array, "b *space c"]) -> Float[Array, "b *space c"]:
        if self.use_running_average:
            mean, variance = self.mean[...], self.variance[...]
        else:
            axes = tuple(range(x.ndim - 1))
            mean = mean_over_devices(x.mean(axes))
            variance = mean_over_devices(jnp.square(x - _last(mean, x)).mean(axes))
            points = count_over_devices() * math.prod(x.shape[:-1])
            self._remember(self.mean, mean)
            self._remember(self.variance, variance * (points / max(points - 1, 1)))
        y = (x - _last(mean, x)) * _last(jax.lax.rsqrt(variance + self.eps), x)
        return _affine(y, self.scale[...], self.bias[...])

    def _remember(self, average: nnx.BatchStat, new: Float[Array, "c"]) -> None:
        old = average[...]
        average[...] = old + self.momentum * (jax.lax.stop_gradient(new).astype(old.dtype) - old)


class AdaIN(nnx.Module):
    """(x - mean) / sqrt(var + eps) * a + b, statistics per sample and channel, with (a, b) = MLP(embedding).

    Args:
        features: size of the embedding, for instance a Fourier embedding of a physical parameter.
        channels: channel count.
        eps: added to the variance.
        rngs: random streams.

    Raises:
        ValueError: without a number of features; when called, without an embedding.

    Source: Huang and Belongie 2017, with the neuraloperator library's MLP (512 hidden, GELU); there one embedding
        serves the whole batch, here it may also be one for every sample.
    """

    def __init__(self, features: int | None, channels: int, *, eps: float = 1e-5, rngs: nnx.Rngs) -> None:
        if features is None:
            raise ValueError(
                'ada_in_features: got None, wanted the size of the embedding with norm="ada_in"; give '
                "ada_in_features=.., and embedding=.. when calling the operator"
            )
        self.features, self.eps = whole("ada_in_features", features), eps
        self.mlp = nnx.List([Linear(self.features, 512, rngs=rngs), Linear(512, 2 * channels, rngs=rngs)])

    def __call__(
        self, x: Float[Array, "b *space c"], embedding: Float[Array, "*b e"] | None
    ) -> Float[Array, "b *space c"]:
        """Normalise.

        Args:
            x: samples [b, *space, c].
            embedding: [e] for the whole batch, or [b, e].
        """
        if embedding is None or embedding.shape not in ((self.features,), (len(x), self.features)):
            got = None if embedding is None else embedding.shape
            raise ValueError(
                f"embedding: got {got}, wanted ({self.features},) or ({len(x)}, {self.features}); pass embedding=.. "
                "to the operator"
            )
        hidden, out = self.mlp
        coefficients = out(gelu(hidden(embedding.reshape(-1, self.features))))
        a, b = jnp.split(coefficients.reshape(-1, *[1] * (x.ndim - 2), coefficients.shape[-1]), 2, axis=-1)
        return _standardise(x, x.shape[-1], self.eps) * a + b


NORMS = ("group_norm", "instance_norm", "batch_norm", "ada_in")


def make_norm(
    kind: str | None, channels: int, *, groups: int = 1, features: int | None = None, rngs: nnx.Rngs
) -> nnx.Module | None:
    """A norm by its name: "group_norm", "instance_norm", "batch_norm", "ada_in" or None.

    Args:
        kind: the name.
        channels: channel count.
        groups: of the group norm.
        features: size of the embedding of the adaptive norm.
        rngs: random streams.

    Raises:
        ValueError: for another name, or numbers that belong to another norm.
    """
    choice("norm", kind, (*NORMS, None))
    if whole("norm_groups", groups) != 1 and kind != "group_norm":
        raise ValueError(f'norm_groups: got {groups} with norm={kind!r}, wanted 1; or set norm="group_norm"')
    if features is not None and kind != "ada_in":
        raise ValueError(f'ada_in_features: got {features} with norm={kind!r}, wanted None; or set norm="ada_in"')
    match kind:
        case "group_norm":
            return GroupNorm(channels, groups)
        case "instance_norm":
            return InstanceNorm()
        case "batch_norm":
            return BatchNorm(channels)
        case "ada_in":
            return AdaIN(features, channels, rngs=rngs)
    return None


def _last(values: Float[Array, "c"], like: Float[Array, "b *space c"]) -> Float[Array, "..."]:
    """A value per channel, with the rank of the field."""
    return values.reshape([1] * (like.ndim - 1) + [-1])


def _affine(
    y: Float[Array, "b *space c"], scale: Float[Array, "c"], bias: Float[Array, "c"]
) -> Float[Array, "b *space c"]:
    return y * _last(scale, y) + _last(bias, y)


def _standardise(x: Float[Array, "b *space c"], groups: int, eps: float) -> Float[Array, "b *space c"]:
    grouped = x.reshape(*x.shape[:-1], groups, -1)
    axes = (*range(1, x.ndim - 1), x.ndim)
    mean = grouped.mean(axes, keepdims=True)
    variance = jnp.square(grouped - mean).mean(axes, keepdims=True)
    return ((grouped - mean) * jax.lax.rsqrt(variance + eps)).reshape(x.shape)
