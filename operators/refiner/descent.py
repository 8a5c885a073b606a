"""Optimisers of a refinement that go along gradients."""

import dataclasses
from collections.abc import Callable
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array

from ..layers.arguments import number, refusal, whole
from .flow import check_positive
from .stopping import Descent, Stopping

Part = Callable[[Any], Array]


@dataclasses.dataclass(frozen=True)
class Adam:
    """Adam with a learning rate that falls to zero as a cosine over all steps.

    All are taken unless a floor is reached: a stall on the way only says that the learning rate is still high.

    Args:
        steps: at most.
        learning_rate: at the start, in the size of the first residual (`Sources`); of an output map's own parameters
            where those are refined.
        b1: memory of the gradient.
        b2: memory of its square. Short, for the gradient falls by orders of magnitude: with 0.999 the steps of the end
            are divided by gradients of the beginning, and the error left is six times larger.

    Raises:
        ValueError: for steps that are no whole number >= 0, a learning rate that is not positive, memories outside of
            0 to 1.

    Source:
        Kingma and Ba 2015; two hundred steps as in the Spectral-Refiner (Cao et al. 2025).
    """

    stalls: ClassVar[bool] = False

    steps: int = 200
    learning_rate: float = 0.2
    b1: float = 0.9
    b2: float = 0.9

    def __post_init__(self) -> None:
        whole("steps", self.steps, 0)
        check_positive("learning_rate", self.learning_rate, "a learning rate", "such as learning_rate=0.2")
        for name, memory in (("b1", self.b1), ("b2", self.b2)):
            if number(name, memory) >= 1:
                raise refusal(name, memory, "a number of 0 to below 1", f"such as {name}=0.9")

    def transformation(self) -> optax.GradientTransformation:
        schedule = optax.cosine_decay_schedule(self.learning_rate, max(self.steps, 1))
        return optax.adam(schedule, b1=self.b1, b2=self.b2)


@dataclasses.dataclass(frozen=True)
class LBFGS:
    """Limited-memory BFGS with a line search: the estimate never rises; a step takes some evaluations.

    Args:
        steps: at most.
        memory: pairs of steps and gradients that are kept.

    Raises:
        ValueError: for steps that are no whole number >= 0, a memory that is none >= 1.

    Source:
        Nocedal and Wright 2006, algorithms 7.4, 3.5 and 3.6, as optax has them.
    """

    stalls: ClassVar[bool] = True

    steps: int = 50
    memory: int = 20

    def __post_init__(self) -> None:
        whole("steps", self.steps, 0)
        whole("memory", self.memory)

    def transformation(self) -> optax.GradientTransformationExtraArgs:
        return optax.lbfgs(memory_size=self.memory)


def descend(
    loss: Part, start: Any, optimizer: Adam | LBFGS, stopping: Stopping, total: Part = lambda part: part
) -> Descent:
    """Least relative estimate along the steps of an optimiser.

    Args:
        loss: unknowns -> its square, or the part of it that this device has.
        start: tree of real arrays.
        optimizer: `Adam` or `LBFGS`.
        stopping: when to end before all steps are taken.
        total: sum over devices.
    """
    transformation = optax.with_extra_args_support(optimizer.transformation())
    value_and_grad = jax.value_and_grad(loss)
    searches = isinstance(optimizer, LBFGS)

    def step(carry: tuple) -> tuple:
        """Notes the loss of the unknowns as they are after `taken` steps, and takes another."""
        unknowns, best, history, taken, inner, measured, _ = carry
        # A line search has measured where it ended. Otherwise this is the only gradient that is compiled.
        value, gradient = measured if searches else value_and_grad(unknowns)
        estimate = jnp.sqrt(total(value))
        better = estimate < jnp.min(jnp.where(jnp.isnan(history), jnp.inf, history))
        best = jax.tree.map(lambda new, old: jnp.where(better, new, old), unknowns, best)
        history = history.at[taken].set(estimate)
        reason = stopping.reason(history, taken, optimizer.steps, optimizer.stalls)
        updates, inner = transformation.update(gradient, inner, unknowns, value=value, grad=gradient, value_fn=loss)
        measured = (optax.tree.get(inner, "value"), optax.tree.get(inner, "grad")) if searches else None
        return optax.apply_updates(unknowns, updates), best, history, taken + 1, inner, measured, reason

    history = jnp.full(optimizer.steps + 1, jnp.nan, jax.tree.leaves(start)[0].dtype)
    measured = value_and_grad(start) if searches else None
    carry = (start, start, history, jnp.zeros((), int), transformation.init(start), measured, jnp.full((), -1))
    _, best, history, taken, *_, reason = jax.lax.while_loop(lambda c: c[-1] < 0, step, carry)
    return Descent(best, history, taken - 1, reason)
