"""A network that is itself the solution of an equation: a function of the point."""

import itertools
from collections.abc import Callable

import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float

from .base import Operator
from .layers.arguments import refusal, whole
from .layers.linear import Linear

Constraint = Callable[[Float[Array, "*b d"], Float[Array, "*b 1"]], Float[Array, "*b 1"]]


class PointNetwork(Operator):
    """x -> c(x, W_n tanh(... tanh(W_1 x + b_1)) + b_n), with a function c that holds the boundary values exactly.

    The channels of its input are the coordinates of the points, its output is the solution there. It goes through a run
    like an operator, but maps no functions: the points of a "grid" do not know of each other, and there is nothing to
    put on another grid. That is why it is not among `operators.__all__`.

    Args:
        in_channels: coordinates of a point.
        out_channels: components of the solution.
        hidden_channels: width.
        n_layers: linear layers, at least 2.
        constraint: c, of points and network values, such as `pdes.high_dimensional.UnitBall`; None for the network's
            own values.
        rngs: random streams.

    Raises:
        ValueError: for sizes that are no whole numbers or too small.

    Source: Hu et al. (arXiv 2307.12306), section 5: four layers of 128, tanh, the factor 1 - |x|^2.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        hidden_channels: int = 128,
        *,
        n_layers: int = 4,
        constraint: Constraint | None = None,
        rngs: nnx.Rngs,
    ) -> None:
        self.in_channels, self.out_channels = whole("in_channels", in_channels), whole("out_channels", out_channels)
        self.ndim = 1
        inner = [whole("hidden_channels", hidden_channels)] * (whole("n_layers", n_layers, least=2) - 1)
        self.constraint = constraint
        sizes = itertools.pairwise((in_channels, *inner, out_channels))
        self.fcs = nnx.List([Linear(i, o, rngs=rngs) for i, o in sizes])

    def __call__(
        self, u: Float[Array, "*b n d"], output_shape: tuple[int, ...] | None = None
    ) -> Float[Array, "*b n co"]:
        """The solution at points.

        Args:
            u: points, [*b, n, in_channels].
            output_shape: (n,) or None.

        Raises:
            ValueError: for another number of points.
        """
        if output_shape is not None and tuple(output_shape) != u.shape[-2:-1]:
            raise refusal(
                "output_shape", output_shape, f"{u.shape[-2:-1]} as in the input", "give the points themselves"
            )
        *inner, last = self.fcs
        v = u
        for layer in inner:
            v = jnp.tanh(layer(v))
        v = last(v)
        return v if self.constraint is None else self.constraint(u, v)
