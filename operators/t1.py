"""Transform Once: the whole network on the coefficients of one transform."""

import math
from collections.abc import Sequence
from typing import Any

import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float

from spectral.truncation import Truncation

from .layers.arguments import choice, number, points, random_streams, refusal, whole
from .layers.mixer_block import GELU_GAIN, MixerBlock
from .layers.mode_mixing import SineHead
from .layers.modes import as_modes
from .layers.selection import make_selection
from .layers.spectral_lift import SpectralLift
from .spectral_operator import Energies, SpectralOperator

INITS = ("fan_in", "data_aware", "variance_preserving", "variance_preserving_first", "naive")


class T1(SpectralOperator):
    """Transform Once: v = T^-1 Q B_L .. B_1 P T u, with everything between the two transforms on the kept modes.

    P lifts input and coordinates (`SpectralLift`), the blocks B_l mix the channels of every mode and then the modes
    along every axis (`MixerBlock`), and Q is sin between two matrices, without biases. The output has no other modes
    than the kept ones. Nothing in it is as large as a field: lifting and head commute with the cut.

    Args:
        n_modes: modes per axis: of the cosine basis, as many as it says; of the Fourier basis both signs counted.
        in_channels: channels of the input, coordinates not counted.
        out_channels: channels of the output.
        hidden_channels: width of the blocks.
        n_layers: number of blocks.
        projection_channels: width between the two matrices of Q.
        basis: "cosine", the orthonormal DCT-II, or "fourier", with complex weights stored as real pairs.
        norm: of the coefficients: "ortho", which grow with the number of points, or "function", which do not, so that
            weights serve on other grids.
        positional_embedding: "grid" appends the coordinates; None does not.
        init: standard deviations of the blocks. "fan_in": 1/sqrt(fan in), times what a GELU takes away. "naive": W with
            1/hidden_channels^2. "variance_preserving": W such that the energy of white noise on `resolution` comes
            through the cut of a *first* block; in every block it grows by the ratio of points to modes each time.
            "variance_preserving_first": that in the first block, then 1/sqrt(fan in). "data_aware": "fan_in", with the
            first block raised by what the training inputs lose in the cut (`adapt`).
        resolution: the grid of "variance_preserving".
        head_scale: standard deviation of the matrices of Q (published: 1e-8, for which the output begins at zero);
            None for 1/sqrt(fan in).
        residual_scale: factor on what a block adds; 1/sqrt(n_layers) keeps deep operators level.
        selection: "low_pass", all stored modes; "top_energy", those `kept_modes` of them in which the training targets
            have most energy; "learnt", those with the largest trained scores.
        kept_modes: how many modes the selection keeps.
        backend: of the transforms, see `spectral.transforms.forward`.
        rngs: random streams.

    Raises:
        ValueError: for names or counts that make no operator; the message says what was wanted.

    Accuracy:
        Errors cannot fall below the energy of the modes left out, see `project`. With norm="function" two grids agree
        up to aliasing; the cosine basis takes samples for averages over cells, so of samples at points i L / N every
        grid sees another half-cell shift (3e-2 on random fields at 64 and 128 points).

    Source: Poli et al., "Transform Once: Efficient Operator Learning in Frequency Domain", NeurIPS 2022, and facts on
        its published code. There, lifting and head run on the whole grid, which gives the same function; its Fourier
        variant cannot be run, ours has activations on real and imaginary parts.
    """

    def __init__(
        self,
        n_modes: int | Sequence[int],
        in_channels: int,
        out_channels: int,
        hidden_channels: int,
        *,
        n_layers: int = 4,
        projection_channels: int = 128,
        basis: str = "cosine",
        norm: str = "ortho",
        positional_embedding: str | None = "grid",
        init: str = "fan_in",
        resolution: Sequence[int] | None = None,
        head_scale: float | None = None,
        residual_scale: float = 1.0,
        selection: str = "low_pass",
        kept_modes: int | None = None,
        backend: str = "auto",
        rngs: nnx.Rngs,
    ) -> None:
        self.truncation = make_truncation(n_modes, basis, norm, backend)
        self.ndim = self.truncation.ndim
        self.in_channels, self.out_channels = whole("in_channels", in_channels), whole("out_channels", out_channels)
        self.hidden_channels, n_layers = whole("hidden_channels", hidden_channels), whole("n_layers", n_layers)
        self.init = choice("init", init, INITS)
        self.selection = make_selection(selection, self.truncation.stored, kept_modes, self.truncation.origin)
        choice("positional_embedding", positional_embedding, ("grid", None))
        self.lifting = SpectralLift(
            self.in_channels,
            self.hidden_channels,
            self.truncation,
            coordinates=positional_embedding is not None,
            rngs=random_streams(rngs),
        )
        self.blocks = nnx.List(
            [
                MixerBlock(
                    self.hidden_channels,
                    self.selection,
                    parts=self.truncation.parts,
                    residual_scale=number("residual_scale", residual_scale),
                    rngs=rngs,
                    **block_init(init, layer, self.hidden_channels, self.selection.kept, self.ndim, resolution),
                )
                for layer in range(n_layers)
            ]
        )
        self.head = SineHead(
            self.hidden_channels,
            self.out_channels,
            whole("projection_channels", projection_channels),
            scale=None if head_scale is None else number("head_scale", head_scale),
            rngs=rngs,
        )

    def coefficients(self, z: Float[Array, "b *k p ci"], shape: tuple[int, ...]) -> Float[Array, "b *k p co"]:
        """See `SpectralOperator.coefficients`."""
        x = jnp.moveaxis(self.lifting(z, shape), 0, -3)
        x = self.selection.gate(self.selection.gather(x))
        for block in self.blocks:
            x = block(x, self.selection)
        x = self.selection.gate(self.head(x))
        x = jnp.moveaxis(self.selection.scatter(x), -3, 0)
        return x * jnp.asarray(self.truncation.alive[None, ..., None])

    def adapt(self, energies: Energies) -> None:
        """See `SpectralOperator.adapt`."""
        super().adapt(energies)
        first_block_keeps_energy(self.init, self.blocks[0], jnp.sum(energies.inputs * self.selection.mask()))


