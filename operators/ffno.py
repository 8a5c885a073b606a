"""The factorised Fourier neural operator."""

from collections.abc import Callable, Sequence

import jax
from flax import nnx
from jaxtyping import Array, Float

from .base import Operator
from .layers.activations import as_activation
from .layers.arguments import flag, number, random_streams, whole, width
from .layers.axis_conv import AxisConv
from .layers.batches import flatten
from .layers.channel_mlp import ChannelMLP
from .layers.entry import make_entry
from .layers.grid_plan import plan_grids
from .layers.linear import Linear
from .layers.modes import as_modes
from .layers.norms import LayerNorm
from .layers.resample import resample


class FFNO(Operator):
    """Factorised Fourier neural operator: x_0 = P (u, coordinates), x_{l+1} = x_l + N(MLP_l(K_l x_l)), v = Q x_L.

    K_l transforms along one axis at a time and sums (`AxisConv`), MLP_l is pointwise, N is a norm over channels or
    nothing. The residual comes after the MLP, and nothing stands on its way, so that deep operators train: 24 layers
    in the paper. P is one linear layer, Q two without an activation in between.

    Args:
        n_modes: modes per axis, both signs counted (every axis keeps frequencies 0 .. n//2); its length is the number
            of axes.
        in_channels: channels of the input, coordinates not counted.
        out_channels: channels of the output.
        hidden_channels: width of the layers.
        n_layers: number of layers.
        share_weight: one set of Fourier weights for all layers.
        factor: hidden width of MLP_l over hidden_channels.
        projection_channels: width between the two layers of Q.
        non_linearity: activation of MLP_l: "relu", "gelu", "silu", "tanh", or a function.
        layer_norm: whether N is there.
        weight_norm: lengths and directions of the pointwise layers are separate parameters, see `Linear`.
        gain: factor on the initial Fourier weights; the paper's deep operators with shared weights have 0.1.
        positional_embedding: "grid" appends the coordinates in [0, 1) of every axis to the input; None does not.
        domain_padding: share of every axis to add as zeros around the lifted input, for functions that are not
            periodic; one number or one per axis.
        domain_padding_mode: "symmetric" pads both ends, "one-sided" the far end.
        remat: recompute every layer in the backward pass, so that only their inputs are kept.
        rngs: random streams.

    Raises:
        ValueError: for counts, widths or names that make no operator; the message says what was wanted.

    Accuracy:
        K_l is exact under a change of grid; the activations alias, so two grids agree up to the tail of the spectrum.

    Source: Tran, Mathews, Xie and Ong, Factorized Fourier Neural Operators, ICLR 2023, and its published code. Theirs
        has Q read the last layer's MLP alone where this one has it read the sum, and pads by eight points; its training
        with noise and from step to step is no part of the operator.
    """

    def __init__(
        self,
        n_modes: int | Sequence[int],
        in_channels: int,
        out_channels: int,
        hidden_channels: int,
        *,
        n_layers: int = 4,
        share_weight: bool = False,
        factor: int = 2,
        projection_channels: int = 128,
        non_linearity: str | Callable = "relu",
        layer_norm: bool = False,
        weight_norm: bool = False,
        gain: float = 1.0,
        positional_embedding: str | None = "grid",
        domain_padding: int | float | Sequence[int | float] | None = None,
        domain_padding_mode: str = "symmetric",
        remat: bool = False,
        rngs: nnx.Rngs,
    ) -> None:
        self.n_modes = as_modes(n_modes)
        self.ndim = len(self.n_modes)
        self.in_channels, self.out_channels = whole("in_channels", in_channels), whole("out_channels", out_channels)
        self.hidden_channels = hidden_channels = whole("hidden_channels", hidden_channels)
        self.remat, n_layers = flag("remat", remat), whole("n_layers", n_layers)
        projection_channels, gain = whole("projection_channels", projection_channels), number("gain", gain)
        n_convs = 1 if flag("share_weight", share_weight) else n_layers
        self.embedding, self.padding, lifted = make_entry(
            self.in_channels,
            self.ndim,
            positional_embedding=positional_embedding,
            domain_padding=domain_padding,
            domain_padding_mode=domain_padding_mode,
        )
        of_linear = {"weight_norm": flag("weight_norm", weight_norm), "rngs": random_streams(rngs)}
        self.lifting = Linear(lifted, hidden_channels, **of_linear)
        self.convs = nnx.List([AxisConv(hidden_channels, self.n_modes, gain=gain, rngs=rngs) for _ in range(n_convs)])
        sigma, hidden = as_activation(non_linearity), width("factor", factor, hidden_channels)
        self.mlps = nnx.List(
            [
                ChannelMLP(hidden_channels, hidden_channels, hidden, non_linearity=sigma, **of_linear)
                for _ in range(n_layers)
            ]
        )
        has_norms = flag("layer_norm", layer_norm)
        self.norms = nnx.List([LayerNorm(hidden_channels) for _ in range(n_layers)]) if has_norms else None
        self.projection = nnx.List(
            [
                Linear(hidden_channels, projection_channels, **of_linear),
                Linear(projection_channels, out_channels, **of_linear),
            ]
        )

    def __call__(
        self, u: Float[Array, "*b_space ci"], output_shape: tuple[int, ...] | None = None
    ) -> Float[Array, "*b_outspace co"]:
        """Apply the operator; see `Operator.__call__`.

        Another `output_shape` is that of the last layer, whose input is carried there by signed frequency.
        """
        x = flatten(u, self.ndim, self.in_channels)
        batch, shape = u.shape[: -self.ndim - 1], x.shape[1:-1]
        grids = plan_grids(shape, ((1.0,) * self.ndim,), self.padding, output_shape)
        x = self.lifting(x if self.embedding is None else self.embedding(x))
        if self.padding is not None:
            x = self.padding.pad(x)
        run = jax.checkpoint(_layer) if self.remat else _layer
        for layer, mlp in enumerate(self.mlps):
            if layer == len(self.mlps) - 1:
                x = resample(x, grids.inner[-1])
            conv = self.convs[layer % len(self.convs)]
            x = x + run(conv, mlp, None if self.norms is None else self.norms[layer], x)
        x = grids.crop(x)
        for linear in self.projection:
            x = linear(x)
        return x.reshape(*batch, *x.shape[1:])


def _layer(
    conv: AxisConv, mlp: ChannelMLP, norm: LayerNorm | None, x: Float[Array, "b *space c"]
) -> Float[Array, "b *space c"]:
    y = mlp(conv(x))
    return y if norm is None else norm(y)
