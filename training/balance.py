"""Weights of the terms of a loss that follow how quickly each of them falls.

A balance is called with the terms of a step, which it never differentiates, and its own state, a part of the training
state, so that a resumed run weighs the same terms the same way. Step 0 takes the plain sum.
"""

import abc
import dataclasses
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int32

from operators.layers.arguments import is_number, whole_number

from .component import check


class Balance(abc.ABC):
    """Chooses the weights of m terms."""

    @abc.abstractmethod
    def init(self, count: int) -> Any:
        """The state before the first step, for `count` terms."""

    @abc.abstractmethod
    def __call__(self, state: Any, terms: Float[Array, "m"], step: Int32[Array, ""]) -> tuple[Float[Array, "m"], Any]:
        """Weights for the terms of a step, the mean over which is 1, and the state after it."""


class Lookback(NamedTuple):
    """Terms of step 0, terms of the step before, and its weights."""

    initial: Float[Array, "m"]
    previous: Float[Array, "m"]
    weights: Float[Array, "m"]


@dataclasses.dataclass(frozen=True)
class ReLoBRaLo(Balance):
    """Relative loss balancing with random lookback.

        hat(t, s) = m softmax_i( L_i(t) / (tau L_i(s) + eps) )
        weights(t) = alpha (rho weights(t-1) + (1 - rho) hat(t, 0)) + (1 - alpha) hat(t, t-1),    rho ~ Bernoulli(beta)

    A term that falls more slowly than the others weighs more. rho is a function of (seed, t).

    Args:
        alpha: inertia of the weights.
        beta: probability of keeping the last weights; otherwise they are measured from step 0.
        tau: temperature; large ones make the weights equal.
        eps: keeps the ratios finite.
        seed: of the lookback.

    Source: Bischof and Kraus 2021 (arXiv 2110.09813), defaults of the neuraloperator library.
    """

    alpha: float = 0.95
    beta: float = 0.99
    tau: float = 1.0
    eps: float = 1e-8
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("alpha", "beta"):
            value = getattr(self, name)
            check(name, value, is_number(value) and 0 <= value <= 1, "a number in [0, 1]")
        for name in ("tau", "eps"):
            value = getattr(self, name)
            check(name, value, is_number(value) and value > 0, "a positive number")
        seeds = whole_number(self.seed) is not None and 0 <= self.seed < 2**32
        check("seed", self.seed, seeds, "a whole number in [0, 2^32)")

    def init(self, count: int) -> Lookback:
        return Lookback(jnp.ones(count), jnp.ones(count), jnp.ones(count))

    def __call__(
        self, state: Lookback, terms: Float[Array, "m"], step: Int32[Array, ""]
    ) -> tuple[Float[Array, "m"], Lookback]:
        first = step == 0
        initial = jnp.where(first, terms, state.initial)
        kept = jax.random.bernoulli(jax.random.fold_in(jax.random.key(self.seed), step), self.beta)
        lookback = jnp.where(kept, state.weights, _shares(terms, self.tau * initial + self.eps))
        recent = _shares(terms, self.tau * state.previous + self.eps)
        weights = jnp.where(first, 1.0, self.alpha * lookback + (1 - self.alpha) * recent)
        return weights, Lookback(initial, terms, weights)


@dataclasses.dataclass(frozen=True)
class SoftAdapt(Balance):
    """weights(t) = m softmax_i( L_i(t) / (L_i(t-1) + eps) ): more weight to a term that has just grown.

    Args:
        eps: keeps the ratios finite.

    Source: Heydari et al. 2019 (arXiv 1912.12355), in the form of the neuraloperator library.
    """

    eps: float = 1e-8

    def __post_init__(self) -> None:
        check("eps", self.eps, is_number(self.eps) and self.eps > 0, "a positive number")

    def init(self, count: int) -> Float[Array, "m"]:
        return jnp.ones(count)

    def __call__(
        self, state: Float[Array, "m"], terms: Float[Array, "m"], step: Int32[Array, ""]
    ) -> tuple[Float[Array, "m"], Float[Array, "m"]]:
        return jnp.where(step == 0, 1.0, _shares(terms, state + self.eps)), terms


def _shares(terms: Float[Array, "m"], scales: Float[Array, "m"]) -> Float[Array, "m"]:
    """m softmax(L / scale)."""
    return len(terms) * jax.nn.softmax(terms / scales)
