"""Token mixers by their names."""

from typing import Any

from flax import nnx

from .afno_mixer import AFNOMixer
from .arguments import choice
from .global_filter import GlobalFilter
from .self_attention import SelfAttention

MIXERS = {"afno": AFNOMixer, "global_filter": GlobalFilter, "attention": SelfAttention}


def make_mixer(kind: str, channels: int, tokens: tuple[int, ...] | None, ndim: int, **options: Any) -> nnx.Module:
    """A token mixer by its name: "afno", "global_filter" or "attention".

    Args:
        kind: the name.
        channels: channel count.
        tokens: grid of the tokens that it is trained on, which "global_filter" has to know.
        ndim: spatial axes.
        **options: of `AFNOMixer`, `GlobalFilter` or `SelfAttention`; and `rngs`.

    Raises:
        ValueError: for another name, or a global filter without a grid.
    """
    match choice("mixer", kind, MIXERS):
        case "afno":
            return AFNOMixer(channels, ndim=ndim, **options)
        case "global_filter":
            if tokens is None:
                raise ValueError('grid: got None with mixer="global_filter", wanted the grid of the data; set grid=..')
            return GlobalFilter(channels, tokens, **options)
    return SelfAttention(channels, **options)
