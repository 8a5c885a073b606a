"""Operators of the AFNO family at their published sizes."""

from collections.abc import Sequence
from typing import Any

from flax import nnx

from .afno import AFNOClassifier, AFNONet


def fourcastnet(
    in_channels: int = 20, out_channels: int = 20, *, grid: Sequence[int] = (720, 1440), rngs: nnx.Rngs, **options: Any
) -> AFNONet:
    """FourCastNet: 90 x 180 tokens of 8 x 8 points, 768 wide, 12 blocks, with the modes that its code mixes.

    74,690,304 parameters; with `final_norm` 74,691,840, the count of its code, which has that norm and does not call it.

    Args:
        in_channels: fields in.
        out_channels: fields out.
        grid: latitudes and longitudes.
        rngs: random streams.
        **options: of `AFNONet`, in the place of the published ones.

    Source: Pathak et al., FourCastNet, 2022, and its configuration (`num_blocks` 8).
    """
    published = {"patch_size": 8, "embed_dim": 768, "depth": 12, "num_blocks": 8, "truncation": "fourcastnet"}
    return AFNONet(in_channels, out_channels, grid=grid, rngs=rngs, **published | options)


def afno_vit_s4(
    in_channels: int = 3, num_classes: int = 1000, *, grid: Sequence[int] = (224, 224), rngs: nnx.Rngs, **options: Any
) -> AFNOClassifier:
    """The ViT-S/4 classifier of the AFNO paper: patches of 4 x 4, 384 wide, 12 blocks, no double skip.

    Args:
        in_channels: colours.
        num_classes: classes.
        grid: points of the picture.
        rngs: random streams.
        **options: of `AFNONet`, in the place of the published ones.

    Source: Guibas et al., Adaptive Fourier Neural Operators, 2022, table of ImageNet-1k (16M parameters without places).
    """
    published = {"patch_size": 4, "embed_dim": 384, "depth": 12, "num_blocks": 4, "double_skip": False}
    return AFNOClassifier(in_channels, num_classes, grid=grid, rngs=rngs, **published | options)
