"""Snapshots of one evolution: what the generators of trajectories share."""

from collections.abc import Callable, Mapping

import jax.numpy as jnp
from jaxtyping import Array, Complex

from ..equations.base import Equation
from ..steppers import etdrk4, rollout
from .base import FieldInfo, Generator
from .checks import check_whole, is_number


class Trajectory(Generator):
    """Past snapshots -> future snapshots: the first `n_inputs` of them -> the others.

    Snapshot i is at warmup + i interval, i = 0, 1, ..., n_snapshots - 1; without a warm-up the first is the start
    itself. So n_inputs = 1 and warmup = 0 is the map from the start to the trajectory.
    """

    warmup: float
    interval: float
    n_snapshots: int
    n_inputs: int

    @property
    def recorded(self) -> Mapping[str, tuple[str, str]]:
        """Unit and description of every field, by name: those of the equation's states."""
        equation = self.flow(self.grid)
        assert equation is not None  # a trajectory is one of a flow
        return equation.fields

    def check_times(self) -> None:
        """Raises ValueError unless there are snapshots to predict, at increasing times."""
        check_whole(self, "n_snapshots", "n_inputs")
        if self.n_inputs >= self.n_snapshots:
            raise ValueError(
                f"n_inputs: got {self.n_inputs} of n_snapshots {self.n_snapshots}, "
                f"wanted 1 to {self.n_snapshots - 1}, so that a snapshot is left to predict"
            )
        if not (is_number(self.warmup) and is_number(self.interval) and self.warmup >= 0 and self.interval > 0):
            raise ValueError(
                f"warmup, interval: got {self.warmup!r}, {self.interval!r}, wanted a time >= 0 and a positive one"
            )

    @property
    def fields(self) -> dict[str, FieldInfo]:
        times = tuple(self.warmup + i * self.interval for i in range(self.n_snapshots))
        return {name: FieldInfo(times, *about) for name, about in self.recorded.items()}

    @property
    def inputs(self) -> dict[str, tuple[int, ...]]:
        return dict.fromkeys(self.recorded, tuple(range(self.n_inputs)))

    @property
    def targets(self) -> dict[str, tuple[int, ...]]:
        return dict.fromkeys(self.recorded, tuple(range(self.n_inputs, self.n_snapshots)))

    def record(
        self, equation: Equation, start: Complex[Array, "*k"], steps: Callable[[float], int]
    ) -> Complex[Array, "t *k"]:
        """The snapshots of a start, by ETDRK4; `steps` says how many time steps a duration takes."""
        if self.warmup:
            warm = steps(self.warmup)
            start = rollout(etdrk4(equation, self.warmup / warm), start, n_outputs=1, inner_steps=warm)[0]
        inner = steps(self.interval)
        later = rollout(etdrk4(equation, self.interval / inner), start, self.n_snapshots - 1, inner)
        return jnp.concatenate([start[None], later])
