"""The equations of the unit ball, which differ in their reaction."""

import dataclasses
from typing import ClassVar

import jax.numpy as jnp
from jaxtyping import Array, Float

from .ball import BallProblem


@dataclasses.dataclass(frozen=True)
class BallPoisson(BallProblem):
    """Lap u = f, see `BallProblem`."""

    name: ClassVar[str] = "hd_poisson"

    @staticmethod
    def reaction(u: Float[Array, "*b"]) -> Float[Array, "*b"]:
        """None."""
        return jnp.zeros_like(u)


@dataclasses.dataclass(frozen=True)
class BallAllenCahn(BallProblem):
    """Lap u + u - u^3 = f, see `BallProblem`."""

    name: ClassVar[str] = "hd_allen_cahn"

    @staticmethod
    def reaction(u: Float[Array, "*b"]) -> Float[Array, "*b"]:
        """u - u^3."""
        return u - u**3


@dataclasses.dataclass(frozen=True)
class BallSineGordon(BallProblem):
    """Lap u + sin u = f, see `BallProblem`."""

    name: ClassVar[str] = "hd_sine_gordon"

    @staticmethod
    def reaction(u: Float[Array, "*b"]) -> Float[Array, "*b"]:
        """sin u."""
        return jnp.sin(u)
