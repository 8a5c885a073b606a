"""The common part of AFNO networks: from a field to mixed tokens."""

from collections.abc import Sequence
from typing import Any

import jax
from flax import nnx
from jaxtyping import Array, Float

from .afno_block import AFNOBlock, token_norm
from .arguments import choice, flag, known, number, points, random_streams, whole
from .drop_path import DropPath
from .mixers import MIXERS, make_mixer
from .patch_embedding import PatchEmbedding, as_patch, token_grid
from .position_embedding import PositionEmbedding


class AFNOTrunk(nnx.Module):
    """Field -> tokens: patches are embedded, their places added, and mixed by blocks; see `operators.AFNONet`."""

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
        drop_path: float = 0.0,
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
        self.drop = DropPath(drop_path, depth, rngs=rngs) if number("drop_path", drop_path) else None
        self.final_norm = token_norm(norm, embed_dim) if flag("final_norm", final_norm) else None

    def __call__(self, u: Float[Array, "b *space c"]) -> Float[Array, "b *tokens e"]:
        x = self.embedding(u)
        if self.position is not None:
            x = self.position(x)
        apply = jax.checkpoint(_apply) if self.remat else _apply
        factors = None if self.drop is None else self.drop(len(x))
        for layer, block in enumerate(self.blocks):
            x = apply(block, x, None if factors is None else factors[layer])
        return x if self.final_norm is None else self.final_norm(x)  # pyright: ignore[reportCallIssue]


def _apply(block: AFNOBlock, x: Array, factor: Array | None) -> Array:
    return block(x, factor)
