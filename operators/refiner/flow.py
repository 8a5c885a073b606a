"""What the refiner asks of an equation and of a time stepper; it imports neither."""

import math
from collections.abc import Callable
from typing import Any, Protocol, runtime_checkable

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Complex

from spectral.grid import Grid

from ..layers.arguments import is_number, refusal

# (equation, dt) -> step(u_hat) -> u_hat.
Stepper = Callable[[Any, float], Callable[[jax.Array], jax.Array]]


@runtime_checkable
class Flow(Protocol):
    """d u_hat / dt = linear * u_hat + nonlinear(u_hat) for real fields on a periodic box, as `pdes.equations` has it.

    A state is the half spectrum u_hat[*k], or [field, *k] for several fields, in amplitudes.
    """

    # Read only, so that frozen classes and class variables fit.
    @property
    def grid(self) -> Grid: ...

    # A cached property there, which a type checker takes for another type.
    @property
    def linear(self) -> Any: ...

    def nonlinear(self, u_hat: Any) -> Any: ...

    def rhs(self, u_hat: Any) -> Any: ...

    def to_spectral(self, u: Any) -> Any: ...

    def to_physical(self, u_hat: Any) -> Any: ...


def check_flow(equation: Flow) -> None:
    """Raises ValueError for what is no equation, or one whose states are not half spectra of real fields."""
    if isinstance(equation, type) or not isinstance(equation, Flow):
        raise refusal("equation", equation, "an equation on a grid", "build one of pdes.equations")
    grid, shape = equation.grid, np.shape(equation.linear)
    if shape[-grid.ndim :] != grid.spectrum_shape:
        raise ValueError(
            f"equation: got {type(equation).__name__} with states of shape {shape}, wanted half spectra "
            f"{grid.spectrum_shape} of real fields on {grid}; its real and imaginary parts are such fields"
        )


def count_fields(equation: Any) -> int:
    """Fields of a state; a class variable of some equations, which a protocol cannot also ask of instances."""
    return len(equation.fields)


def check_positive(name: str, value: Any, what: str, fix: str = "give the positive number itself") -> None:
    """Raises ValueError for what is no finite number above 0."""
    if not is_number(value) or not 0 < value < math.inf:
        raise refusal(name, value, f"{what}, above 0 and finite", fix)


def check_interval(interval: float | int) -> None:
    check_positive("interval", interval, "the time between snapshots", "take the spacing of the data's times")


def check_stepper(stepper: Stepper) -> None:
    if not callable(stepper):
        raise refusal("stepper", stepper, "(equation, dt) -> step", "such as pdes.steppers.cn_rk4 itself")


def made_real(u_hat: Complex[Array, "..."], grid: Grid) -> Complex[Array, "..."]:
    """The half spectrum of the real part of a field: u_k and conj u_-k agree where both are stored.

    They are on the zero frequency of the last axis, and on the highest one of an even axis. An optimiser that moves
    both freely would leave the real fields, where a nonlinear term need not be defined.
    """
    axes = tuple(range(u_hat.ndim - grid.ndim, u_hat.ndim - 1))
    planes = [0] if grid.shape[-1] % 2 else [0, u_hat.shape[-1] - 1]
    for plane in planes:
        values = u_hat[..., plane]
        mirrored = jnp.conj(jnp.roll(jnp.flip(values, axes), 1, axes))
        u_hat = u_hat.at[..., plane].set(0.5 * (values + mirrored))
    return u_hat
