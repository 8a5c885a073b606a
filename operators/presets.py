"""Operators of the AFNO family at their published sizes."""

from collections.abc import Sequence
from typing import Any

from flax import nnx

from .afno import AFNONet
from .afno_classifier import AFNOClassifier
from .dpot import DPOT
from .layers.arguments import choice


def fourcastnet(
    in_channels: int = 20, out_channels: int = 20, *, grid: Sequence[int] = (720, 1440), rngs: nnx.Rngs, **options: Any
) -> AFNONet:
    """FourCastNet: 90 x 180 tokens of 8 x 8 points, 768 wide, 12 blocks, with the modes that its code mixes.

    74,690,304 parameters; with `final_norm` 74,691,840, the count of its code, which has that norm but never calls it.

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

    Source: Guibas et al., Adaptive Fourier Neural Operators, 2022, table of ImageNet-1k.
    """
    published = {"patch_size": 4, "embed_dim": 384, "depth": 12, "num_blocks": 4, "double_skip": False}
    return AFNOClassifier(in_channels, num_classes, grid=grid, rngs=rngs, **published | options)


# Width, depth, blocks of the weights, hidden width of the MLP over the width, channels between tokens and output.
DPOT_SIZES = {
    "tiny": (512, 4, 4, 1, 32),
    "small": (1024, 6, 8, 1, 32),
    "medium": (1024, 12, 8, 4, 32),
    "large": (1536, 24, 16, 4, 128),
    "huge": (2048, 27, 8, 4, 128),
}


def dpot(
    size: str,
    in_channels: int = 40,
    out_channels: int = 4,
    *,
    grid: Sequence[int] = (128, 128),
    rngs: nnx.Rngs,
    **options: Any,
) -> DPOT:
    """DPOT at one of its sizes: 7M, 30M, 122M, 509M or 1.03B parameters, with the head that `DPOT` leaves out.

    Args:
        size: "tiny", "small", "medium", "large" or "huge".
        in_channels: fields times steps in.
        out_channels: fields out.
        grid: points per axis.
        rngs: random streams.
        **options: of `DPOT`, in the place of the published ones.

    Raises:
        ValueError: for another size.

    Source: Hao et al., DPOT, 2024, and its configurations.
    """
    names = "embed_dim", "depth", "num_blocks", "mlp_ratio", "out_layer_dim"
    published = dict(zip(names, DPOT_SIZES[choice("size", size, DPOT_SIZES)], strict=True))
    return DPOT(in_channels, out_channels, grid=grid, rngs=rngs, **published | options)
