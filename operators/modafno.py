"""The modulated adaptive Fourier neural operator: fields between two times, at any time."""

from collections.abc import Sequence
from typing import Any

import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float

from .layers.afno_mixer import AFNOMixer
from .layers.arguments import choice, known, number, points, random_streams, refusal, whole
from .layers.linear import Linear
from .layers.modulated_block import ModulatedBlock
from .layers.patch_embedding import PatchEmbedding, PatchHead, as_patch, token_grid
from .layers.position_embedding import PositionEmbedding
from .layers.scale_shift import TimeEmbedding
from .token_operator import TokenOperator


class ModAFNO(TokenOperator):
    """v(t) = H . B_L(t) . ... . B_1(t) (E u + p + A e(t)): an AFNO whose layers are scaled and shifted by the time.

    e(t) is an embedding of the time; every block scales and shifts the hidden layers of its mixer and of its MLP by it
    (`layers.modulated_block`). So one network interpolates between the states in its input at any time.

    Args:
        in_channels: channels of the input.
        out_channels: channels of the output.
        ndim: spatial axes, 1 to 3.
        grid: points per axis of the grid that it is trained on.
        patch_size: points of a patch, one number or one per axis; divides every grid.
        embed_dim: channels of a token.
        depth: number of blocks.
        mlp_ratio: hidden width of the blocks' MLP over `embed_dim`.
        double_skip: see `layers.afno_block`.
        mod_dim: size of e.
        max_time: times lie between 0 and this.
        scale_shift_mode: "complex" scales the spectral layer by complex numbers, "real" by real ones.
        num_blocks: blocks of the spectral weights.
        rngs: random streams.
        **mixer_options: others of `layers.afno_mixer.AFNOMixer`.

    Raises:
        ValueError: for names, counts or grids that make no operator; when called, for a grid that patches do not fill.

    Accuracy:
        As `AFNONet`. A scale of re and im by one real number each, with the cartesian activation, depends on the origin
        of the grid, as biases do.

    Source: Leinonen et al., Modulated Adaptive Fourier Neural Operators, 2024 (arXiv 2410.18904), and PhysicsNeMo's
        `ModAFNO`, whose sizes are the defaults. There a complex scale is 1 + i + s; here it is 1 + s, and
        `operators.interop.load_modafno` accounts for that.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        *,
        ndim: int = 2,
        grid: Sequence[int],
        patch_size: int | Sequence[int] = 2,
        embed_dim: int = 512,
        depth: int = 12,
        mlp_ratio: int | float = 2,
        double_skip: bool = True,
        mod_dim: int = 64,
        max_time: float | int = 1.0,
        scale_shift_mode: str = "complex",
        num_blocks: int = 1,
        rngs: nnx.Rngs,
        **mixer_options: Any,
    ) -> None:
        known(ModAFNO, mixer_options, AFNOMixer)
        random_streams(rngs)
        self.in_channels, self.out_channels = whole("in_channels", in_channels), whole("out_channels", out_channels)
        self.ndim, embed_dim, depth = whole("ndim", ndim), whole("embed_dim", embed_dim), whole("depth", depth)
        self.patch = as_patch(patch_size, ndim)
        tokens = token_grid(points("grid", grid, ndim), self.patch, "grid")
        pair = choice("scale_shift_mode", scale_shift_mode, ("complex", "real")) == "complex"
        self.embedding = PatchEmbedding(in_channels, embed_dim, self.patch, rngs=rngs)
        self.position = PositionEmbedding(tokens, embed_dim, rngs=rngs)
        if not max_time:
            raise refusal("max_time", max_time, "a time above 0", "such as 1.0")
        self.max_time = number("max_time", max_time)
        self.time = TimeEmbedding(mod_dim, self.max_time, rngs=rngs)
        self.of_time = Linear(mod_dim, embed_dim, rngs=rngs)
        of_block = {"mlp_ratio": mlp_ratio, "double_skip": double_skip, "pair": pair, "rngs": rngs}
        of_mixer = {"ndim": ndim, "num_blocks": num_blocks, "rngs": rngs} | mixer_options
        self.blocks = nnx.List(
            [ModulatedBlock(embed_dim, AFNOMixer(embed_dim, **of_mixer), mod_dim, **of_block) for _ in range(depth)]
        )
        self.head = PatchHead(embed_dim, out_channels, self.patch, rngs=rngs)

    def __call__(
        self,
        u: Float[Array, "*b_space ci"],
        output_shape: tuple[int, ...] | None = None,
        time: Float[Array, "*b"] | float = 0.5,
    ) -> Float[Array, "*b_outspace co"]:
        """Apply the operator; see `Operator.__call__`.

        Args:
            u: samples of the input, [*b, *space, in_channels].
            output_shape: grid of the output, by default that of the input.
            time: of the output, between 0 and `max_time`: one for all samples, or [*b].
        """

        def fields(x: Float[Array, "b *space ci"]) -> Float[Array, "b *space co"]:
            e = self.time(_times(time, x))
            x = self.position(self.embedding(x))
            x = x + self.of_time(e).reshape(len(x), *[1] * self.ndim, -1)
            for block in self.blocks:
                x = block(x, e)
            return self.head(x)

        return self.on_batch(fields, u, output_shape)

    @property
    def mixer(self) -> nnx.Module:
        """See `TokenOperator.mixer`."""
        return self.blocks[0].mixer


def _times(time: Array | float, x: Float[Array, "b *space c"]) -> Float[Array, "b"]:
    """The time of every sample."""
    times = jnp.asarray(time, x.dtype).reshape(-1)
    if len(times) not in (1, len(x)):
        raise refusal("time", times.shape, f"one time, or one for each of {len(x)} samples", "pass [*b] of them")
    return jnp.broadcast_to(times, (len(x),))
