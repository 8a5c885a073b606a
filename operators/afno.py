"""The adaptive Fourier neural operator: a vision transformer whose tokens are mixed in Fourier space."""

from typing import Any

from flax import nnx
from jaxtyping import Array, Float

from .layers.afno_trunk import AFNOTrunk
from .layers.arguments import whole
from .layers.patch_embedding import PatchHead
from .token_operator import TokenOperator


class AFNONet(TokenOperator):
    """v = H . B_L . ... . B_1 (E u + p): patches as tokens, mixed by AFNO blocks, and every token as a patch again.

    E embeds a patch of `patch_size` points per axis, p is a learned vector for every place, B_l is an `AFNOBlock`, and
    H is linear without a bias.

    Args:
        in_channels: channels of the input.
        out_channels: channels of the output.
        ndim: spatial axes, 1 to 3.
        grid: points per axis of the grid that it is trained on; needed for learned places and global filters.
        patch_size: points of a patch, one number or one per axis; divides every grid.
        embed_dim: channels of a token.
        depth: number of blocks.
        mlp_ratio: hidden width of the blocks' MLP over `embed_dim`.
        double_skip: see `AFNOBlock`.
        norm: "layer_norm" or "group_norm", see `AFNOBlock`.
        position: "learned", or None: p = 0.
        final_norm: whether tokens are normalised before H.
        mixer: what mixes the tokens: "afno", "global_filter" or "attention".
        drop_path: probability with which a sample skips the MLP of the last block while training; it grows linearly
            from 0 at the first (`layers.drop_path`).
        remat: recompute every block in the backward pass, so that only the inputs of the blocks are kept.
        rngs: random streams.
        **mixer_options: of the mixer. For "afno" those of `layers.afno_mixer.AFNOMixer`: num_blocks, truncation,
            n_modes, sparsity_threshold, ..; for "attention" num_heads.

    Raises:
        ValueError: for names, counts or grids that make no operator; when called, for a grid that patches do not fill.

    Accuracy:
        A patch is a number of points: on a finer grid tokens are smaller pieces of the domain than those it was trained
        on, and places are interpolated. Another `output_shape` is the trigonometric interpolant of the output. There is
        no dropout of units.

    Source: Guibas et al., Adaptive Fourier Neural Operators, 2022; Pathak et al., FourCastNet, 2022, and their code.
        `operators.interop.load_afno` reads its weights.
    """

    def __init__(
        self, in_channels: int, out_channels: int, *, ndim: int = 2, rngs: nnx.Rngs, **trunk_options: Any
    ) -> None:
        self.in_channels, self.out_channels = in_channels, whole("out_channels", out_channels)
        self.trunk = AFNOTrunk(in_channels, ndim=ndim, rngs=rngs, **trunk_options)
        self.ndim, self.patch = ndim, self.trunk.patch
        self.head = PatchHead(self.trunk.embed_dim, out_channels, self.patch, rngs=rngs)

    def __call__(
        self, u: Float[Array, "*b_space ci"], output_shape: tuple[int, ...] | None = None
    ) -> Float[Array, "*b_outspace co"]:
        """Apply the operator; see `Operator.__call__`."""
        return self.on_batch(lambda x: self.head(self.trunk(x)), u, output_shape)

    @property
    def mixer(self) -> nnx.Module:
        """See `TokenOperator.mixer`."""
        return self.trunk.blocks[0].mixer
