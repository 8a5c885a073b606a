"""What operators have in common that take the patches of a grid as tokens."""

import abc
from collections.abc import Callable

from flax import nnx
from jaxtyping import Array, Float

from .base import Operator
from .layers.afno_modes import mode_grids_of_tokens
from .layers.arguments import points
from .layers.batches import flatten
from .layers.patch_embedding import token_grid
from .layers.resample import resample


class TokenOperator(Operator):
    """An operator on grids that its patches fill; its modes are those of the tokens.

    Attributes:
        patch: points of a patch along every axis.
    """

    patch: tuple[int, ...]

    @property
    @abc.abstractmethod
    def mixer(self) -> nnx.Module:
        """What mixes the tokens in the first block; the other blocks have others of the same kind."""

    def on_batch(
        self,
        fields: Callable[[Float[Array, "b *space ci"]], Float[Array, "b *space co"]],
        u: Float[Array, "*b_space ci"],
        output_shape: tuple[int, ...] | None,
    ) -> Float[Array, "*b_outspace co"]:
        """What a call of an operator is around its network: any leading axes, and another grid of the output.

        Args:
            fields: the network, on one leading axis and the grid of the input.
            u: samples of the input, [*b, *space, in_channels].
            output_shape: see `Operator.__call__`.
        """
        x = flatten(u, self.ndim, self.in_channels)
        shape = x.shape[1:-1] if output_shape is None else points("output_shape", output_shape, self.ndim)
        v = resample(fields(x), shape)
        return v.reshape(*u.shape[: -self.ndim - 1], *v.shape[1:])

    def check_grid(self, shape: tuple[int, ...]) -> None:
        """Refuse to train on a grid that patches do not fill, or that is too coarse for n_modes.

        Raises:
            ValueError: see `layers.patch_embedding.token_grid` and `layers.modes.check_modes`.
        """
        token_grid(points("shape", shape, self.ndim), self.patch, "shape")
        super().check_grid(shape)

    def mode_grids(self, shape: tuple[int, ...]) -> list[tuple[str, tuple[int, ...], tuple[int, ...]]]:
        """See `Operator.mode_grids`: modes are those of the tokens."""
        return mode_grids_of_tokens(self.mixer, token_grid(shape, self.patch))