def make_truncation(n_modes: int | Sequence[int], basis: Any, norm: Any, backend: Any) -> Truncation:
    """A truncation from the arguments of an operator, checked."""
    return Truncation(
        as_modes(n_modes),
        choice("basis", basis, ("cosine", "fourier")),
        choice("norm", norm, ("ortho", "function")),
        choice("backend", backend, ("auto", "fft", "matmul")),
    )


def block_init(
    init: str, layer: int, channels: int, modes: int, ndim: int, resolution: Sequence[int] | None
) -> dict[str, float]:
    """Standard deviation of a block's W, and the gain on its first axis.

    Energy per channel is kept where s^2 = M_in / (M_out F) for F summed inputs, M_out modes out and M_in modes in: all
    points of the grid before the first cut, and the kept modes after it.

    Raises:
        ValueError: without the grid whose noise is meant, or with one for another `init`.
    """
    fan_in = 1 / math.sqrt(channels)
    if not init.startswith("variance_preserving"):
        if resolution is not None:
            raise refusal("resolution", resolution, f'None with init="{init}"', 'or choose init="variance_preserving"')
        return {"std": fan_in**4, "gain": 1.0} if init == "naive" else {"std": fan_in, "gain": GELU_GAIN}
    if resolution is None:
        raise refusal("resolution", None, f'the grid of the data with init="{init}"', "such as resolution=(64, 64)")
    grown = math.sqrt(math.prod(points("resolution", resolution, ndim)) / modes)
    return {"std": fan_in * (grown if layer == 0 or init == "variance_preserving" else 1.0), "gain": 1.0}


def first_block_keeps_energy(init: str, block: MixerBlock, share: Float[Array, ""]) -> None:
    """With init="data_aware", W of a first block is raised by what the cut takes: 1 / sqrt(share of energy kept)."""
    if init == "data_aware":
        weight = block.modes.weight
        weight[...] = weight[...] / jnp.sqrt(share)
