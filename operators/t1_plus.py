"""Transform Once with a U-Net on the coefficients."""

from collections.abc import Sequence

import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float

from .layers.arguments import choice, random_streams, whole
from .layers.mixer_block import MixerBlock
from .layers.selection import LowPass
from .layers.spectral_lift import SpectralLift
from .layers.unet_levels import UNetLevels
from .spectral_operator import Energies, SpectralOperator
from .t1 import INITS, block_init, first_block_keeps_energy, make_truncation


class T1Plus(SpectralOperator):
    """Transform Once, "T1+": v = T^-1 U B P T u with a U-Net on the kept coefficients as on an image.

    P is an affine map of input and coordinates to as many channels, B one block of T1 (`MixerBlock`) on those, and U
    the network of `UNet` at the size of the kept modes. Real and imaginary parts are channels of the image.

    Args:
        n_modes: modes per axis: of the cosine basis, as many as it says; of the Fourier basis both signs counted.
        in_channels: channels of the input, coordinates not counted.
        out_channels: channels of the output.
        hidden_channels: channels of the first level of U; eight times as many at the deepest.
        basis: "cosine", the orthonormal DCT-II, or "fourier".
        norm: "ortho" or "function", see `T1`.
        positional_embedding: "grid" appends the coordinates; None does not.
        init: of B, see `T1`.
        resolution: the grid of init="variance_preserving".
        backend: of the transforms, see `spectral.transforms.forward`.
        rngs: random streams.

    Raises:
        ValueError: for names or counts that make no operator; the message says what was wanted.

    Accuracy: see `T1`.
    Source: Poli et al., "Transform Once: Efficient Operator Learning in Frequency Domain", NeurIPS 2022.
    """

    def __init__(
        self,
        n_modes: int | Sequence[int],
        in_channels: int,
        out_channels: int,
        hidden_channels: int,
        *,
        basis: str = "cosine",
        norm: str = "ortho",
        positional_embedding: str | None = "grid",
        init: str = "fan_in",
        resolution: Sequence[int] | None = None,
        backend: str = "auto",
        rngs: nnx.Rngs,
    ) -> None:
        self.truncation = make_truncation(n_modes, basis, norm, backend)
        self.ndim, parts = self.truncation.ndim, self.truncation.parts
        self.in_channels, self.out_channels = whole("in_channels", in_channels), whole("out_channels", out_channels)
        self.init = choice("init", init, INITS)
        self.selection = LowPass(self.truncation.stored)
        coordinates = choice("positional_embedding", positional_embedding, ("grid", None)) is not None
        width = self.in_channels + (self.ndim if coordinates else 0)
        self.lifting = SpectralLift(
            self.in_channels, width, self.truncation, coordinates=coordinates, rngs=random_streams(rngs)
        )
        std_and_gain = block_init(init, 0, width, self.selection.kept, self.ndim, resolution)
        self.block = MixerBlock(width, self.selection, parts=parts, residual_scale=1.0, rngs=rngs, **std_and_gain)
        hidden_channels = whole("hidden_channels", hidden_channels)
        self.levels = UNetLevels(
            parts * width, parts * self.out_channels, hidden_channels, sizes=self.truncation.stored, rngs=rngs
        )

    def coefficients(self, z: Float[Array, "b *k p ci"], shape: tuple[int, ...]) -> Float[Array, "b *k p co"]:
        """See `SpectralOperator.coefficients`."""
        x = jnp.moveaxis(self.lifting(z, shape), 0, -3)
        x = self.selection.scatter(self.block(self.selection.gather(x), self.selection))
        x = jnp.moveaxis(x, -3, 0)
        y = self.levels(x.reshape(*x.shape[:-2], -1))
        y = y.reshape(*x.shape[:-1], self.out_channels)
        return y * jnp.asarray(self.truncation.alive[None, ..., None])

    def adapt(self, energies: Energies) -> None:
        """See `SpectralOperator.adapt`."""
        super().adapt(energies)
        first_block_keeps_energy(self.init, self.block, jnp.sum(energies.inputs * self.selection.mask()))
