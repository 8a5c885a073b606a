"""How large a residual is over time, and what that says about the error."""

import dataclasses
import math
from typing import Any, Protocol, runtime_checkable

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Complex, Float

from spectral.grid import Grid
from spectral.norms import inner_product

from ..layers.arguments import is_number, number, refusal
from .flow import Flow


@runtime_checkable
class Residual(Protocol):
    """(outputs [t, *k], history [h, *k]) -> residual [t, *k], unit of the state / time."""

    @property
    def equation(self) -> Flow: ...

    @property
    def interval(self) -> float | int: ...

    @property
    def order(self) -> float: ...

    def __call__(self, window: Any, history: Any) -> Any: ...


def bochner_norm(
    u_hat: Complex[Array, "t ..."],
    grid: Grid,
    s: float | int,
    weights: Float[np.ndarray, "t"],
    *,
    alpha: float | int = 1.0,
    p: float | int = 2,
) -> Float[Array, ""]:
    """Norm of L^p(I; H^s): (sum_m w_m |u(t_m)|_s^p)^(1/p), the largest |u(t_m)|_s for p = inf.

    Args:
        u_hat: half spectra of a trajectory, [t, *k] or [t, field, *k] (fields add up).
        grid: the grid of the fields.
        s: order in space, any real number.
        weights: of the quadrature in time: interval lengths, Gauss weights, ...; p = inf makes no use of them.
        alpha: shift, see `spectral.norms.sobolev_weights`; 0 is the homogeneous norm.
        p: exponent in time, at least 1.

    Raises:
        ValueError: for weights that are not one per time, an exponent below 1.

    Accuracy:
        Exact in space by Parseval for fields the grid holds; in time that of the quadrature.
    """
    if not (is_number(p) and p >= 1):
        raise refusal("p", p, "an exponent of at least 1", "such as p=2, or p=math.inf for the largest")
    if np.shape(weights) != (len(u_hat),):
        raise refusal("weights", weights, f"one number for each of {len(u_hat)} times", "those of a quadrature in time")
    squares = inner_product(u_hat, u_hat, grid, s, alpha=alpha)
    squares = squares.reshape(len(squares), -1).sum(axis=1)
    if p == math.inf:
        return jnp.sqrt(jnp.max(squares))
    return jnp.sum(jnp.asarray(weights, squares.dtype) * squares ** (p / 2)) ** (1 / p)


@dataclasses.dataclass(frozen=True, eq=False)
class Estimator:
    """A posteriori estimate of a trajectory's error by the dual norm of its residual.

        eta^2 = int_I |R(t)|_s^2 dt,    |R|_s^2 = |box| sum_k (alpha + |k|^2)^s |R_k|^2

    computed mode by mode: the supremum over all test functions, not a sum over cells. With e = u - v the error of the
    trajectory v, in an energy estimate and with C a constant of the domain:

    - velocity, s = -1:   |e(t)|^2 + nu int_0^t |grad e|^2  <=  (|e(0)|^2 + (2/nu) eta^2) exp((C/nu) int |grad v|^2)
      at every t, so sup |e|^2 and nu int |grad e|^2 each are below the right-hand side (their sum, below twice that);
    - vorticity, s = -2:  for R_w = curl R_u, |R_u|_-1 = |R_w|_-2 at alpha = 0: the same number, which bounds the
      velocity error in L^inf(L^2) and L^2(H^1);
    - vorticity, s = -1:  the vorticity error in L^inf(L^2) and L^2(H^1), one derivative more;
    - s = 0:              no energy estimate with viscosity stands behind it; through the propagator of the equation it
      bounds sup |e| <= sqrt(T) eta exp(growth).

    The bounds hold with alpha = 0. With the default alpha |R|_s of a negative s is smaller, by 2^(s/2) at most, reached
    at the lowest wavenumber: 1/sqrt(2) for s = -1, 1/2 for s = -2; and |R_w|_-2 is |R_u|_-1 up to 1/sqrt(2).

    e(0) is the error of the last snapshot of the history: zero where that is data. The exponential cannot be removed:
    it is how fast the flow itself drives neighbours apart. What eta is worth on a given problem, calibration says:
    `python -m training.evaluate estimate=true`. The other way round eta <= |e_t|_s + nu |e|_(s+2) + terms of the
    transport, so it is small where the error is.

    Args:
        residual: what is measured; its `interval` between outputs is the weight of every one.
        order: s, by default that of the residual (-1 for differences, 0 for shooting).
        alpha: shift, 1 / length^2, by default the square of the box's lowest wavenumber; 0 leaves the mean out.
        axis: mesh axis that the outputs are spread over, see `time_parallel`.

    Raises:
        ValueError: for what is no residual, an order that is no number, a negative shift.

    Source:
        Cao et al. 2025 (arXiv 2405.17211), section on the functional estimator; the released code has s/2 for s.
    """

    residual: Residual
    order: float | int | None = None
    alpha: float | int | None = None
    axis: str | None = None

    def __post_init__(self) -> None:
        if isinstance(self.residual, type) or not isinstance(self.residual, Residual):
            raise refusal("residual", self.residual, "a residual", "such as Differences(equation, interval)")
        if self.order is not None and not (is_number(self.order) and math.isfinite(self.order)):
            raise refusal("order", self.order, "a finite number", "such as order=-1, or None for the residual's own")
        if self.alpha is not None:
            number("alpha", self.alpha)

    def __call__(self, window: Complex[Array, "t ..."], history: Complex[Array, "h ..."]) -> Float[Array, ""]:
        """eta of one trajectory: unit of the state times length^(d/2 - s) / time^(1/2).

        Args:
            window: states of the outputs.
            history: states before them.
        """
        return jnp.sqrt(self.total(self.square(window, history)))

    def square(self, window: Complex[Array, "t ..."], history: Complex[Array, "h ..."]) -> Float[Array, ""]:
        """eta^2; where outputs are spread over devices, the part of this one's."""
        return self.size(self.residual(window, history))

    def size(self, residual: Complex[Array, "t ..."]) -> Float[Array, ""]:
        """The same of a residual that is there."""
        grid = self.residual.equation.grid
        order = self.residual.order if self.order is None else self.order
        lowest = (2 * math.pi / max(grid.extent)) ** 2
        squares = inner_product(residual, residual, grid, order, alpha=lowest if self.alpha is None else self.alpha)
        return self.residual.interval * jnp.sum(squares)

    def scale(self, window: Complex[Array, "t ..."], history: Complex[Array, "h ..."]) -> Float[Array, ""]:
        """eta of persistence, of the last state held over as many outputs.

        Where nothing moves, the round-off of a residual of the outputs in its place: estimates stay finite.
        """
        persistence, precision = jnp.broadcast_to(history[-1:], window.shape), jnp.finfo(window.real.dtype)
        rounded = precision.eps / self.residual.interval * jnp.sqrt(self.total(self.size(window)))
        return jnp.maximum(jnp.maximum(self(persistence, history), rounded), precision.tiny**0.5)

    def total(self, part: Float[Array, ""]) -> Float[Array, ""]:
        """Sum over the devices that share a trajectory."""
        return part if self.axis is None else jax.lax.psum(part, self.axis)
