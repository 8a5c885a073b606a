"""What stands before an operator's layers, and has no parameters."""

from collections.abc import Sequence

from .arguments import choice
from .embeddings import GridEmbedding
from .padding import MODES, DomainPadding


def make_entry(
    in_channels: int,
    ndim: int,
    *,
    positional_embedding: str | None,
    domain_padding: int | float | Sequence[int | float] | None,
    domain_padding_mode: str,
) -> tuple[GridEmbedding | None, DomainPadding | None, int]:
    """The coordinates, the padding, and the channels that are to be lifted.

    Args:
        in_channels: channels of the input, coordinates not counted.
        ndim: spatial axes.
        positional_embedding: "grid" or None, for no coordinates.
        domain_padding: see `DomainPadding`; None for none.
        domain_padding_mode: see `DomainPadding`.

    Raises:
        ValueError: for another name, or shares that make no padding.
    """
    choice("positional_embedding", positional_embedding, ("grid", None))
    choice("domain_padding_mode", domain_padding_mode, MODES)
    embedding = None if positional_embedding is None else GridEmbedding(ndim)
    padding = None if domain_padding is None else DomainPadding(domain_padding, ndim, mode=domain_padding_mode)
    return embedding, padding, in_channels + (0 if embedding is None else ndim)
