"""What a training step makes smaller: terms by name, and how they are weighed against each other."""

import abc
import dataclasses
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int32

from operators.layers.arguments import is_number

from .balance import Balance
from .component import check
from .problem import Problem
from .residual import FlowResidual

Model = Callable[[Array], Array]
Loss = Callable[[Array, Array], Array]


class Objective(NamedTuple):
    """The loss of a step as the sum of w_i L_i.

    Args:
        terms: (model, inputs, targets, step) -> name -> one value per sample; the model takes physical inputs and
            predicts normalised targets. What is random in a term is a function of the step.
        weights: name -> fixed factor of the term.
        balance: changes the weights while training, or None.
    """

    terms: Callable[[Model, Array, Array, Int32[Array, ""]], dict[str, Array]]
    weights: Mapping[str, float]
    balance: Balance | None = None

    @property
    def metrics(self) -> tuple[str, ...]:
        """Names of what `weigh` reports."""
        if len(self.weights) == 1:
            return ()
        return tuple(f"{kind}_{name}" for kind in ("loss", "weight") for name in self.weights)

    def init(self) -> Any:
        """State of the balance before the first step."""
        return None if self.balance is None else self.balance.init(len(self.weights))

    def weigh(
        self, terms: Mapping[str, Float[Array, ""]], state: Any, step: Int32[Array, ""]
    ) -> tuple[Float[Array, ""], tuple[dict[str, Array], Any]]:
        """The loss of a step, what there is to report of it, and the state of the balance after it."""
        scaled = [factor * terms[name] for name, factor in self.weights.items()]
        shares = jnp.ones(len(scaled))
        if self.balance is not None:
            shares, state = self.balance(state, jax.lax.stop_gradient(jnp.stack(scaled)), step)
            total = jnp.sum(shares * jnp.stack(scaled))
        else:
            total = sum(scaled[1:], start=scaled[0])
        if not self.metrics:
            return total, ({}, state)
        report = {f"loss_{name}": terms[name] for name in self.weights}
        report |= {
            f"weight_{name}": share * self.weights[name] for name, share in zip(self.weights, shares, strict=True)
        }
        return total, (jax.lax.stop_gradient(report), state)


def single(loss: Loss) -> Objective:
    """The objective of one loss of (prediction, target)."""
    return Objective(lambda model, x, y, step: {"loss": loss(model(x), y)}, {"loss": 1.0})


class Physics(abc.ABC):
    """A loss that asks for more than prediction and target: it makes the objective of a run itself."""

    @abc.abstractmethod
    def objective(self, encode: Callable[[Array], Array], decode: Callable[[Array], Array]) -> Objective:
        """The objective of a run.

        Args:
            encode: physical targets -> normalised, which losses compare.
            decode: the inverse; residuals are of physical fields.
        """


@dataclasses.dataclass(frozen=True)
class Sum(Physics):
    """A weighted or balanced sum of losses of the prediction and residuals of the equation behind the data.

    Args:
        problem: what the data say about themselves.
        losses: name -> what makes a loss from `extent` and `periodic`.
        residuals: name -> what makes a residual from `flow` and `extent`, see `FlowResidual`.
        weights: name -> factor of the term, 1 where not named.
        balance: chooses further factors while training; None leaves them at 1.

    Raises:
        ValueError: for a weight of no term or below 0, a term named twice, a balance that is none, or an equation that
            has no such residual.
    """

    problem: Problem
    losses: Mapping[str, Callable[..., Loss]]
    residuals: Mapping[str, Callable[..., FlowResidual]] = dataclasses.field(default_factory=dict)
    weights: Mapping[str, float] = dataclasses.field(default_factory=dict)
    balance: Balance | None = None

    def __post_init__(self) -> None:
        names = [*self.losses, *self.residuals]
        if len(names) != len(set(names)) or not set(self.weights) <= set(names) or len(names) < 2:
            raise ValueError(
                f"loss: got losses {sorted(self.losses)}, residuals {sorted(self.residuals)} and weights "
                f"{sorted(self.weights)}, wanted two terms or more of different names, and weights of some of them"
            )
        for name, weight in self.weights.items():
            check(f"weights.{name}", weight, is_number(weight) and weight >= 0, "a number, 0 or more")
        sound = self.balance is None or isinstance(self.balance, Balance)
        check("balance", self.balance, sound, "one of training.balance, such as SoftAdapt, or null")
        self._make()

    def _make(self) -> tuple[dict[str, Loss], dict[str, FlowResidual]]:
        problem = self.problem
        domain: dict[str, Any] = {"extent": problem.extent} | ({} if problem.periodic else {"periodic": False})
        losses = {name: make(**domain) for name, make in self.losses.items()}
        residuals = {name: make(flow=problem.flow(), extent=problem.extent) for name, make in self.residuals.items()}
        return losses, residuals

    def objective(self, encode: Callable[[Array], Array], decode: Callable[[Array], Array]) -> Objective:
        losses, residuals = self._make()

        def terms(model: Model, x: Array, y: Array, step: Int32[Array, ""]) -> dict[str, Array]:
            del step
            prediction, target = model(x), encode(y)
            found = {name: loss(prediction, target) for name, loss in losses.items()}
            return found | {name: of(lambda u: decode(model(u)), x, y) for name, of in residuals.items()}

        names = [*losses, *residuals]
        return Objective(terms, {name: float(self.weights.get(name, 1.0)) for name in names}, self.balance)
