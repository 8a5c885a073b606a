"""The space-time Fourier neural operator: a window of snapshots -> the snapshots that follow it."""

from collections.abc import Callable, Sequence

import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float

from .base import Operator
from .layers.activations import as_activation
from .layers.arguments import choice, points, random_streams, refusal, whole, width
from .layers.batches import flatten
from .layers.compat import TORCH_CFD
from .layers.linear import Linear
from .layers.modes import as_modes
from .layers.space_time_block import SpaceTimeBlock, SpaceTimeLifting
from .layers.space_time_embedding import SpaceTimeEmbedding, has_grid
from .layers.space_time_output import OutputOperator


class STFNO(Operator):
    """u_1 .. u_l -> u_(l+1) .. u_(l+n):  v = R . B_(L-1) . ... . B_1 . P (u),   u_(l+m) = Q(v, u_l)(t_m).

    P lifts the snapshots to T latent steps of `hidden_channels` (`SpaceTimeLifting`), every block B transforms space
    and time together (`SpaceTimeBlock`), R is a linear map of the channels to one latent field, and Q, linear in its
    modes, adds to the last snapshot what is sampled at any number of times (`OutputOperator`). What a refiner freezes
    are v and u_l (`latent`); what it changes is Q (`output`), also with more modes (`OutputOperator.enlarged`).

    Snapshots are channels, those of a field neighbours, as in a data set: channel c l + i is snapshot i of field c.

    Args:
        n_modes: modes per axis, both signs counted, time last (it keeps n//2 + 1): two or three numbers, for one or two
            spatial axes.
        in_channels: fields times snapshots in. May be set anew: no parameter depends on it.
        out_channels: fields times snapshots out; likewise.
        hidden_channels: width, a multiple of the fields.
        fields: fields of a snapshot.
        n_layers: L, the lifting counted in.
        latent_steps: T.
        channel_mlp_expansion: hidden width of the MLPs over hidden_channels.
        non_linearity: see `FNO`.
        positional_embedding: "grid" adds functions of place and time; None of time alone, so that a shift in space of
            the input shifts the output: for flows without a place of their own, such as decaying turbulence.
        interval: time between two snapshots of the input; see `SpaceTimeEmbedding`.
        horizon: time in which the slowest function of time makes half a wave, by default 100 intervals.
        beta: rate of growth of the functions of time.
        delta: see `OutputOperator`.
        extent: sides of the box; the increments of a velocity are then solenoidal, see `OutputOperator`.
        compat: "torch_cfd" for the numerics of the published code: coordinates that include both ends, times counted
            from 1, inverse transforms that scale with the number of points (so the size of the increments depends on
            n), and zeros in front of the output that do not grow with n.
        rngs: random streams.

    Raises:
        ValueError: for counts that make no operator; when called, for other channels than `in_channels`.

    Accuracy:
        Outputs at n and 2 n times agree at the common ones: they sample one function over the time of `out_channels`
        snapshots, which is what the operator has been trained on. Grids agree up to the tail of the spectrum, which the
        activations alias. Time is no periodic axis; the network learns around the ends of its window.

    Source: Cao, Brarda, Li and Xia, Spectral-Refiner, 2025 (arXiv 2405.17211), `SFNO` of its code. There W starts
        uniform on [0, 0.5 / (in out)), here with the variance of its input (`SpectralConv`). Left out: random features
        of space.
    """

    def __init__(
        self,
        n_modes: Sequence[int],
        in_channels: int,
        out_channels: int,
        hidden_channels: int,
        *,
        fields: int = 1,
        n_layers: int = 4,
        latent_steps: int = 10,
        channel_mlp_expansion: int | float = 4,
        non_linearity: str | Callable = "gelu",
        positional_embedding: str | None = "grid",
        interval: float = 0.01,
        horizon: float | None = None,
        beta: float = -1e-2,
        delta: float = 0.1,
        extent: Sequence[float] | None = None,
        compat: str | None = None,
        rngs: nnx.Rngs,
    ) -> None:
        self.compat = choice("compat", compat, (None, TORCH_CFD), "None is the numerics of this library")
        modes = as_modes(n_modes)
        if len(modes) < 2:
            wanted = "modes of one or two spatial axes and of time"
            raise refusal("n_modes", n_modes, wanted, "such as n_modes=(16, 16, 9)")
        self.ndim = len(modes) - 1
        self.fields, hidden = whole("fields", fields), whole("hidden_channels", hidden_channels)
        self.in_channels, self.out_channels = whole("in_channels", in_channels), whole("out_channels", out_channels)
        for name in ("in_channels", "out_channels", "hidden_channels"):
            value = {"hidden_channels": hidden}.get(name) or getattr(self, name)
            if value % fields:
                raise refusal(name, value, f"a multiple of fields={fields}", "give every field as many")
        shared = {
            "hidden": width("channel_mlp_expansion", channel_mlp_expansion, hidden),
            "non_linearity": as_activation(non_linearity),
            "rngs": random_streams(rngs),
        }
        embedding = SpaceTimeEmbedding(
            hidden,
            self.ndim,
            grid=has_grid(positional_embedding),
            interval=interval,
            horizon=horizon,
            beta=beta,
            compat=self.compat,
        )
        steps = whole("latent_steps", latent_steps)
        self.lifting = SpaceTimeLifting(fields, hidden, modes, steps, embedding=embedding, **shared)
        blocks = range(whole("n_layers", n_layers, least=2) - 1)
        self.blocks = nnx.List([SpaceTimeBlock(hidden, modes, **shared) for _ in blocks])
        self.reduction = Linear(hidden, fields, rngs=rngs)
        self.output = OutputOperator(modes, fields=fields, delta=delta, extent=extent, compat=self.compat, rngs=rngs)

    def __call__(
        self,
        u: Float[Array, "*b_space ci"],
        output_shape: tuple[int, ...] | None = None,
        out_steps: int | None = None,
    ) -> Float[Array, "*b_outspace co"]:
        """The snapshots that follow; see `Operator.__call__`. Another `output_shape` is produced by Q.

        Args:
            u: snapshots [*b, *space, in_channels].
            output_shape: spatial grid of the output, by default that of the input.
            out_steps: n, by default out_channels / fields.
        """
        v, last = self.latent(u)
        batch, shape = u.shape[: -self.ndim - 1], u.shape[-self.ndim - 1 : -1]
        n = self.out_channels // self.fields if out_steps is None else whole("out_steps", out_steps)
        target = shape if output_shape is None else points("output_shape", output_shape, self.ndim)
        v, last = (a.reshape(-1, *a.shape[len(batch) :]) for a in (v, last))
        y = jnp.swapaxes(self.output(v, last, n, target), -1, -2)  # the steps of a field are neighbours
        return y.reshape(*batch, *target, -1)

    def latent(self, u: Float[Array, "*b_space ci"]) -> tuple[Float[Array, "*b_space_t f"], Float[Array, "*b_space f"]]:
        """What Q is applied to.

        Returns:
            The latent steps v, [*b, *space, T, fields], and the last snapshot, [*b, *space, fields].
        """
        x = flatten(u, self.ndim, self.in_channels)
        x = jnp.swapaxes(x.reshape(*x.shape[:-1], self.fields, -1), -1, -2)
        v = self.lifting(x)
        for block in self.blocks:
            v = block(v)
        v, last = self.reduction(v), x[..., -1, :]
        batch = u.shape[: -self.ndim - 1]
        return v.reshape(*batch, *v.shape[1:]), last.reshape(*batch, *last.shape[1:])

    def mode_grids(self, shape: tuple[int, ...]) -> list[tuple[str, tuple[int, ...], tuple[int, ...]]]:
        """See `Operator.mode_grids`: the modes of space; those of time that a short window has not are not used.

        The published models train on 2 (n//2) points, with modes up to the Nyquist frequency: so may those with compat.
        """
        modes = self.output.n_modes[:-1]
        if self.compat:
            modes = tuple(min(n, size - 1) if n == size else n for n, size in zip(modes, shape, strict=True))
        return [("n_modes", modes, shape)]
