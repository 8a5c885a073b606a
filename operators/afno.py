"""Adaptive Fourier neural operators: vision transformers whose tokens are mixed in Fourier space."""

from collections.abc import Sequence
from typing import Any

import jax
from flax import nnx
from jaxtyping import Array, Float

from .base import Operator
from .layers.afno_block import AFNOBlock, token_norm
from .layers.arguments import choice, flag, known, points, random_streams, whole
from .layers.batches import flatten
from .layers.linear import Linear
from .layers.mixers import MIXERS, make_mixer
from .layers.patch_embedding import PatchEmbedding, PatchHead, as_patch, token_grid
from .layers.position_embedding import PositionEmbedding
from .layers.resample import resample


class AFNOTrunk(nnx.Module):
    """Field -> tokens: patches are embedded, their places added, and mixed by blocks; see `AFNONet`."""

    def __init__(
        self,
        in_channels: int,
        *,
        ndim: int = 2,
        grid: Sequence[int] | None = None,
        patch_size: int | Sequence[int] = 4,
        embed_dim: int = 128,
        depth: int = 4,
        mlp_ratio: int | float = 4,
        double_skip: bool = True,
        norm: str = "layer_norm",
        position: str | None = "learned",
        final_norm: bool = False,
        mixer: str = "afno",
        remat: bool = False,
        rngs: nnx.Rngs,
        **mixer_options: Any,
    ) -> None:
        random_streams(rngs)
        known(AFNOTrunk, mixer_options, MIXERS[choice("mixer", mixer, MIXERS)])
        self.in_channels, self.ndim = whole("in_channels", in_channels), whole("ndim", ndim)
        self.embed_dim, depth = whole("embed_dim", embed_dim), whole("depth", depth)
        self.patch, self.remat = as_patch(patch_size, ndim), flag("remat", remat)
        tokens = None if grid is None else token_grid(points("grid", grid, ndim), self.patch, "grid")
        if choice("position", position, ("learned", None)) is not None and tokens is None:
            raise ValueError("grid: got None, wanted that of the data, for which places are learnt; or position=None")
        self.embedding = PatchEmbedding(self.in_channels, embed_dim, self.patch, rngs=rngs)
        self.position = None if position is None or tokens is None else PositionEmbedding(tokens, embed_dim, rngs=rngs)
        of_block = {"mlp_ratio": mlp_ratio, "double_skip": double_skip, "norm": norm, "rngs": rngs}
        mixers = [make_mixer(mixer, embed_dim, tokens, ndim, rngs=rngs, **mixer_options) for _ in range(depth)]
        self.blocks = nnx.List([AFNOBlock(embed_dim, mixer, **of_block) for mixer in mixers])
        self.final_norm = token_norm(norm, embed_dim) if flag("final_norm", final_norm) else None

    def __call__(self, u: Float[Array, "b *space c"]) -> Float[Array, "b *tokens e"]:
        x = self.embedding(u)
        if self.position is not None:
            x = self.position(x)
        for block in self.blocks:
            x = jax.checkpoint(lambda block, x: block(x))(block, x) if self.remat else block(x)
        return x if self.final_norm is None else self.final_norm(x)  # pyright: ignore[reportCallIssue]


class AFNONet(Operator):
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
        remat: recompute every block in the backward pass, so that only the inputs of the blocks are kept.
        rngs: random streams.
        **mixer_options: of the mixer. For "afno" those of `layers.afno_mixer.AFNOMixer`: num_blocks, truncation,
            n_modes, sparsity_threshold, ..; for "attention" num_heads.

    Raises:
        ValueError: for names, counts or grids that make no operator; when called, for a grid that patches do not fill.

    Accuracy:
        A patch is a number of points: on a finer grid tokens are smaller pieces of the domain than those it was trained
        on, and places are interpolated. Another `output_shape` is the trigonometric interpolant of the output. There is
        no dropout, neither of units nor of paths.

    Source: Guibas et al., Adaptive Fourier Neural Operators, 2022; Pathak et al., FourCastNet, 2022, and their code.
        `operators.interop.load_afno` reads its weights.
    """

    def __init__(
        self, in_channels: int, out_channels: int, *, ndim: int = 2, rngs: nnx.Rngs, **trunk_options: Any
    ) -> None:
        self.in_channels, self.out_channels = in_channels, whole("out_channels", out_channels)
        self.trunk = AFNOTrunk(in_channels, ndim=ndim, rngs=rngs, **trunk_options)
        self.ndim = ndim
        self.head = PatchHead(self.trunk.embed_dim, out_channels, self.trunk.patch, rngs=rngs)

    def __call__(
        self, u: Float[Array, "*b_space ci"], output_shape: tuple[int, ...] | None = None
    ) -> Float[Array, "*b_outspace co"]:
        """Apply the operator; see `Operator.__call__`."""
        x = flatten(u, self.ndim, self.in_channels)
        shape = x.shape[1:-1] if output_shape is None else points("output_shape", output_shape, self.ndim)
        v = resample(self.head(self.trunk(x)), shape)
        return v.reshape(*u.shape[: -self.ndim - 1], *v.shape[1:])

    def check_grid(self, shape: tuple[int, ...]) -> None:
        """Refuse to train on a grid that patches do not fill, or that is not the one given, or too coarse for n_modes.

        Raises:
            ValueError: see `layers.patch_embedding.token_grid` and `layers.modes.check_modes`.
        """
        token_grid(points("shape", shape, self.ndim), self.trunk.patch, "shape")
        super().check_grid(shape)

    def mode_grids(self, shape: tuple[int, ...]) -> list[tuple[str, tuple[int, ...], tuple[int, ...]]]:
        """See `Operator.mode_grids`: modes are those of the tokens."""
        truncation = getattr(self.trunk.blocks[0].mixer, "truncation", None)
        if truncation is None or truncation.n_modes is None:
            return []
        return [("n_modes", truncation.n_modes, token_grid(shape, self.trunk.patch))]


class AFNOClassifier(nnx.Module):
    """Logits of a picture: tokens of an `AFNOTrunk`, normalised and averaged, through one linear layer.

    Args:
        in_channels: channels of the picture.
        num_classes: classes.
        rngs: random streams.
        **trunk_options: see `AFNONet`.

    Source: Guibas et al., Adaptive Fourier Neural Operators, 2022, their classifier.
    """

    def __init__(self, in_channels: int, num_classes: int, *, rngs: nnx.Rngs, **trunk_options: Any) -> None:
        self.trunk = AFNOTrunk(in_channels, rngs=rngs, **{"final_norm": True, **trunk_options})
        self.head = Linear(self.trunk.embed_dim, whole("num_classes", num_classes), std=0.02, rngs=rngs)

    def __call__(self, u: Float[Array, "*b_space c"]) -> Float[Array, "*b classes"]:
        """Logits [*b, num_classes] of pictures [*b, *space, in_channels]."""
        trunk = self.trunk
        x = trunk(flatten(u, trunk.ndim, trunk.in_channels))
        y = self.head(x.mean(tuple(range(1, trunk.ndim + 1))))
        return y.reshape(*u.shape[: -trunk.ndim - 1], -1)
