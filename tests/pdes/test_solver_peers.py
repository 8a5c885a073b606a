"""The same flow through jax-cfd and exponax. Their masks keep other modes, which bounds the agreement."""

import flow_testing as flow
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flow_testing import BOX, relative, run, square

from pdes.equations import NavierStokes
from pdes.steppers import cn_rk4, etdrk4

pytestmark = [pytest.mark.peers, pytest.mark.usefixtures("x64")]
VISCOSITY, DT, STEPS = 0.05, 1 / 128, 64


@pytest.mark.filterwarnings("ignore")
def test_jax_cfd():
    """CN-RK4, same scheme and sign; its mask is not symmetric and acts on the product alone."""
    grids = pytest.importorskip("jax_cfd.base.grids")
    equations = pytest.importorskip("jax_cfd.spectral.equations")
    stepping = pytest.importorskip("jax_cfd.spectral.time_stepping")
    with jax.numpy_rank_promotion("allow"):
        theirs = equations.NavierStokes2D(VISCOSITY, grids.Grid((64, 64), domain=((0, BOX), (0, BOX))))
        step = stepping.crank_nicolson_rk4(theirs, DT)
        start = flow.turbulence()
        found = run(cn_rk4(NavierStokes(square(64), VISCOSITY), DT), start, STEPS)
        # Their spectra are sums over the points, ours means.
        assert relative(run(step, start * 64**2, STEPS) / 64**2, found) <= 1e-5


@pytest.mark.filterwarnings("ignore")
def test_exponax():
    """ETDRK4; exponax has Lap psi = w, so its state is minus ours. It keeps |k| <= 20 where 21 are free of aliases."""
    exponax = pytest.importorskip("exponax")
    with jax.numpy_rank_promotion("allow"):
        theirs = exponax.stepper.NavierStokesVorticity(2, BOX, 64, DT, diffusivity=VISCOSITY, order=4)
        equation, start = NavierStokes(square(64), VISCOSITY), flow.turbulence()
        state = -equation.to_physical(start)[None]
        for _ in range(STEPS):
            state = theirs(state)
        found = run(etdrk4(equation, DT), start, STEPS)
        assert relative(equation.to_spectral(-state[0]), found) <= 3e-5
        assert np.isfinite(np.asarray(state)).all() and state.dtype == jnp.float64
