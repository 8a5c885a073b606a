"""Spectral-mixture kernels: derivatives, power spectra, frequencies of data."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.integrate
import scipy.stats

from pdes.gp import axis
from pdes.gp.axis import Axis, AxisModel, check_smoothness
from pdes.gp.envelopes import ENVELOPES, highest_order
from pdes.gp.frequencies import mixture_from_data, spectral_peaks
from pdes.gp.kernels import SpectralMixture

pytestmark = pytest.mark.usefixtures("x64")


def test_derivatives_have_their_published_values():
    student = SpectralMixture.of([1.0], 2.0, [3.0], "matern52").derivatives(jnp.array([0.2, 0.0]), 4)
    expected = [-0.7148031868, 10.62469991, 233.5035139, -4486.43133, -78074.78676]
    np.testing.assert_allclose(student[:, 0], expected, rtol=1e-9)  # as printed, ten digits
    np.testing.assert_allclose(student[:, 1], [1, 0, -361.9724251, 0, 140854.4123], rtol=1e-9)
    gauss = SpectralMixture.of([1.0], 2.0, [3.0], "gaussian").derivatives(jnp.array([-0.2]), 4)
    np.testing.assert_allclose(
        gauss[:, 0], [-0.746816812, -10.82511269, 251.4933635, 4380.664051, -87653.46411], rtol=1e-9
    )


@pytest.mark.parametrize("envelope", ENVELOPES)
def test_derivatives_are_those_of_automatic_differentiation(envelope):
    kernel = SpectralMixture.of([0.3, 1.2], [2.0, 0.7], [3.0, 0.5], envelope)
    orders, lags = highest_order(envelope), jnp.array([-0.3, 0.2, 0.7])

    def function(z):
        return kernel.derivatives(z)[0]

    for order, closed in enumerate(kernel.derivatives(lags, orders)):
        np.testing.assert_allclose(closed, jax.jit(jax.vmap(function))(lags), rtol=1e-11, err_msg=str(order))
        function = jax.grad(function)


@pytest.mark.parametrize("envelope", ["gaussian", "matern12", "matern52"])
def test_the_power_spectrum_is_the_transform_of_the_kernel(envelope):
    """Integrated to 40 cycles, or, of the slowly falling spectrum of order 1/2, to where the tail is 1e-6."""
    kernel = SpectralMixture.of([1.0, 0.5], [2.0, 1.0], [3.0, 1.2], envelope)
    reach = 2e5 if envelope == "matern12" else 400
    s = jnp.sinh(jnp.linspace(0, np.arcsinh(reach), 200001))
    density = kernel.power_spectral_density(s)
    np.testing.assert_array_equal(density, kernel.power_spectral_density(-s))
    for lag in (0.0, 0.13):
        if lag and envelope == "matern12":
            continue
        integral = jax.scipy.integrate.trapezoid(2 * density * jnp.cos(2 * jnp.pi * s * lag), s)
        np.testing.assert_allclose(integral, kernel.derivatives(jnp.asarray(lag))[0], rtol=3e-6)


@pytest.mark.parametrize("envelope", ["gaussian", "matern52"])
def test_the_transform_of_the_kernel_is_a_mixture_of_the_named_distributions(envelope):
    """Student's with 2 nu = 5 degrees and scale 1 / (2 pi l), or normal with variance a / (2 pi^2), made symmetric."""
    rate, cycles, s = 2.0, 3.0, np.array([0.0, 0.4, 2.0, 3.1, 7.0])
    law = (
        scipy.stats.norm(cycles, np.sqrt(rate / (2 * np.pi**2)))
        if envelope == "gaussian"
        else scipy.stats.t(5, cycles, rate / (2 * np.pi))
    )
    z = np.linspace(0, 20, 200001)  # where the envelopes have fallen below 1e-35
    k = np.asarray(SpectralMixture.of([0.8], rate, [cycles], envelope).derivatives(jnp.asarray(z))[0])
    found = [2 * scipy.integrate.simpson(k * np.cos(2 * np.pi * at * z), x=z) for at in s]
    np.testing.assert_allclose(found, 0.8 * (law.pdf(s) + law.pdf(-s)) / 2, rtol=1e-6, atol=1e-12)


def test_frequencies_are_read_off_the_data():
    x = np.linspace(0, 2 * np.pi, 400)
    frequencies, amplitudes = spectral_peaks(
        np.stack([np.cos(94 * x), np.sin(94 * x)]) + 0.5 * np.cos(106.3 * x), 2 * np.pi
    )
    np.testing.assert_allclose(2 * np.pi * frequencies, [94, 106.3], atol=2e-3)  # a bin is 1
    np.testing.assert_allclose(amplitudes, [1, 0.5], rtol=0.02)
    short, _ = spectral_peaks(np.sin(-200 * np.linspace(0, 1, 200))[None], 1.0)
    np.testing.assert_allclose(2 * np.pi * short, [200], atol=0.02)  # a bin is 6.3
    assert spectral_peaks(np.zeros((2, 50)), 1.0)[0].size == 0
    kernel = mixture_from_data(np.zeros((1, 50)), 1.0, 0.5)
    assert kernel.frequency.tolist() == [0.0]


def test_guards(monkeypatch):
    check_smoothness("matern52", 2)
    with pytest.raises(ValueError, match="matern32, whose samples have 1"):
        check_smoothness("matern32", 2)
    with pytest.raises(ValueError, match="wanted one of gaussian"):
        SpectralMixture.of([1.0], 1.0, [0.0], "matern")
    with pytest.raises(ValueError, match="end at order 2"):
        SpectralMixture.of([1.0], 1.0, [0.0], "matern32").derivatives(jnp.zeros(1), 3)
    with pytest.warns(UserWarning, match="per shortest wave"):
        AxisModel.of(Axis(0.0, 1.0, 28), SpectralMixture.of([1.0], 1.0, [10.0], "matern52"), [1])
    with jax.enable_x64(False), pytest.raises(ValueError, match="wanted float64"):
        SpectralMixture.of([1.0], 1.0, [0.0], "matern52")
    # A scale of a thousand lengths: rounding leaves eigenvalues below zero that the first nugget does not lift.
    monkeypatch.setattr(axis, "NUGGETS", (1e-20, 1e-12))
    long = SpectralMixture.of([1.0], 1e-3, [0.0], "matern52")
    assert float(AxisModel.of(Axis(0.0, 1.0, 28), long, [1]).nugget) == 1e-12
    with pytest.raises(ValueError, match="not positive definite"):
        AxisModel.of(Axis(0.0, 1.0, 12), SpectralMixture(jnp.array([jnp.nan]), jnp.zeros(1), jnp.zeros(1)), [1])
