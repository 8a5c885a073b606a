"""States between two known ones, by an operator that is told the time."""

import inspect
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jax.core import Tracer
from jaxtyping import Array, Float

from .base import Operator
from .layers.arguments import points, random_streams, refusal, whole
from .layers.batches import flatten
from .layers.inner import make_inner
from .layers.resample import resample


class Interpolation(Operator):
    """(u(0), u(1)) -> (v(t_1), .., v(t_N)), every one by the same operator f of both states and of its time.

    order 0: v(t) = f(u(0), u(1), t),    order 1: v(t) = (1 - t) u(0) + t u(1) + f(u(0), u(1), t)

    Channels are `fields` times frames, the frames of the first field first, as data sets have them; with order 1 set
    data.normalize_inputs and data.normalize_targets to `field`, one unit for all times, or to null. The parameters are
    those of f for any number of times, and a trained one may be asked for times that it has not seen.

    Args:
        in_channels: two for every field: its first and last state.
        out_channels: fields times times between them.
        network: makes f: called with `in_channels`, `out_channels` (the fields) and `rngs`, and called as
            f(u, output_shape, time), such as `ModAFNO`.
        order: as above.
        fields: of one frame.
        times: of the outputs, between 0 and 1, a list; None for (1, .., N) / (N + 1). The network gets them in its own
            unit, as shares of its `max_time`.
        rngs: random streams.

    Raises:
        ValueError: for channels that are not two frames in, or no whole number of frames out, times that are not as
            many, or a network that takes no time.

    Source: Leinonen et al., Modulated Adaptive Fourier Neural Operators, 2024 (arXiv 2410.18904), where order is 0 and
        the states are those of the weather.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        *,
        network: Callable[..., Operator],
        order: int = 0,
        fields: int = 1,
        times: Sequence[float] | None = None,
        rngs: nnx.Rngs,
    ) -> None:
        self.in_channels, self.out_channels = whole("in_channels", in_channels), whole("out_channels", out_channels)
        self.fields, self.order = whole("fields", fields), whole("order", order, least=0)
        if self.order > 1:
            raise refusal("order", order, "0 or 1", "choose one of them")
        if in_channels != 2 * fields or out_channels % fields:
            wanted = f"half of {in_channels} input channels, a divisor of {out_channels} output channels"
            raise refusal("fields", fields, wanted, "give every field two input times and the same target times")
        count = out_channels // fields
        found = np.arange(1, count + 1) / (count + 1) if times is None else between(times)
        if len(found) != count:
            raise refusal("times", times, f"{count} numbers from 0 to 1", "one for every target time of a field")
        self.times = tuple(map(float, found))
        arguments = {"in_channels": self.in_channels, "out_channels": fields, "rngs": random_streams(rngs)}
        self.network: Any = make_inner("network", network, **arguments)
        if "time" not in inspect.signature(type(self.network).__call__).parameters:
            raise refusal("network", type(self.network).__name__, "an operator that takes a time", "such as ModAFNO")
        self.ndim = self.network.ndim

    def __call__(
        self,
        u: Float[Array, "*b_space ci"],
        output_shape: tuple[int, ...] | None = None,
        times: Sequence[float] | Float[Array, "t"] | None = None,
    ) -> Float[Array, "*b_outspace co"]:
        """Apply the operator; see `Operator.__call__`.

        Args:
            u: both states [*b, *space, in_channels].
            output_shape: grid of the output, by default that of the input.
            times: of the outputs, a list of numbers from 0 to 1, by default those it was made with.

        Raises:
            ValueError: for times that are no such list.
        """
        x = flatten(u, self.ndim, self.in_channels)
        shape = x.shape[1:-1] if output_shape is None else points("output_shape", output_shape, self.ndim)
        asked = jnp.asarray(between(self.times if times is None else times), x.dtype)
        # Every time of a sample is a sample.
        x, t = jnp.repeat(x, len(asked), axis=0), jnp.tile(asked, len(x))
        v = self.network(x, time=t * getattr(self.network, "max_time", 1.0))
        if self.order:
            frames, t = x.reshape(*x.shape[:-1], self.fields, 2), t.reshape(-1, *[1] * (self.ndim + 1))
            v += (1 - t) * frames[..., 0] + t * frames[..., 1]
        v = resample(v, shape).reshape(-1, len(asked), *shape, self.fields)
        return jnp.moveaxis(v, 1, -1).reshape(*u.shape[: -self.ndim - 1], *shape, -1)

    def check_grid(self, shape: tuple[int, ...]) -> None:
        """See `Operator.check_grid`."""
        self.network.check_grid(shape)

    def mode_grids(self, shape: tuple[int, ...]) -> list[tuple[str, tuple[int, ...], tuple[int, ...]]]:
        """See `Operator.mode_grids`."""
        return self.network.mode_grids(shape)


def between(times: Any) -> Any:
    """An array of times between two states; of traced ones the values are not known and not looked at.

    Raises:
        ValueError: for all but a list of one or more numbers from 0 to 1.
    """
    traced = any(isinstance(t, Tracer) for t in jax.tree.leaves(times))
    try:
        found = jnp.asarray(times) if traced else np.asarray(times)
    except (TypeError, ValueError):
        found = np.asarray(None)
    real = jnp.issubdtype(found.dtype, np.floating) or jnp.issubdtype(found.dtype, np.integer)
    if not real or found.ndim != 1 or not found.size or not (traced or np.all((found >= 0) & (found <= 1))):
        raise refusal("times", times, "a list of one or more numbers from 0 to 1", "such as times=(0.25, 0.5)")
    return found
