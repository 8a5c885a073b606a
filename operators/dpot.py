"""The pre-trained operator of PDEs: an AFNO over the last steps of a trajectory."""

from collections.abc import Sequence

import jax.numpy as jnp
import numpy as np
from flax import nnx
from jaxtyping import Array, Float

from .layers.activations import gelu
from .layers.afno_block import AFNOBlock
from .layers.afno_mixer import AFNOMixer
from .layers.arguments import points, random_streams, refusal, whole
from .layers.channel_mlp import ChannelMLP
from .layers.embeddings import GridEmbedding
from .layers.patch_embedding import PatchEmbedding, PatchHead, as_patch, token_grid
from .layers.position_embedding import PositionEmbedding
from .layers.time_aggregator import TimeAggregator
from .token_operator import TokenOperator


class DPOT(TokenOperator):
    """v = Q . B_L . ... . B_1 . A (E (u_1, x, t_1) + p, .., E (u_T, x, t_T) + p): the next step from the last T.

    E embeds the patches of every step with the coordinates of space and time, A makes one field of tokens of all steps
    (`TimeAggregator`), B_l is an `AFNOBlock` with group norm, a GELU in its mixer and no shrinkage, and Q unfolds every
    token into a patch of `out_layer_dim` channels, followed by a pointwise MLP.

    Args:
        in_channels: fields times steps; the steps of a field are neighbours, as those of a data set are.
        out_channels: fields out.
        ndim: spatial axes, 1 to 3.
        grid: points per axis of the grid that it is trained on.
        n_steps: T; divides the channels.
        patch_size: points of a patch, one number or one per axis; divides every grid.
        embed_dim: channels of a token, a multiple of 8.
        depth: number of blocks.
        num_blocks: blocks of the spectral weights.
        mlp_ratio: hidden width of the blocks' MLP over `embed_dim`.
        out_layer_dim: channels between the tokens and the output.
        rngs: random streams.

    Raises:
        ValueError: for counts or grids that make no operator; when called, for a grid that patches do not fill.

    Accuracy:
        As `AFNONet`.

    Source: Hao et al., DPOT: Auto-Regressive Denoising Operator Transformer, 2024, and its code. Left out are the head
        that names the data set a trajectory is from, and the normalisation of every input. Spectral weights start with
        the variance of their input, not uniform on [0, 1 / block^2).
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        *,
        ndim: int = 2,
        grid: Sequence[int],
        n_steps: int = 10,
        patch_size: int | Sequence[int] = 8,
        embed_dim: int = 512,
        depth: int = 4,
        num_blocks: int = 4,
        mlp_ratio: int | float = 1,
        out_layer_dim: int = 32,
        rngs: nnx.Rngs,
    ) -> None:
        random_streams(rngs)
        self.in_channels, self.out_channels = whole("in_channels", in_channels), whole("out_channels", out_channels)
        self.ndim, self.n_steps = whole("ndim", ndim), whole("n_steps", n_steps)
        embed_dim, depth, between = whole("embed_dim", embed_dim), whole("depth", depth), out_layer_dim
        if in_channels % n_steps:
            raise refusal("n_steps", n_steps, f"a divisor of in_channels={in_channels}", "give every field all steps")
        if embed_dim % 8:
            raise refusal("embed_dim", embed_dim, "a multiple of 8, the groups of its norm", "such as 512")
        self.patch = as_patch(patch_size, ndim)
        tokens = token_grid(points("grid", grid, ndim), self.patch, "grid")
        self.coordinates = GridEmbedding(ndim)
        hidden = out_channels * self.patch[0] + 3
        fields = in_channels // n_steps + ndim + 1
        self.embedding = PatchEmbedding(fields, embed_dim, self.patch, hidden=hidden, non_linearity=gelu, rngs=rngs)
        self.position = PositionEmbedding(tokens, embed_dim, rngs=rngs)
        self.aggregator = TimeAggregator(n_steps, embed_dim, rngs=rngs)
        of_mixer = {"num_blocks": num_blocks, "non_linearity": "gelu", "sparsity_threshold": 0, "init": "fan_in"}
        of_block = {"mlp_ratio": mlp_ratio, "double_skip": False, "norm": "group_norm", "rngs": rngs}
        mixers = [AFNOMixer(embed_dim, ndim=ndim, rngs=rngs, **of_mixer) for _ in range(depth)]
        self.blocks = nnx.List([AFNOBlock(embed_dim, mixer, **of_block) for mixer in mixers])
        self.head = PatchHead(embed_dim, whole("out_layer_dim", between), self.patch, rngs=rngs)
        self.bias = nnx.Param(jnp.zeros(between, jnp.float32))
        self.projection = ChannelMLP(between, out_channels, between, rngs=rngs)

    def __call__(
        self, u: Float[Array, "*b_space ci"], output_shape: tuple[int, ...] | None = None
    ) -> Float[Array, "*b_outspace co"]:
        """Apply the operator; see `Operator.__call__`."""
        return self.on_batch(self._fields, u, output_shape)

    @property
    def mixer(self) -> nnx.Module:
        """See `TokenOperator.mixer`."""
        return self.blocks[0].mixer

    def _fields(self, x: Float[Array, "b *space ci"]) -> Float[Array, "b *space co"]:
        x = self.position(self.embedding(self._steps(x)))
        x = self.aggregator(x.reshape(-1, self.n_steps, *x.shape[1:]))
        for block in self.blocks:
            x = block(x)
        y = self.head(x) + self.bias[...].reshape([1] * (x.ndim - 1) + [-1])
        return self.projection(gelu(y))

    def _steps(self, x: Float[Array, "b *space ft"]) -> Float[Array, "bt *space f"]:
        """Every step as a sample, with its coordinates."""
        b, *space, _ = x.shape
        x = jnp.moveaxis(x.reshape(b, *space, -1, self.n_steps), -1, 1)
        x = self.coordinates(x.reshape(b * self.n_steps, *space, -1))
        times = np.tile(np.arange(self.n_steps) / self.n_steps, b).reshape(-1, *[1] * len(space), 1)
        return jnp.concatenate([x, jnp.broadcast_to(jnp.asarray(times, x.dtype), (*x.shape[:-1], 1))], axis=-1)
