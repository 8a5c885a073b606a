"""Differences in time: exact for polynomials, of their order, on a flow as wrong as the theory says."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from refiner_testing import INTERVAL, turbulence

from operators.refiner.finite_differences import differentiate, fornberg_weights


def test_textbook_weights():
    np.testing.assert_allclose(fornberg_weights([-1, 0, 1], 0), [-0.5, 0, 0.5], atol=1e-15)
    np.testing.assert_allclose(fornberg_weights([-1, 0, 1], 0, 2), [1, -2, 1], atol=1e-15)
    np.testing.assert_allclose(fornberg_weights([0, 1, 2, 3], 0), [-11 / 6, 3, -3 / 2, 1 / 3], atol=1e-14)
    np.testing.assert_allclose(60 * fornberg_weights(np.arange(-3, 4), 0), [-1, 9, -45, 0, 45, -9, 1], atol=1e-12)
    with pytest.raises(ValueError, match=r"nodes: got .*, wanted at least 2 distinct positions"):
        fornberg_weights([0.0, 0.0], 0)


def dense(n_history, n_outputs, interval, order):
    """The differences as a matrix [t, all]: every row takes the order + 1 snapshots nearest to its own."""
    total = n_history + n_outputs
    matrix = np.zeros((n_outputs, total))
    for row, at in enumerate(range(n_history, total)):
        first = min(max(at - order // 2, 0), total - order - 1)
        nodes = np.arange(first, first + order + 1)
        matrix[row, nodes] = fornberg_weights(interval * (nodes - at), 0.0)
    return matrix


@pytest.mark.parametrize("order", [2, 4, 6, 8])
@pytest.mark.parametrize(("n_history", "n_outputs"), [(1, 10), (3, 10), (10, 2), (10, 40)])
def test_portions_of_the_matrix_are_the_matrix(x64, order, n_history, n_outputs):
    """Rows at the beginning, at the end, and in several portions: to the round-off of weights / 0.3."""
    rng = np.random.default_rng(0)
    u = rng.standard_normal((n_history + n_outputs, 2, 3)) + 1j * rng.standard_normal((n_history + n_outputs, 2, 3))
    found = differentiate(jnp.asarray(u), n_history, 0.3, order)
    wanted = np.tensordot(dense(n_history, n_outputs, 0.3, order), u, 1)
    np.testing.assert_allclose(found, wanted, rtol=1e-13, atol=1e-12)


@pytest.mark.parametrize("order", [2, 4, 6, 8])
@pytest.mark.parametrize("n_history", [1, 3])
def test_the_time_derivative_is_exact_for_polynomials_of_its_order_and_no_further(x64, order, n_history):
    times = 0.3 * (np.arange(n_history + 10) - n_history + 1)
    matrix = np.asarray(differentiate(jnp.eye(n_history + 10), n_history, 0.3, order))
    np.testing.assert_allclose(matrix.sum(1), 0, atol=1e-12)  # differences are taken from the last input
    for power in range(1, order + 2):
        wanted = power * times[n_history:] ** (power - 1)
        error = np.abs(matrix @ times**power - wanted).max() / np.abs(wanted).max()
        assert (error < 1e-11) == (power <= order), (power, error)


def test_what_is_refused():
    with pytest.raises(ValueError, match="order: got 5, wanted 2, 4, 6 or 8"):
        differentiate(jnp.zeros(13), 3, 0.1, 5)
    with pytest.raises(ValueError, match=r"snapshots: got 2 before and 4 outputs.*7 in all for differences of order 6"):
        differentiate(jnp.zeros(6), 2, 0.1, 6)


@pytest.mark.slow
def test_floor_of_the_differences_on_decaying_turbulence(x64):
    """Relative error of w_t at intervals of 0.055, viscosity 1e-3, beside those of another sample of such a flow,
    5.1e-2, 7.9e-3, 1.9e-3, 5.5e-4. This one is 5 to 9 % faster, which order p sees to the power of p; what is left are
    20 %."""
    equation, fields = turbulence(64, 1e-3, 3)
    states = jax.vmap(jax.vmap(equation.to_spectral, -1))(fields)
    rates = np.asarray(jax.vmap(jax.vmap(equation.rhs))(states))[:, 10:]
    orders, found = np.array([2, 4, 6, 8]), []
    for order in orders:
        # The inner outputs: the one-sided rows at the end are a few times worse.
        error = np.stack([differentiate(u, 10, INTERVAL, int(order)) for u in states])[:, :6] - rates[:, :6]
        found.append(np.sqrt((np.abs(error) ** 2).sum() / (np.abs(rates[:, :6]) ** 2).sum()))
    faster = (found / np.array([5.1e-2, 7.9e-3, 1.9e-3, 5.5e-4])) ** (1 / orders)
    print("floors", found, "faster", faster)
    assert ((faster > 1.05) & (faster < 1.1)).all()
    np.testing.assert_allclose(found, 1.08**orders * np.array([5.1e-2, 7.9e-3, 1.9e-3, 5.5e-4]), rtol=0.2)
