"""The Fourier neural operator."""

import math
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float, Inexact, Int

from .base import Operator
from .layers.activations import as_activation
from .layers.arguments import flag, known, random_streams, whole, width
from .layers.batches import flatten, flatten_embedding
from .layers.channel_mlp import ChannelMLP
from .layers.complex_valued import of_data
from .layers.entry import make_entry
from .layers.fno_block import FNOBlock
from .layers.grid_plan import GridPlan, plan_grids, plan_grids_in_turn
from .layers.modes import as_modes, stored_modes
from .layers.ranks import Rank
from .layers.scaling import Scaling, as_factors
from .layers.spectral_conv import SpectralConv
from .layers.weights import JointWeight, SpectralWeight, make_joint_weight


class FNO(Operator):
    """Fourier neural operator: v = Q . B_L . ... . B_1 . P (u, x).

    P lifts the input and the coordinates to `hidden_channels` pointwise, every block B_l mixes Fourier modes and
    channels (`FNOBlock`), and Q projects pointwise to the output.

    Args:
        n_modes: modes per axis, both signs counted (the last axis keeps n//2 + 1); its length is the number of axes.
            May be set anew later, up to `max_n_modes` (see `SpectralConv`).
        in_channels: channels of the input, coordinates not counted.
        out_channels: channels of the output.
        hidden_channels: width of the blocks.
        n_layers: number of blocks.
        lifting_channel_ratio: hidden width of P over hidden_channels.
        projection_channel_ratio: hidden width of Q over hidden_channels.
        positional_embedding: "grid" appends the coordinates in [0, 1) of every axis to the input; None does not.
        non_linearity: activation: "gelu" (the exact one), "relu", "silu", "tanh", or a function.
        domain_padding: share of every axis to add as zeros around the lifted input, for functions that are not
            periodic; one number or one per axis.
        domain_padding_mode: "symmetric" pads both ends, "one-sided" the far end.
        resolution_scaling_factor: points after a block over points before it: one factor, one per block, or for every
            block one per axis. Functions are carried by signed frequency, the skips' too.
        complex_data: the input is complex, and so is all that follows; see `FNOBlock` and `SpectralConv`.
        joint_factorization: one tensor over layers, channels and modes in place of one for every block; `rank` is that
            of the whole.
        scan_layers: run all blocks but the last as one loop, compiled once, with their parameters stacked for the
            call (one more copy of them in memory).
        remat: recompute every block in the backward pass, so that only the inputs of the blocks are kept.
        rngs: random streams.
        **block_options: of every block, see `FNOBlock`: preactivation, stabilizer, norm, norm_groups, ada_in_features,
            use_channel_mlp, channel_mlp_expansion, channel_mlp_skip, fno_skip; and of its convolution, see
            `SpectralConv`: max_n_modes, separable, factorization, rank, implementation, spectral_dtype; and of both,
            compat: "neuralop2" for the numerics of the PyTorch library 2.0 where ours differ: without a channel MLP its
            blocks apply norm and activation twice; the channel MLP has a GELU whatever `non_linearity` is; a grid
            with an odd number of modes, fewer than the even number stored, pairs them with the rows one below; complex
            data have other modes on the last axis; functions are carried to another grid by position, see
            `layers.by_position`. "neuralop2-release" for those of the release 2.0.0 of the package index, which on odd
            leading axes is yet another function (`SpectralConv`).

    Raises:
        ValueError: for names, counts or ratios that make no operator; the message says what was wanted.

    Accuracy:
        Convolutions are exact under a change of grid; the activations alias, so two grids agree up to the tail of the
        spectrum. A grid too coarse for the modes uses those it has; before training, call `operator.check_grid`.

    Source: Li et al., Fourier Neural Operator for Parametric Partial Differential Equations, 2021; architecture, names
        and initialisation of the neuraloperator library, 2.0. `operators.interop` carries weights from and to it.
    """

    def __init__(
        self,
        n_modes: int | Sequence[int],
        in_channels: int,
        out_channels: int,
        hidden_channels: int,
        *,
        n_layers: int = 4,
        lifting_channel_ratio: int | float = 2,
        projection_channel_ratio: int | float = 2,
        positional_embedding: str | None = "grid",
        non_linearity: str | Callable = "gelu",
        domain_padding: int | float | Sequence[int | float] | None = None,
        domain_padding_mode: str = "symmetric",
        resolution_scaling_factor: Scaling | None = None,
        complex_data: bool = False,
        joint_factorization: bool = False,
        scan_layers: bool = False,
        remat: bool = False,
        rngs: nnx.Rngs,
        **block_options: Any,
    ) -> None:
        known(FNO, block_options, FNOBlock, SpectralConv)
        self.ndim = len(as_modes(n_modes))
        self.in_channels, self.out_channels = whole("in_channels", in_channels), whole("out_channels", out_channels)
        self.hidden_channels = hidden_channels = whole("hidden_channels", hidden_channels)
        self.complex_data, self.remat = flag("complex_data", complex_data), flag("remat", remat)
        self.scan_layers, joint = flag("scan_layers", scan_layers), flag("joint_factorization", joint_factorization)
        n_layers = whole("n_layers", n_layers)
        self.scaling = as_factors(resolution_scaling_factor, self.ndim, n_layers)
        self._check(n_layers)

        self.embedding, self.padding, lifted = make_entry(
            self.in_channels,
            self.ndim,
            positional_embedding=positional_embedding,
            domain_padding=domain_padding,
            domain_padding_mode=domain_padding_mode,
        )
        shared = {"non_linearity": as_activation(non_linearity), "rngs": random_streams(rngs)}
        wide = width("lifting_channel_ratio", lifting_channel_ratio, hidden_channels)
        narrow = width("projection_channel_ratio", projection_channel_ratio, hidden_channels)
        self.lifting = of_data(ChannelMLP(lifted, hidden_channels, wide, **shared), complex_data)
        block_options |= {"complex_data": complex_data, "own_weight": not joint} | shared
        self.blocks = nnx.List(
            [
                FNOBlock(hidden_channels, n_modes, activate=layer < n_layers - 1, **block_options)
                for layer in range(n_layers)
            ]
        )
        self.joint = _joint_weight(self.blocks, **block_options) if joint else None
        self.projection = of_data(ChannelMLP(hidden_channels, out_channels, narrow, **shared), complex_data)

    def _check(self, n_layers: int) -> None:
        """Refuse options that exclude each other."""
        if self.scan_layers and (n_layers < 3 or self.scaling is not None):
            raise ValueError(
                f"scan_layers: got True with n_layers={n_layers} and resolution_scaling_factor={self.scaling}, wanted "
                "at least 3 layers and None: a loop repeats one block on one grid; set scan_layers=False"
            )

    @property
    def n_modes(self) -> tuple[int, ...]:
        """Modes per axis that every block uses; may be set anew, up to `max_n_modes`."""
        return self.blocks[0].conv.n_modes

    @n_modes.setter
    def n_modes(self, n_modes: int | Sequence[int]) -> None:
        for block in self.blocks:
            block.conv.n_modes = n_modes

    def grids(self, shape: tuple[int, ...], output_shape: tuple[int, ...] | None = None) -> GridPlan:
        """The grids after every block for an input on `shape`, and where the output lies on the last.

        Args:
            shape: grid of the input.
            output_shape: grid of the output, where another one is wanted than follows from the factors.
        """
        plan = plan_grids_in_turn if self.blocks[0].compat else plan_grids
        factors = self.scaling or ((1.0,) * self.ndim,) * len(self.blocks)
        return plan(shape, factors, self.padding, output_shape)

    def mode_grids(self, shape: tuple[int, ...]) -> list[tuple[str, tuple[int, ...], tuple[int, ...]]]:
        """See `Operator.mode_grids`."""
        plan = self.grids(shape)
        return [("n_modes", self.n_modes, grid) for grid in dict.fromkeys((plan.entry, *plan.inner))]

    def __call__(
        self,
        u: Inexact[Array, "*b_space ci"],
        output_shape: tuple[int, ...] | None = None,
        embedding: Float[Array, "*b e"] | None = None,
    ) -> Inexact[Array, "*b_outspace co"]:
        """Apply the operator; see `Operator.__call__`. Another `output_shape` is produced by the last block.

        Args:
            u: samples of the input, [*b, *space, in_channels].
            output_shape: grid of the output, by default that of the input.
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
        grids = self.grids(shape, output_shape)
        if self.scan_layers:
            x = self._scan(x, embedding)
        for layer in range(len(self.blocks) - 1 if self.scan_layers else 0, len(self.blocks)):
            x = self._apply(self.blocks[layer], layer, x, grids.inner[layer], embedding)
        y = self.projection(grids.crop(x))
        return y.reshape(*batch, *y.shape[1:])

    def _apply(
        self,
        block: FNOBlock,
        layer: int | Int[Array, ""],
        x: Inexact[Array, "b *space c"],
        output_shape: tuple[int, ...],
        embedding: Float[Array, "*b e"] | None,
    ) -> Inexact[Array, "b *outspace c"]:
        weight = None if self.joint is None else self.joint.layer(layer)
        if not self.remat:
            return block(x, output_shape, embedding, weight)

        def run(block: FNOBlock, x: Array, embedding: Array | None, weight: SpectralWeight | None):
            y = block(x, output_shape, embedding, weight)
            return y, nnx.state(block, nnx.BatchStat)

        # The block inside is a copy: its running statistics come out beside the result.
        y, statistics = jax.checkpoint(run)(block, x, embedding, weight)
        nnx.update(block, statistics)
        return y

    def _scan(
        self, x: Inexact[Array, "b *space c"], embedding: Float[Array, "*b e"] | None
    ) -> Inexact[Array, "b *space c"]:
        """All blocks but the last, which has no activation."""
        blocks = self.blocks[:-1]
        graphs, states = zip(*(nnx.split(block) for block in blocks), strict=True)

        def body(x: Array, inputs: tuple[nnx.State, Array]) -> tuple[Array, nnx.State]:
            block = nnx.merge(graphs[0], inputs[0])
            y = self._apply(block, inputs[1], x, x.shape[1:-1], embedding)
            return y, nnx.state(block, nnx.BatchStat)

        stacked = jax.tree.map(lambda *leaves: jnp.stack(leaves), *states)
        x, statistics = jax.lax.scan(body, x, (stacked, jnp.arange(len(blocks))))
        for layer, block in enumerate(blocks):
            nnx.update(block, jax.tree.map(lambda leaf, layer=layer: leaf[layer], statistics))
        return x


def _joint_weight(
    blocks: Sequence[FNOBlock], *, factorization: str | None = None, rank: Rank = 1.0, rngs: nnx.Rngs, **options: Any
) -> JointWeight:
    if options.get("separable"):
        raise ValueError("joint_factorization: got True with separable=True, wanted one of the two; drop the other")
    conv = blocks[0].conv
    modes, channels = stored_modes(conv.max_n_modes, conv.complex_data), conv.in_channels
    std = math.sqrt(1 / channels)
    return make_joint_weight(factorization, len(blocks), channels, modes, rank=rank, std=std, rngs=rngs)
