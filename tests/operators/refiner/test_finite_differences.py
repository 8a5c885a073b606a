"""Differences in time: exact for polynomials, of their order, on a flow as wrong as the theory says."""

import jax
import numpy as np
import pytest
from refiner_testing import INTERVAL, turbulence

from operators.refiner.finite_differences import fornberg_weights, time_derivative


def test_textbook_weights():
    np.testing.assert_allclose(fornberg_weights([-1, 0, 1], 0), [-0.5, 0, 0.5], atol=1e-15)
    np.testing.assert_allclose(fornberg_weights([-1, 0, 1], 0, 2), [1, -2, 1], atol=1e-15)
    np.testing.assert_allclose(fornberg_weights([0, 1, 2, 3], 0), [-11 / 6, 3, -3 / 2, 1 / 3], atol=1e-14)
    np.testing.assert_allclose(60 * fornberg_weights(np.arange(-3, 4), 0), [-1, 9, -45, 0, 45, -9, 1], atol=1e-12)
    with pytest.raises(ValueError, match=r"nodes: got .*, wanted at least 2 distinct positions"):
        fornberg_weights([0.0, 0.0], 0)


@pytest.mark.parametrize("order", [2, 4, 6, 8])
@pytest.mark.parametrize("n_history", [1, 3])
def test_the_time_derivative_is_exact_for_polynomials_of_its_order_and_no_further(order, n_history):
    times = 0.3 * (np.arange(n_history + 10) - n_history + 1)
    matrix = time_derivative(n_history, 10, 0.3, order)
    np.testing.assert_allclose(matrix.sum(1), 0, atol=1e-12)  # differences are taken from the last input
    for power in range(1, order + 2):
        wanted = power * times[n_history:] ** (power - 1)
        error = np.abs(matrix @ times**power - wanted).max() / np.abs(wanted).max()
        assert (error < 1e-11) == (power <= order), (power, error)


def test_what_is_refused():
    with pytest.raises(ValueError, match="order: got 5, wanted 2, 4, 6 or 8"):
        time_derivative(3, 10, 0.1, 5)
    with pytest.raises(ValueError, match=r"snapshots: got 2 before and 4 outputs.*7 in all for differences of order 6"):
        time_derivative(2, 4, 0.1, 6)


@pytest.mark.slow
def test_floor_of_the_differences_on_decaying_turbulence(x64):
    """Relative error of w_t at intervals of 0.055, viscosity 1e-3: 5.1e-2, 7.9e-3, 1.9e-3, 5.5e-4, within a factor
    of two, for it depends on the sample."""
    equation, fields = turbulence(64, 1e-3, 3)
    states = jax.vmap(jax.vmap(equation.to_spectral, -1))(fields)
    rates = np.asarray(jax.vmap(jax.vmap(equation.rhs))(states))[:, 10:]
    found = []
    for order in (2, 4, 6, 8):
        matrix = time_derivative(10, 10, INTERVAL, order)
        # The inner outputs: the one-sided rows at the end are a few times worse.
        error = np.tensordot(matrix, np.asarray(states), (1, 1)).swapaxes(0, 1)[:, :6] - rates[:, :6]
        found.append(np.sqrt((np.abs(error) ** 2).sum() / (np.abs(rates[:, :6]) ** 2).sum()))
    print("floors", found)
    np.testing.assert_array_less(found, 2 * np.array([5.1e-2, 7.9e-3, 1.9e-3, 5.5e-4]))
    np.testing.assert_array_less(0.5 * np.array([5.1e-2, 7.9e-3, 1.9e-3, 5.5e-4]), found)
