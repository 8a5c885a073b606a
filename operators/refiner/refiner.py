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

from ..layers.arguments import refusal
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
        unseen: share of the prediction's L2 norm in modes that no state of the equation holds: estimates do not know
            of it. Much above round-off, give the equation a finer grid; half as many points again lose no mode to
            de-aliasing.
        parameters: of the output map, one set per sample, where that was refined; otherwise None.
    """

    trajectory: Float[Array, "b ..."]
    before: Float[Array, "b"]
    after: Float[Array, "b"]
    history: Float[Array, "b s"]
    steps: Int[Array, "b"]
    reason: Int[Array, "b"]
    unseen: Float[Array, "b"]
    parameters: Any = None


@dataclasses.dataclass(frozen=True, eq=False)
class Refiner:
    """Changes the outputs of a prediction until they satisfy the equation from the last input on.

        minimise eta(u) / eta(persistence)  over the outputs u_1 .. u_t,    eta the `Estimator` of the residual

    No truth is needed. Every sample of a batch is refined by itself. Fields are channels last: channels are snapshots,
    [b, *space, t], of several fields one after the other ([b, *space, field * t], all times of the first, then of the
    second), which is the order of the data sets' channels. What no state of the equation holds, it cannot say anything
    about (`Refined.unseen`), and it is not left to the network where the equation's grid is at least as fine as the
    fields': modes that de-aliasing leaves out and the Nyquist modes become zero, as in the solver's own fields, a mean
    that its states do not have, as that of a vorticity, the one of the last input. On a coarser grid the finer modes
    stay as predicted. To lose no mode of the fields, take half as many points again for the equation (for a quadratic
    nonlinear term). Zero steps return the prediction, bit for bit.

    Args:
        residual: `Differences` (cheap, as exact as its differences) or `Shooting` (as exact as the solver in it).
        optimizer: `Adam`, `LBFGS`, or `Newton` with `Shooting`.
        stopping: when to end before all steps are taken.
        order: s of the norm, by default the residual's.
        axis: mesh axis that outputs are spread over; set by `time_parallel`.

    Raises:
        ValueError: for arguments of another kind, Newton with another residual than `Shooting`; at the call, for shapes
            that do not fit together, and other numbers than float32 or float64.

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
        Estimator(self.residual, self.order)  # refuses what is no residual, or no order
        if not isinstance(self.optimizer, Adam | LBFGS | Newton):
            raise refusal("optimizer", self.optimizer, "an Adam, LBFGS or Newton", "such as Adam(steps=200)")
        if not isinstance(self.stopping, Stopping):
            raise refusal("stopping", self.stopping, "a Stopping", "such as Stopping(patience=20)")
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
            output: (parameters, latent of one sample) -> outputs [*space, t] of it. Compiled once for each function:
                what else it uses stays as it was at its first call.
            parameters: tree of real arrays, where every sample begins.
            latent: tree of arrays with a batch axis; what the frozen part of the operator gave.
            history: inputs [b, *space, h].

        Returns:
            `trajectory`: output(parameters, latent) in every mode that the equation's states hold; the others are not
            left to the map, as they are not to the prediction of a call. Zero steps return the map's outputs.

        Raises:
            ValueError: for Newton, which changes the outputs themselves; for outputs that do not fit the history.
        """
        if isinstance(self.optimizer, Newton):
            raise ValueError(
                "optimizer: got Newton for an output map, wanted Adam or LBFGS; Newton changes the outputs themselves: "
                "call the refiner with them"
            )
        predicted = jax.eval_shape(jax.vmap(output, (None, 0)), parameters, latent)
        self._check(predicted, history, "output, history")
        return self._of_output(output, parameters, jax.lax.stop_gradient(latent), history)

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
        rest, known = self._rest(prediction), self._rest(history)
        lost = jnp.where(course.steps > 0, self._lost(rest, known), 0)
        trajectory = prediction + self.fields(correction, prediction.shape) + lost
        return self._refined(trajectory, course, self._share(rest, prediction))

    def _rest(self, snapshots: Float[Array, "..."]) -> Float[Array, "..."]:
        """The part of the fields [*space, c] of one sample that no states of the equation hold."""
        return snapshots - self.fields(self.states(snapshots), snapshots.shape)

    def _lost(self, rest: Float[Array, "..."], known: Float[Array, "..."]) -> Float[Array, "..."]:
        """What is added for the part of a prediction, and of its history, that no states of the equation hold."""
        grid, names = self.residual.equation.grid, count_fields(self.residual.equation)
        space = tuple(range(grid.ndim))
        lost, last = (jnp.mean(v, space, keepdims=True) for v in (rest, known))
        last = last.reshape(*last.shape[:-1], names, -1)[..., -1:]
        mean = (last - lost.reshape(*lost.shape[:-1], names, -1)).reshape(lost.shape)
        shape = rest.shape[: grid.ndim]
        if all(own >= n for own, n in zip(grid.shape, shape, strict=True)):
            return mean + jnp.mean(rest, space, keepdims=True) - rest
        # An odd grid has no Nyquist frequency, and all the other modes.
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

    def _share(self, rest: Array, prediction: Array) -> Float[Array, ""]:
        """`Refined.unseen`: the norm of what states lack over that of the prediction."""
        part, whole = (self.estimator.total(jnp.sum(v**2)) for v in (rest, prediction))
        return jnp.sqrt(part / jnp.maximum(whole, jnp.finfo(whole.dtype).tiny))

    @staticmethod
    def _refined(trajectory: Array, course: Descent, unseen: Array, parameters: Any = None) -> Refined:
        history, after = course.history, jnp.nanmin(course.history)
        return Refined(trajectory, history[0], after, history, course.steps, course.reason, unseen, parameters)

    @functools.cached_property
    def _of_output(self) -> Callable[..., Refined]:
        """`refine_output`, compiled once for each function."""

        def refined(output: Callable[[Any, Any], Array], parameters: Any, latent: Any, history: Array) -> Refined:
            def one(latent: Any, past: Array) -> Refined:
                before, first = self.states(past), output(parameters, latent)
                scale = self.estimator.scale(self.states(first), before)

                def loss(values: Any) -> Array:
                    return self.estimator.square(self.states(output(values, latent)), before) / scale**2

                course = self._descend(loss, parameters)
                last = output(course.best, latent)
                lost = jnp.where(course.steps > 0, self._lost(self._rest(last), self._rest(past)), 0)
                return self._refined(last + lost, course, self._share(self._rest(first), first), course.best)

            return jax.vmap(one)(latent, history)

        return jax.jit(refined, static_argnums=0)

    @functools.cached_property
    def _compiled(self) -> Callable[..., Refined]:
        return jax.jit(jax.vmap(self.refine_one))

    @functools.cached_property
    def _estimated(self) -> Callable[..., Array]:
        return jax.jit(jax.vmap(self.estimate_one))

    def _check(self, prediction: Any, history: Any, names: str = "prediction, history") -> None:
        if any(not hasattr(v, "shape") or not hasattr(v, "dtype") for v in (prediction, history)):
            kinds = " and ".join(type(v).__name__ for v in (prediction, history))
            raise ValueError(f"{names}: got {kinds}, wanted arrays [b, *space, c]; numpy.asarray makes one")
        equation = self.residual.equation
        ndim, fields = equation.grid.ndim, count_fields(equation)
        fits = len(prediction.shape) == len(history.shape) == ndim + 2 and prediction.shape[:-1] == history.shape[:-1]
        if not fits or any(v.shape[-1] == 0 or v.shape[-1] % fields for v in (prediction, history)):
            raise ValueError(
                f"{names}: got shapes {prediction.shape} and {history.shape}, wanted [b, *space, c] with {ndim} axes "
                f"of space, equal but for c, the snapshots of {fields} field(s); of one sample, add an axis in front"
            )
        if prediction.dtype != history.dtype or prediction.dtype not in ("float32", "float64"):
            raise ValueError(
                f"{names}: got {prediction.dtype} and {history.dtype}, wanted float32 or float64, the same for both; "
                "cast them with astype"
            )
