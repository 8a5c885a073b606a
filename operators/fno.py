"""The Fourier neural operator."""

import functools
from collections.abc import Callable, Sequence

import jax
from flax import nnx
from jaxtyping import Array, Float

from .base import Operator
from .layers.activations import gelu
from .layers.channel_mlp import ChannelMLP
from .layers.embeddings import GridEmbedding
from .layers.fno_block import FNOBlock
from .layers.modes import as_modes
from .layers.padding import DomainPadding
from .layers.ranks import Rank


class FNO(Operator):
    """Fourier neural operator: v = Q . B_L . ... . B_1 . P (u, x).

    P lifts the input and the coordinates to `hidden_channels` pointwise, every block B_l mixes Fourier modes and
    channels (`FNOBlock`), and Q projects pointwise to the output.

    Args:
        n_modes: modes per axis, both signs counted (the last axis keeps n//2 + 1); its length is the number of axes.
        in_channels: channels of the input, coordinates not counted.
        out_channels: channels of the output.
        hidden_channels: width of the blocks.
        n_layers: number of blocks.
        lifting_channel_ratio: hidden width of P over hidden_channels.
        projection_channel_ratio: hidden width of Q over hidden_channels.
        positional_embedding: "grid" appends the coordinates in [0, 1) of every axis to the input; None does not.
        non_linearity: activation, exact GELU by default.
        norm: "group_norm", "instance_norm" or None, after the convolution and after the MLP of every block.
        norm_groups: groups of the group norm.
        use_channel_mlp: whether blocks have a channel MLP.
        channel_mlp_expansion: its hidden width over hidden_channels.
        channel_mlp_skip: skip around it: "soft-gating", "linear", "identity" or None.
        fno_skip: skip around the convolution, likewise.
        domain_padding: share of every axis to add as zeros around the lifted input, for functions that are not
            periodic; one number or one per axis.
        domain_padding_mode: "symmetric" pads both ends, "one-sided" the far end.
        factorization: spectral weights: None for dense, "Tucker", "CP", "TT".
        rank: share of the dense parameter count (float), or ranks (integers).
        implementation: how factorised weights are applied: "auto", "factorized" or "reconstructed".
        spectral_dtype: "f32" or "bf16", precision of the operands of the spectral mixing.
        compat: "neuralop2" for the numerics of the PyTorch library 2.0 where ours differ: without a channel MLP its
            blocks apply norm and activation twice; the channel MLP has a GELU whatever `non_linearity` is; a grid with
            an odd number of modes, fewer than the even number stored, pairs them with the rows one below.
        remat: recompute every block in the backward pass, so that only the inputs of the blocks are kept.
        rngs: random streams.

    Raises:
        ValueError: for names, counts or ratios that make no operator; the message says what was wanted.

    Accuracy:
        Convolutions are exact under a change of grid; the activations alias, so two grids agree up to the tail of the
        spectrum. A grid too coarse for the modes uses those it has; before training, call `layers.modes.check_modes`.

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
        non_linearity: Callable = gelu,
        norm: str | None = None,
        norm_groups: int = 1,
        use_channel_mlp: bool = True,
        channel_mlp_expansion: int | float = 0.5,
        channel_mlp_skip: str | None = "soft-gating",
        fno_skip: str | None = "linear",
        domain_padding: int | float | Sequence[int | float] | None = None,
        domain_padding_mode: str = "symmetric",
        factorization: str | None = None,
        rank: Rank = 1.0,
        implementation: str = "auto",
        spectral_dtype: str = "f32",
        compat: str | None = None,
        remat: bool = False,
        rngs: nnx.Rngs,
    ) -> None:
        self.n_modes = as_modes(n_modes)
        self.ndim = len(self.n_modes)
        self.in_channels, self.out_channels, self.hidden_channels = in_channels, out_channels, hidden_channels
        self.remat = remat
        if n_layers < 1:
            raise ValueError(f"n_layers: got {n_layers}, wanted at least 1")
        if positional_embedding not in ("grid", None):
            raise ValueError(f'positional_embedding: got {positional_embedding!r}, wanted "grid" or None')

        self.embedding = GridEmbedding(self.ndim) if positional_embedding == "grid" else None
        self.padding = (
            None if domain_padding is None else DomainPadding(domain_padding, self.ndim, mode=domain_padding_mode)
        )
        make_mlp = functools.partial(ChannelMLP, non_linearity=non_linearity, rngs=rngs)
        lifted = in_channels + (self.ndim if self.embedding is not None else 0)
        self.lifting = make_mlp(lifted, hidden_channels, int(lifting_channel_ratio * hidden_channels))
        self.blocks = nnx.List(
            [
                FNOBlock(
                    hidden_channels,
                    self.n_modes,
                    activate=layer < n_layers - 1,
                    non_linearity=non_linearity,
                    norm=norm,
                    norm_groups=norm_groups,
                    use_channel_mlp=use_channel_mlp,
                    channel_mlp_expansion=channel_mlp_expansion,
                    channel_mlp_skip=channel_mlp_skip,
                    fno_skip=fno_skip,
                    factorization=factorization,
                    rank=rank,
                    implementation=implementation,
                    spectral_dtype=spectral_dtype,
                    compat=compat,
                    rngs=rngs,
                )
                for layer in range(n_layers)
            ]
        )
        self.projection = make_mlp(hidden_channels, out_channels, int(projection_channel_ratio * hidden_channels))

    def __call__(
        self, u: Float[Array, "*b_space ci"], output_shape: tuple[int, ...] | None = None
    ) -> Float[Array, "*b_outspace co"]:
        """Apply the operator; see `Operator.__call__`. Another `output_shape` is produced by the last block."""
        if u.ndim < self.ndim + 1 or u.shape[-1] != self.in_channels:
            raise ValueError(
                f"u: got shape {u.shape}, wanted [*batch, {self.ndim} spatial axes, {self.in_channels} channels]"
            )
        batch, shape = u.shape[: -self.ndim - 1], u.shape[-self.ndim - 1 : -1]
        target = shape if output_shape is None else tuple(output_shape)
        x = u.reshape(-1, *u.shape[-self.ndim - 1 :])
        if self.embedding is not None:
            x = self.embedding(x)
        x = self.lifting(x)
        if self.padding is not None:
            x = self.padding.pad(x)
        for block in self.blocks[:-1]:
            x = self._apply(block, x)
        inner = None if target == shape else target
        if inner is not None and self.padding is not None:
            inner = self.padding.padded_shape(target)
        x = self._apply(self.blocks[-1], x, inner)
        if self.padding is not None:
            x = self.padding.crop(x, target)
        y = self.projection(x)
        return y.reshape(*batch, *y.shape[1:])

    def _apply(
        self, block: FNOBlock, x: Float[Array, "b *space c"], output_shape: tuple[int, ...] | None = None
    ) -> Float[Array, "b *outspace c"]:
        if not self.remat:
            return block(x, output_shape)
        return jax.checkpoint(lambda block, x: block(x, output_shape))(block, x)
