"""Layers of an operator that transforms space and time together."""

from collections.abc import Callable, Sequence

import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float

from .channel_mlp import ChannelMLP
from .compat import TORCH_CFD
from .linear import Linear
from .norms import GroupNorm
from .space_time_embedding import SpaceTimeEmbedding
from .spectral_conv import SpectralConv


class SpaceTimeBlock(nnx.Module):
    """v -> sigma( F(K v) + W v ) with a convolution K over space and time, an MLP F and a linear map W of the channels.

    Args:
        channels: channel count, in and out.
        n_modes: modes of K per axis, time last, see `SpectralConv`.
        hidden: hidden width of F.
        non_linearity: sigma, also inside F.
        rngs: random streams.
    """

    def __init__(
        self, channels: int, n_modes: Sequence[int], *, hidden: int, non_linearity: Callable, rngs: nnx.Rngs
    ) -> None:
        self.non_linearity = non_linearity
        self.conv = SpectralConv(channels, channels, n_modes, bias=False, rngs=rngs)
        self.mlp = ChannelMLP(channels, channels, hidden, non_linearity=non_linearity, rngs=rngs)
        self.skip = Linear(channels, channels, rngs=rngs)

    def __call__(self, v: Float[Array, "b *space t c"]) -> Float[Array, "b *space t c"]:
        return self.non_linearity(self.mlp(self.conv(v)) + self.skip(v))


class SpaceTimeLifting(nnx.Module):
    """Snapshots at any number of times -> latent steps: w = P N (u + p),  v = sigma( w(t_last) + F(K w) ).

    p are coordinates (`SpaceTimeEmbedding`), N is a norm over channels, space and time, P a linear map of the channels,
    and K a convolution whose output has the latent steps as samples of the same window of time.

    Args:
        fields: fields of a snapshot; the channels repeat them.
        channels: of v, a multiple of the fields.
        n_modes: modes of K per axis, time last.
        latent_steps: steps of v.
        embedding: p.
        hidden: hidden width of F.
        non_linearity: sigma, also inside F.
        rngs: random streams.

    Source: Cao et al., Spectral-Refiner, 2025, and its code, which knows one field only.
    """

    def __init__(
        self,
        fields: int,
        channels: int,
        n_modes: Sequence[int],
        latent_steps: int,
        *,
        embedding: SpaceTimeEmbedding,
        hidden: int,
        non_linearity: Callable,
        rngs: nnx.Rngs,
    ) -> None:
        self.repeats, self.latent_steps, self.non_linearity = channels // fields, latent_steps, non_linearity
        self.embedding = embedding
        self.norm = GroupNorm(channels, eps=1e-7)
        self.linear = Linear(channels, channels, rngs=rngs)
        self.conv = SpectralConv(channels, channels, n_modes, bias=False, rngs=rngs)
        self.mlp = ChannelMLP(channels, channels, hidden, non_linearity=non_linearity, rngs=rngs)

    def __call__(self, u: Float[Array, "b *space t f"]) -> Float[Array, "b *space s c"]:
        w = self.embedding(jnp.concatenate([u] * self.repeats, axis=-1))
        w = self.linear(self.norm(w))
        *shape, steps = u.shape[1:-1]
        v = self.conv(w, (*shape, self.latent_steps))
        if self.embedding.compat == TORCH_CFD:
            v = v * (
                steps / self.latent_steps
            )  # what its inverse transform, scaled by the number of outputs, makes of it
        return self.non_linearity(w[..., -1:, :] + self.mlp(v))
