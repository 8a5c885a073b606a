"""Equations of the torus through exponax: the same scheme from the same smooth start, under their masks and ours.

Three times exponax does something else, and is met by doing the same: its fourth derivative of several axes leaves out
the mixed ones, its Gray-Scott takes feed and kill with the nonlinear term, and its ETDRK4 keeps the real parts of
coefficients that are complex where the linear symbol is.
"""

import importlib

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from peer_testing import relative

from pdes import equations as of
from pdes.steppers import etdrk4
from spectral.grid import Grid

exponax = pytest.importorskip("exponax")
pytestmark = [pytest.mark.peers, pytest.mark.usefixtures("x64"), pytest.mark.filterwarnings("ignore")]
LENGTH, STEPS = 20.0, 50
stepper = exponax.stepper


class WithoutMixedDerivatives(of.KuramotoSivashinsky):
    """h_xxxx + h_yyyy in place of Lap Lap h."""

    @property
    def linear(self) -> np.ndarray:
        kx, ky = self.grid.wavenumbers
        return self.grid.wavenumber_squared - kx**4 - ky**4


class ExplicitReactions(of.GrayScott):
    """Feed and kill outside of the linear term."""

    @property
    def linear(self) -> np.ndarray:
        return -np.stack([d * self.grid.wavenumber_squared for d in self.diffusivities])

    def nonlinear(self, u_hat: jax.Array) -> jax.Array:
        rates = jnp.array([self.feed, self.feed + self.kill]).reshape(2, 1, 1)
        return super().nonlinear(u_hat) - rates * u_hat


@pytest.fixture
def real_coefficients(monkeypatch):
    """ETDRK4 with the real parts of what multiplies the nonlinear term."""
    module = importlib.import_module("pdes.steppers.etdrk4")
    exact = module.etdrk4_coefficients

    def real_parts(linear: np.ndarray, dt: float):
        decay, half_decay, *others = exact(linear, dt)
        return module.Coefficients(decay, half_decay, *(np.real(c) for c in others))

    monkeypatch.setattr(module, "etdrk4_coefficients", real_parts)


def cases():
    """Name, our equation, the time step, their class and its numbers."""
    line, square = Grid((256,), (LENGTH,)), Grid((64, 64), (LENGTH,))
    yield "Burgers", of.Burgers(line, 0.5), 0.02, stepper.Burgers, {"diffusivity": 0.5}
    yield "Burgers 2-D", of.VectorBurgers(square, 0.5), 0.02, stepper.Burgers, {"diffusivity": 0.5}
    conservative = stepper.KuramotoSivashinskyConservative
    yield "Kuramoto-Sivashinsky", of.KuramotoSivashinsky(line), 0.05, conservative, {}
    yield "Kuramoto-Sivashinsky 2-D", WithoutMixedDerivatives(square), 0.05, stepper.KuramotoSivashinsky, {}
    numbers = {"convection_scale": 6.0, "dispersivity": 0.8, "hyper_diffusivity": 0.0, "conservative": True}
    yield "Korteweg-de Vries", of.KortewegDeVries(line, 0.8), 0.01, stepper.KortewegDeVries, numbers
    yield "Allen-Cahn", of.AllenCahn(square, 0.7), 0.05, stepper.reaction.AllenCahn, {"diffusivity": 0.49}
    numbers = {"diffusivity": 1.0, "gamma": 0.49}
    yield "Cahn-Hilliard", of.CahnHilliard(square, 0.7), 0.01, stepper.reaction.CahnHilliard, numbers
    numbers = {"feed_rate": 0.04, "kill_rate": 0.06, "diffusivity_1": 0.2, "diffusivity_2": 0.1}
    gray_scott = ExplicitReactions(square, 0.04, 0.06, (0.2, 0.1))
    yield "Gray-Scott", gray_scott, 0.2, stepper.reaction.GrayScott, numbers
    yield "Fisher-KPP", of.FisherKPP(square, 0.5), 0.05, stepper.reaction.FisherKPP, {"diffusivity": 0.5}


def start(equation) -> jax.Array:
    """Smooth fields [field, *space] between 0.2 and 0.8, mean-free where the equation has no mean."""
    phase = [2 * np.pi * x / LENGTH for x in equation.grid.mesh]
    fields = [np.sin(phase[0] + j) * np.cos(2 * phase[-1] - j) for j in range(len(equation.fields))]
    mean_free = isinstance(equation, of.KuramotoSivashinsky)
    return jnp.asarray(0.3 * np.stack(fields) + (0.0 if mean_free else 0.5))


@pytest.mark.parametrize("name, equation, dt, theirs, numbers", [pytest.param(*case, id=case[0]) for case in cases()])
def test_exponax(real_coefficients, name, equation, dt, theirs, numbers):
    """To round-off: both resolve the solution, so that their masks, |k| < N/3 or N/4 with or without the last, do not
    matter; the steps are the same ETDRK4."""
    grid, u = equation.grid, start(equation)
    state = equation.to_spectral(u if len(u) > 1 else u[0])
    step = etdrk4(equation, dt)
    found = equation.to_physical(jax.jit(lambda v: jax.lax.fori_loop(0, STEPS, lambda _, w: step(w), v))(state))
    with jax.numpy_rank_promotion("allow"):
        peer = theirs(grid.ndim, LENGTH, grid.shape[0], dt, order=4, **numbers)
        end = jax.jit(lambda v: jax.lax.fori_loop(0, STEPS, lambda _, w: peer(w), v))(u)
    end = np.asarray(end)
    if isinstance(equation, of.KuramotoSivashinsky) and grid.ndim == 2:
        end = end - end.mean()  # ours is the height without its mean
    assert relative(np.asarray(found).reshape(end.shape), end) <= 1e-10
    # It has moved by far more than that.
    assert relative(np.asarray(u), end) >= 1e-2
