"""Estimates of a sum over dimensions from the pieces along a few random directions, the same for all points.

Each is called with (key, dims, total), where total maps directions [v, dims] to the sum of their pieces, and returns an
estimate of the sum over all dimensions. Its expectation is that sum.
"""

import abc
import dataclasses
from collections.abc import Callable

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from operators.layers.arguments import whole

Total = Callable[[Float[Array, "v d"]], Float[Array, "*b"]]


@dataclasses.dataclass(frozen=True)
class Directions(abc.ABC):
    """How many directions, and which.

    Args:
        count: directions of a step, or of one portion of them.

    Raises:
        ValueError: for a count that is no whole number above 0.
    """

    count: int = 16

    def __post_init__(self) -> None:
        whole("count", self.count)

    @abc.abstractmethod
    def __call__(self, key: Array, dims: int, total: Total) -> Float[Array, "*b"]:
        """The estimate."""


@dataclasses.dataclass(frozen=True)
class Coordinates(Directions):
    """d / |I| times the sum over a random set I of `count` different dimensions.

    Source: Hu et al., "Tackling the curse of dimensionality with physics-informed neural networks" (arXiv 2307.12306).
    """

    def __call__(self, key: Array, dims: int, total: Total) -> Float[Array, "*b"]:
        """Raises ValueError where there are fewer dimensions."""
        if self.count > dims:
            raise ValueError(f"count: got {self.count} of {dims} dimensions, wanted at most so many; set count={dims}")
        chosen = jax.random.choice(key, dims, (self.count,), replace=False)
        return dims / self.count * total(jax.nn.one_hot(chosen, dims, dtype=jnp.float32))


@dataclasses.dataclass(frozen=True)
class Rademacher(Directions):
    """The mean over `count` random sign vectors v, E[v v^T] = 1: Hutchinson's estimate of a trace.

    Its variance comes from the off-diagonal second derivatives, that of `Coordinates` from unequal diagonal ones.

    Source: Hu et al., "Hutchinson trace estimation for high-dimensional and high-order physics-informed neural
        networks" (arXiv 2312.14499), with 16 vectors.
    """

    def __call__(self, key: Array, dims: int, total: Total) -> Float[Array, "*b"]:
        """Any number of dimensions."""
        return total(jax.random.rademacher(key, (self.count, dims), jnp.float32)) / self.count


@dataclasses.dataclass(frozen=True)
class Every(Directions):
    """The sum over all dimensions, without chance, `count` of them at a time: exact, and d times the cost."""

    def __call__(self, key: Array, dims: int, total: Total) -> Float[Array, "*b"]:
        """The key is not used."""
        del key
        # Rows past the last dimension are zero vectors, along which every piece is zero.
        portions = -(-dims // self.count)
        sums = jax.lax.map(
            lambda first: total(jax.nn.one_hot(first + jnp.arange(self.count), dims, dtype=jnp.float32)),
            self.count * jnp.arange(portions),
        )
        return jnp.sum(sums, axis=0)
