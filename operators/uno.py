"""The U-shaped neural operator."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float, Inexact

from .base import Operator
from .layers.activations import as_activation, gelu
from .layers.arguments import choice, entries, flag, known, random_streams, refusal, whole, whole_number
from .layers.batches import flatten, flatten_embedding
from .layers.channel_mlp import ChannelMLP
from .layers.complex_valued import of_data
from .layers.entry import make_entry
from .layers.fno_block import FNOBlock
from .layers.grid_plan import GridPlan, plan_grids, plan_grids_in_turn
from .layers.modes import as_modes
from .layers.resample import resample
from .layers.scaling import as_factors
from .layers.skips import SKIPS, make_skip
from .layers.spectral_conv import SpectralConv


class UNO(Operator):
    """U-shaped neural operator: an FNO whose blocks have their own widths, modes and grids, with skips across the U.

    x_l = B_l [x_{l-1}, R S_a x_a] for the blocks l that a skip from block a leads to, x_l = B_l x_{l-1} for the others:
    S is pointwise, R carries to the grid of x_{l-1}, [., .] appends channels. P lifts the input and the coordinates
    before, Q projects pointwise after. Every block but the last ends with its activation.

    Args:
        in_channels: channels of the input, coordinates not counted.
        out_channels: channels of the output.
        hidden_channels: width after P.
        uno_out_channels: width after every block.
        uno_n_modes: modes per axis of every block, both signs counted; their number is that of the axes.
        uno_scalings: points after a block over points before it: for every block one factor, or one per axis. Block l
            ends on the grid that has the product of the first l factors times the points of the input.
        lifting_channels: hidden width of P.
        projection_channels: hidden width of Q.
        n_layers: number of blocks.
        positional_embedding: "grid" appends the coordinates in [0, 1) of every axis to the input; None does not.
        horizontal_skips_map: {l: a} for every skip, blocks counted from 0, a < l; by default from the first to the
            last block, the second to the last but one, and so on. {} for none.
        horizontal_skip: S: "linear", "soft-gating" or "identity".
        channel_mlp_skip: of every block. The default of the PyTorch library, "soft-gating", keeps the channels, and so
            fits no block that a skip leads to.
        non_linearity: activation: "gelu" (the exact one), "relu", "silu", "tanh", or a function.
        domain_padding: share of every axis to add as zeros around the lifted input; one number or one per axis.
        domain_padding_mode: "symmetric" pads both ends, "one-sided" the far end.
        complex_data: the input is complex, and so is all that follows.
        compat: "neuralop2" or "neuralop2-release" for the numerics of the PyTorch library: blocks have no activation
            outside their MLP (with pre-activation: but the first one), P has a GELU, grids are rounded after every
            block, and functions carried to another grid by position (see `layers.by_position`).
        rngs: random streams.
        **block_options: of every block, see `FNOBlock`: fno_skip, norm, norm_groups, ada_in_features, preactivation,
            stabilizer, use_channel_mlp, channel_mlp_expansion; and of its convolution, see `SpectralConv`: separable,
            factorization, rank, implementation, spectral_dtype.

    Raises:
        ValueError: for lists that have not one entry for every block, skips from or to blocks that are not there, and
            whatever `FNOBlock` refuses; when called, for a grid of which a block would leave no point.

    Accuracy:
        Change of grid is exact below the Nyquist frequencies; activations alias, as in `FNO`. With factors of 1 and no
        skips it is the FNO of the same weights.

    Source: Rahman, Ross, Azizzadenesheli, U-NO: U-shaped Neural Operators, 2023; architecture and names of the
        neuraloperator library, 2.0. `operators.interop` carries weights from and to it.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        hidden_channels: int,
        *,
        uno_out_channels: Sequence[int],
        uno_n_modes: Sequence[int | Sequence[int]],
        uno_scalings: Sequence[int | float | Sequence[int | float]],
        lifting_channels: int = 256,
        projection_channels: int = 256,
        n_layers: int = 4,
        positional_embedding: str | None = "grid",
        horizontal_skips_map: Mapping[int | str, int] | None = None,
        horizontal_skip: str | None = "linear",
        channel_mlp_skip: str | None = "linear",
        non_linearity: str | Callable = "gelu",
        domain_padding: int | float | Sequence[int | float] | None = None,
        domain_padding_mode: str = "symmetric",
        complex_data: bool = False,
        compat: str | None = None,
        rngs: nnx.Rngs,
        **block_options: Any,
    ) -> None:
        known(UNO, block_options, FNOBlock, SpectralConv)
        random_streams(rngs)
        choice("horizontal_skip", horizontal_skip, SKIPS[:-1], "for no skips at all set horizontal_skips_map={}")
        n_layers = whole("n_layers", n_layers)
        counts = enumerate(entries("uno_out_channels", uno_out_channels, n_layers))
        outs = tuple(whole(f"uno_out_channels[{layer}]", count) for layer, count in counts)
        modes = enumerate(entries("uno_n_modes", uno_n_modes, n_layers))
        self.uno_n_modes = tuple(as_modes(n_modes, name=f"uno_n_modes[{layer}]") for layer, n_modes in modes)
        self.ndim = len(self.uno_n_modes[0])
        if any(len(n_modes) != self.ndim for n_modes in self.uno_n_modes):
            raise ValueError(
                f"uno_n_modes: got {self.uno_n_modes}, wanted as many counts for every block as there are "
                "axes; give all the same number"
            )
        self.in_channels, self.out_channels = whole("in_channels", in_channels), whole("out_channels", out_channels)
        self.hidden_channels = hidden_channels = whole("hidden_channels", hidden_channels)
        self.complex_data, self.compat = flag("complex_data", complex_data), compat
        factors = entries("uno_scalings", uno_scalings, n_layers)
        self.scaling = as_factors(factors, self.ndim, n_layers, name="uno_scalings")
        self.sources = _sources(horizontal_skips_map, n_layers)

        self.embedding, self.padding, lifted = make_entry(
            self.in_channels,
            self.ndim,
            positional_embedding=positional_embedding,
            domain_padding=domain_padding,
            domain_padding_mode=domain_padding_mode,
        )
        sigma = as_activation(non_linearity)
        wide, narrow = whole("lifting_channels", lifting_channels), whole("projection_channels", projection_channels)
        inner = gelu if compat else sigma
        lifting = ChannelMLP(lifted, hidden_channels, wide, non_linearity=inner, rngs=rngs)
        self.lifting = of_data(lifting, complex_data)
        block_options |= {"channel_mlp_skip": channel_mlp_skip, "non_linearity": sigma, "complex_data": complex_data}
        widths = (hidden_channels, *outs)
        self.blocks = nnx.List(
            [
                FNOBlock(
                    widths[layer] + (0 if source is None else outs[source]),
                    self.uno_n_modes[layer],
                    out_channels=outs[layer],
                    activate=compat is None and layer < n_layers - 1,
                    compat=compat,
                    rngs=rngs,
                    **block_options,
                )
                for layer, source in enumerate(self.sources)
            ]
        )
        self.horizontal_skips = nnx.Dict()
        for source in sorted({source for source in self.sources if source is not None}):
            width = outs[source]
            self.horizontal_skips[str(source)] = of_data(
                make_skip(horizontal_skip, width, width, name="horizontal_skip", rngs=rngs), complex_data
            )
        projection = ChannelMLP(widths[-1], out_channels, narrow, non_linearity=sigma, rngs=rngs)
        self.projection = of_data(projection, complex_data)

    def grids(self, shape: tuple[int, ...], output_shape: tuple[int, ...] | None = None) -> GridPlan:
        """The grids after every block for an input on `shape`, and where the output lies on the last.

        Args:
            shape: grid of the input.
            output_shape: grid of the output, where another one is wanted than follows from the factors.
        """
        assert self.scaling is not None
        if self.compat:
            return plan_grids_in_turn(shape, self.scaling, self.padding, output_shape, end_to_end=True)
        return plan_grids(shape, self.scaling, self.padding, output_shape)

    def mode_grids(self, shape: tuple[int, ...]) -> list[tuple[str, tuple[int, ...], tuple[int, ...]]]:
        """See `Operator.mode_grids`: every block has the grids of its input and of its output."""
        plan = self.grids(shape)
        return [
            (f"uno_n_modes[{layer}]", n_modes, grid)
            for layer, n_modes in enumerate(self.uno_n_modes)
            for grid in plan.of_layer(layer)
        ]

    def __call__(
        self,
        u: Inexact[Array, "*b_space ci"],
        output_shape: tuple[int, ...] | None = None,
        embedding: Float[Array, "*b e"] | None = None,
    ) -> Inexact[Array, "*b_outspace co"]:
        """Apply the operator; see `Operator.__call__`. Another `output_shape` is produced by the last block.

        Args:
            u: samples of the input, [*b, *space, in_channels].
            output_shape: grid of the output, by default what the factors make of that of the input.
            embedding: [e] for all samples or [*b, e]; what the adaptive instance norm depends on, with that norm only.
        """
        x = flatten(u, self.ndim, self.in_channels, complex_data=self.complex_data)
        embedding = flatten_embedding(embedding, self.blocks[0].adaptive)
        batch, shape = u.shape[: -self.ndim - 1], x.shape[1:-1]
        if self.embedding is not None:
            x = self.embedding(x)
        x = self.lifting(x)
        if self.padding is not None:
            x = self.padding.pad(x)
        grids, skipped = self.grids(shape, output_shape), {}
        for layer, (block, source) in enumerate(zip(self.blocks, self.sources, strict=True)):
            if source is not None:
                x = jnp.concatenate([x, resample(skipped[source], x.shape[1:-1], self.compat)], axis=-1)
            x = block(x, grids.inner[layer], embedding)
            if layer in self.sources:
                skipped[layer] = self.horizontal_skips[str(layer)](x)
        y = self.projection(grids.crop(x))
        return y.reshape(*batch, *y.shape[1:])


def _sources(skips: Mapping[int | str, int] | None, n_layers: int) -> tuple[int | None, ...]:
    """For every block the one that a skip leads from, or None."""
    if skips is None:
        skips = {n_layers - 1 - layer: layer for layer in range(n_layers // 2)}
    given = skips if isinstance(skips, Mapping) else {-1: -1}
    numbers = {_block(target): _block(source) for target, source in given.items()}
    if len(numbers) < len(given) or any(not 0 <= source < target < n_layers for target, source in numbers.items()):
        wanted = f"{{to: from}} with whole numbers 0 <= from < to < n_layers={n_layers}"
        raise refusal("horizontal_skips_map", skips, wanted, "such as the default None, or {} for no skips")
    return tuple(numbers.get(layer) for layer in range(n_layers))


def _block(number: int | str) -> int:
    """The number of a block, -1 for what is none. In configs the keys of a mapping are texts."""
    found = whole_number(int(number) if isinstance(number, str) and number.isdecimal() else number)
    return -1 if found is None else found
