"""What a generator refuses when it is made, and a covariance without a shift."""

import math

import jax
import numpy as np
import pytest
from jaxtyping import config

from data.synthetic import HeatFlow
from pdes.generators import (
    BurgersFlow,
    DarcyFlow,
    NavierStokesDecaying,
    NavierStokesForcing,
    NavierStokesKolmogorov,
    NavierStokesLi,
    NavierStokesTaylorGreen,
    RandomStart,
)
from pdes.random_fields import Covariance
from spectral.grid import Grid


@pytest.fixture(autouse=True)
def unchecked():
    """Users run without the checks of annotations that the tests are under."""
    before = config.jaxtyping_disable
    config.update("jaxtyping_disable", True)
    yield
    config.update("jaxtyping_disable", before)


@pytest.mark.parametrize(
    ("make", "values", "message"),
    [
        (NavierStokesForcing, {"scale": -1}, "scale: got -1, wanted positive numbers"),
        (NavierStokesForcing, {"scale": 0}, "scale.*wanted positive numbers"),
        (NavierStokesForcing, {"tau": -1.0}, "tau: got -1.0, wanted numbers >= 0"),
        (NavierStokesForcing, {"final_time": math.inf}, "final_time.*got .*inf"),
        (NavierStokesForcing, {"shape": (64.5, 64)}, r"shape: got \(64.5, 64\), wanted 2 whole numbers"),
        (NavierStokesForcing, {"shape": 64}, "shape: got 64, wanted 2 whole numbers"),
        (NavierStokesForcing, {"shape": (64,)}, "shape: got .64,., wanted 2 whole numbers"),
        (BurgersFlow, {"alpha": 0}, "alpha.*wanted positive"),
        (BurgersFlow, {"scale": math.nan}, "scale.*got .*nan"),
        (DarcyFlow, {"alpha": -2.0}, "alpha.*wanted positive"),
        (DarcyFlow, {"tau": "3"}, "tau: got '3', wanted numbers >= 0"),
        (NavierStokesDecaying, {"energy": -1}, "energy.*got -1"),
        (NavierStokesDecaying, {"peak": 0}, "peak.*wanted positive"),
        (NavierStokesDecaying, {"viscosity": -1e-3}, "viscosity: got -0.001"),
        (NavierStokesDecaying, {"convention": "1985"}, "convention: got '1985', wanted one of 1984"),
        (NavierStokesDecaying, {"n_inputs": 1.5}, "n_inputs: got 1.5, wanted whole"),
        (NavierStokesDecaying, {"warmup": math.nan}, "warmup.*got nan"),
        (NavierStokesKolmogorov, {"waves": 0.5}, "waves: got 0.5, wanted whole"),
        (NavierStokesKolmogorov, {"drag": -1}, "drag: got"),
        (NavierStokesKolmogorov, {"amplitude": math.nan}, "amplitude: got nan"),
        (NavierStokesLi, {"convention": "li"}, "convention: got 'li', wanted one of li_paper"),
        (NavierStokesTaylorGreen, {"max_waves": 1.5}, "max_waves: got 1.5, wanted whole"),
        (RandomStart, {"equation": "AllenCahn", "dt": -1}, "dt: got .*-1"),
        (RandomStart, {"equation": "KuramotoSivashinsky", "low": "a"}, "low: got 'a', wanted a number"),
        (RandomStart, {"equation": "AllenCahn", "length": "a"}, "extent: got .'a',."),
        (
            RandomStart,
            {"equation": "KortewegDeVries", "coefficients": {"dispersion": "abc"}},
            "coefficients.dispersion: got 'abc', wanted a number",
        ),
        (HeatFlow, {"num_modes": 0.5}, "num_modes: got 0.5, wanted whole"),
        (HeatFlow, {"num_modes": 0}, "num_modes: got 0, wanted whole"),
        (HeatFlow, {"time": -1.0}, "time: got .*-1.0"),
        (Covariance, {"scale": -1.0, "shift": 0.0, "power": 1.0}, "scale, shift, power: got -1.0"),
    ],
)
def test_refused_when_made(make, values, message):
    with pytest.raises(ValueError, match=message):
        make(**values)


@pytest.mark.parametrize("make", [NavierStokesForcing, BurgersFlow, DarcyFlow])
def test_no_shift_is_a_power_of_the_laplacian(make):
    """The eigenvalue at k = 0 is infinite, and left out of a mean-free field."""
    shape = (12,) * len(make().shape)
    generator = make(shape, tau=0.0)
    grid = generator.grid
    found = generator.covariance.eigenvalues(grid)
    k2 = grid.wavenumber_squared
    np.testing.assert_array_equal(found[k2 > 0], generator.covariance.scale * k2[k2 > 0] ** -generator.alpha)
    assert found[k2 == 0] == 0
    assert getattr(generator, "steps", 1) >= 1


def test_sample_of_no_shift():
    values = jax.jit(DarcyFlow((9, 9), tau=0.0))(jax.random.key(0))
    assert set(np.unique(values["permeability"])) == {3, 12} and np.isfinite(values["pressure"]).all()


def test_whole_numbers_of_numpy():
    assert NavierStokesForcing(tuple(np.array([64, 64]))) == NavierStokesForcing((64, 64))
    assert HeatFlow(num_modes=np.int64(4)) == HeatFlow()  # pyright: ignore[reportArgumentType]
    assert Grid(np.array([4, 6])).shape == (4, 6)  # pyright: ignore[reportArgumentType]
