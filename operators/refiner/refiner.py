"""Predictions of any operator, taken to the accuracy of a solver."""

import dataclasses
import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Complex, Float, Int

from spectral.filters import resize

from .descent import LBFGS, Adam, descend
from .estimator import Estimator, Residual
from .flow import count_fields
from .newton import Newton
from .shooting import Shooting
from .sources import Sources
from .stopping import Descent, Stopping

# [b, *space, c]; NumPy on the way in.
Fields = Float[Array | np.ndarray, "b ..."]


class Refined(NamedTuple):
    """A refined batch of trajectories.

    Args:
        trajectory: [b, *space, c], as the prediction was given.
        before: relative estimate of the prediction: 0 for a solution, 1 for the last input held.
        after: of the trajectory; never larger.
        history: of every step on the way, NaN after the end.
        steps: taken.
        reason: why they ended, index into `stopping.REASONS`.
        parameters: of the output map, one set per sample, where that was refined; otherwise None.
    """

    trajectory: Float[Array, "b ..."]
    before: Float[Array, "b"]
    after: Float[Array, "b"]
    history: Float[Array, "b s"]
    steps: Int[Array, "b"]
    reason: Int[Array, "b"]
    parameters: Any = None


@dataclasses.dataclass(frozen=True, eq=False)
class Refiner:
    """Changes the outputs of a prediction until they satisfy the equation from the last input on.

        minimise eta(u) / eta(persistence)  over the outputs u_1 .. u_t,    eta the `Estimator` of the residual

    No truth is needed. Every sample of a batch is refined by itself. Fields are channels last: channels are snapshots,
    [b, *space, t], of several fields one after the other ([b, *space, field * t], all times of the first, then of the
    second), which is the order of the data sets' channels. Where their grid is not that of the equation, only the modes
    that both have are changed; a mean that its states do not have, as that of a vorticity, becomes the one of the last
    input, and a Nyquist mode that they do not have becomes zero, as in the solver's own fields. Zero steps return the
    prediction, bit for bit.

    Args:
        residual: `Differences` (cheap, as exact as its differences) or `Shooting` (as exact as the solver in it).
        optimizer: `Adam`, `LBFGS`, or `Newton` with `Shooting`.
        stopping: when to end before all steps are taken.
        order: s of the norm, by default the residual's.
        axis: mesh axis that outputs are spread over; set by `time_parallel`.

    Raises:
        ValueError: for Newton with another residual than `Shooting`; at the call, for shapes that do not fit together.

    Accuracy:
        On decaying turbulence with 40 % error, 200 steps of Adam leave 0.3 % (differences of order 6), 0.1 % (shooting
        in one step of CN-RK4) and 0.02 % (in two), in float32 as in float64.

    Source:
        Cao et al. 2025 (arXiv 2405.17211): an operator's output refined in a dual norm of the residual. Their residual,
        which every trajectory satisfies (`SolverStep`), is replaced; so is the output layer as the unknown, which holds
        12 frequencies in time: `refine_output` still takes it.
    """

    residual: Residual
    optimizer: Adam | LBFGS | Newton = dataclasses.field(default_factory=Adam)
    stopping: Stopping = dataclasses.field(default_factory=Stopping)
    order: float | int | None = None
    axis: str | None = None

    def __post_init__(self) -> None:
        if isinstance(self.optimizer, Newton) and not isinstance(self.residual, Shooting):
            raise ValueError(
                f"optimizer: got Newton for {type(self.residual).__name__}, wanted it with Shooting, whose tangents it "
                "sweeps; take Adam or LBFGS"
            )
        if self.axis is not None and not isinstance(self.optimizer, Adam):
            raise ValueError(
                f"optimizer: got {type(self.optimizer).__name__} over mesh axis {self.axis!r}, wanted Adam, whose "
                "steps need no sums over the outputs"
            )

    def __call__(self, prediction: Fields, history: Fields) -> Refined:
        """Refine a batch.

        Args:
            prediction: outputs [b, *space, t], physical.
            history: the inputs before them [b, *space, h], the last one interval before the first output; exact.
        """
        self._check(prediction, history)
        return self._compiled(prediction, history)

    def estimate(self, trajectory: Fields, history: Fields) -> Float[Array, "b"]:
        """Relative estimate of trajectories: of predictions, or of a solver's for `Stopping.floor`."""
        self._check(trajectory, history)
        return self._estimated(trajectory, history)

    def refine_output(
        self, output: Callable[[Any, Any], Array], parameters: Any, latent: Any, history: Fields
    ) -> Refined:
        """Refine the parameters of a map to the outputs, such as an operator's last layer, one set per sample.

        Args:
            output: (parameters, latent of one sample) -> outputs [*space, t] of it.
            parameters: tree of real arrays, where every sample begins.
            latent: tree of arrays with a batch axis; what the frozen part of the operator gave.
            history: inputs [b, *space, h].

        Raises:
            ValueError: for Newton, which changes the outputs themselves.
        """
        if isinstance(self.optimizer, Newton):
            raise ValueError("optimizer: got Newton for an output map, wanted Adam or LBFGS")

        def one(latent: Any, past: Array) -> Refined:
            before = self.states(past)

            def window_of(values: Any) -> Array:
                return self.states(output(values, latent))

            scale = self.estimator.scale(window_of(parameters), before)
            course = self._descend(
                lambda values: self.estimator.square(window_of(values), before) / scale**2, parameters
            )
            return self._refined(output(course.best, latent), course, course.best)

        return jax.jit(jax.vmap(one))(jax.lax.stop_gradient(latent), history)

    @functools.cached_property
    def estimator(self) -> Estimator:
        return Estimator(self.residual, self.order, axis=self.axis)

    def refine_one(self, prediction: Float[Array, "..."], history: Float[Array, "..."]) -> Refined:
        """One sample without a batch axis, not compiled: for `jax.vmap` and `jax.shard_map`."""
        start, past = self.states(prediction), self.states(history)
        if isinstance(self.optimizer, Newton):
            course = self.optimizer.solve(self.estimator, start, past, self.stopping)
            correction = course.best - start
        else:
            sources = Sources(self.residual.equation, self.residual.interval, self.axis)
            size, scale = sources.scale(self.residual(start, past)), self.estimator.scale(start, past)

            def loss(p: Array) -> Array:
                return self.estimator.square(start + sources.correction(p, size), past) / scale**2

            course = self._descend(loss, jnp.zeros((*start.shape, 2), start.real.dtype))
            correction = sources.correction(course.best, size)
        lost = jnp.where(course.steps > 0, self._lost(prediction, start, history, past), 0)
        return self._refined(prediction + self.fields(correction, prediction.shape) + lost, course)

    def _lost(self, prediction: Array, start: Array, history: Array, past: Array) -> Float[Array, "..."]:
        """What modes lack that no states of the fields' grid have: the mean that of the last input, the highest all."""
        space, names = tuple(range(self.residual.equation.grid.ndim)), count_fields(self.residual.equation)
        rest, known = (v - self.fields(states, v.shape) for v, states in ((prediction, start), (history, past)))
        lost, last = (jnp.mean(v, space, keepdims=True) for v in (rest, known))
        last = last.reshape(*last.shape[:-1], names, -1)[..., -1:]
        mean = (last - lost.reshape(*lost.shape[:-1], names, -1)).reshape(lost.shape)
        # An odd grid has no Nyquist frequency, and all the other modes.
        shape = rest.shape[: len(space)]
        below = resize(resize(rest, [n - 1 + n % 2 for n in shape], space), shape, space)
        return mean - (rest - below)

    def estimate_one(self, trajectory: Float[Array, "..."], history: Float[Array, "..."]) -> Float[Array, ""]:
        """`estimate` of one sample, not compiled."""
        window, past = self.states(trajectory), self.states(history)
        return self.estimator(window, past) / self.estimator.scale(window, past)

    def states(self, snapshots: Float[Array, "..."]) -> Complex[Array, "t ..."]:
        """Fields [*space, c] of one sample -> states of the equation, [t, *k] or [t, field, *k]."""
        equation = self.residual.equation
        grid, names = equation.grid, count_fields(equation)
        values = jnp.moveaxis(snapshots.reshape(*snapshots.shape[:-1], names, -1), (-1, -2), (0, 1))
        values = resize(values, grid.shape, tuple(range(2, values.ndim)))
        return jax.vmap(equation.to_spectral)(values if names > 1 else values[:, 0])

    def fields(self, states: Complex[Array, "t ..."], shape: tuple[int, ...]) -> Float[Array, "..."]:
        """The other way, on the grid of `shape` [*space, c]."""
        equation = self.residual.equation
        values = jax.vmap(equation.to_physical)(states)
        values = values if count_fields(equation) > 1 else values[:, None]
        values = resize(values, shape[:-1], tuple(range(2, values.ndim)))
        return jnp.moveaxis(values, (0, 1), (-1, -2)).reshape(shape)

    def _descend(self, loss: Callable[[Any], Array], start: Any) -> Descent:
        assert not isinstance(self.optimizer, Newton)
        return descend(loss, start, self.optimizer, self.stopping, self.estimator.total)

    @staticmethod
    def _refined(trajectory: Array, course: Descent, parameters: Any = None) -> Refined:
        after = jnp.nanmin(course.history)
        return Refined(trajectory, course.history[0], after, course.history, course.steps, course.reason, parameters)

    @functools.cached_property
    def _compiled(self) -> Callable[..., Refined]:
        return jax.jit(jax.vmap(self.refine_one))

    @functools.cached_property
    def _estimated(self) -> Callable[..., Array]:
        return jax.jit(jax.vmap(self.estimate_one))

    def _check(self, prediction: Fields, history: Fields) -> None:
        equation = self.residual.equation
        ndim, names = equation.grid.ndim, count_fields(equation)
        fits = prediction.ndim == history.ndim == ndim + 2 and prediction.shape[:-1] == history.shape[:-1]
        if not fits or any(v.shape[-1] == 0 or v.shape[-1] % names for v in (prediction, history)):
            raise ValueError(
                f"prediction, history: got shapes {prediction.shape} and {history.shape}, wanted [b, *space, c] with "
                f"{ndim} axes of space, equal but for c, the snapshots of {names} field(s)"
            )
        if prediction.dtype != history.dtype:
            raise ValueError(
                f"history: got {history.dtype} for a prediction in {prediction.dtype}, wanted the same precision"
            )
