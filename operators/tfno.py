"""The tensorised Fourier neural operator."""

from collections.abc import Sequence
from typing import Any

from flax import nnx
from jaxtyping import Array, Float, Inexact

from .base import Operator
from .fno import FNO
from .layers.arguments import known
from .layers.fno_block import FNOBlock
from .layers.ranks import Rank
from .layers.spectral_conv import SpectralConv


class TFNO(Operator):
    """An FNO whose spectral weights are low-rank tensors: one per layer, or with `joint_factorization` one for all.

    Args:
        n_modes: modes per axis, both signs counted; its length is the number of axes.
        in_channels: channels of the input.
        out_channels: channels of the output.
        hidden_channels: width of the blocks.
        factorization: "Tucker", "CP" or "TT".
        rank: share of the dense parameter count (float), or ranks (integers).
        rngs: random streams.
        **options: every other option of `FNO`.

    Source: Kossaifi et al., Multi-Grid Tensorized Fourier Neural Operator for High-Resolution PDEs, 2023, without the
        multi-grid patches, for which see `MGTFNO`; its one tensor for all layers is `joint_factorization`.
    """

    def __init__(
        self,
        n_modes: int | Sequence[int],
        in_channels: int,
        out_channels: int,
        hidden_channels: int,
        *,
        factorization: str = "Tucker",
        rank: Rank = 0.1,
        rngs: nnx.Rngs,
        **options: Any,
    ) -> None:
        known(TFNO, options, FNO, FNOBlock, SpectralConv)
        self.trunk = FNO(
            n_modes,
            in_channels,
            out_channels,
            hidden_channels,
            factorization=factorization,
            rank=rank,
            rngs=rngs,
            **options,
        )
        self.in_channels, self.out_channels = self.trunk.in_channels, self.trunk.out_channels
        self.ndim = self.trunk.ndim

    @property
    def n_modes(self) -> tuple[int, ...]:
        """Modes per axis that every layer uses; may be set anew, up to `max_n_modes`."""
        return self.trunk.n_modes

    @n_modes.setter
    def n_modes(self, n_modes: int | Sequence[int]) -> None:
        self.trunk.n_modes = n_modes

    def __call__(
        self,
        u: Inexact[Array, "*b_space ci"],
        output_shape: tuple[int, ...] | None = None,
        embedding: Float[Array, "*b e"] | None = None,
    ) -> Inexact[Array, "*b_outspace co"]:
        """Apply the operator; see `FNO.__call__`."""
        return self.trunk(u, output_shape, embedding)

    def mode_grids(self, shape: tuple[int, ...]) -> list[tuple[str, tuple[int, ...], tuple[int, ...]]]:
        """See `Operator.mode_grids`."""
        return self.trunk.mode_grids(shape)
