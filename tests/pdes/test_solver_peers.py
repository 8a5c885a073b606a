"""The same flow through jax-cfd, torch-cfd and exponax: equal to round-off under their masks, close under ours."""

import dataclasses

import flow_testing as flow
import jax
import numpy as np
import pytest
from flow_testing import BOX, relative, run, square

from pdes import forcing
from pdes.equations import NavierStokes
from pdes.steppers import cn_rk4, etdrk4
from spectral.grid import Grid

pytestmark = [
    pytest.mark.peers,
    pytest.mark.usefixtures("x64"),
    pytest.mark.filterwarnings("ignore"),
]
VISCOSITY, DT, STEPS, N = 0.05, 1 / 128, 64, 64
KX, KY = square(N).modes
# Every mask here keeps these: ours goes to 21, that of exponax to 20, that of jax-cfd from -21 to 20 (and 21 along y).
COMMON = (np.abs(KX) <= 20) & (KY <= 20)
ASYMMETRIC = (KX >= -21) & (KX <= 20) & (KY <= 21)


@dataclasses.dataclass(frozen=True, eq=False)
class OtherMasks(NavierStokes):
    """The convective form between two masks."""

    before: np.ndarray | None = None
    after: np.ndarray | None = None
    dealias: bool = False

    def nonlinear(self, u_hat: jax.Array) -> jax.Array:
        return super().nonlinear(u_hat * self.before) * self.after


def test_jax_cfd():
    """CN-RK4, same scheme and sign; its mask is not symmetric and acts on the product alone."""
    grids = pytest.importorskip("jax_cfd.base.grids")
    equations = pytest.importorskip("jax_cfd.spectral.equations")
    stepping = pytest.importorskip("jax_cfd.spectral.time_stepping")
    start = flow.turbulence()
    with jax.numpy_rank_promotion("allow"):
        theirs = equations.NavierStokes2D(VISCOSITY, grids.Grid((N, N), domain=((0, BOX), (0, BOX))))
        # Their spectra are sums over the points, ours means.
        end = run(stepping.crank_nicolson_rk4(theirs, DT), start * N**2, STEPS) / N**2
    same = OtherMasks(square(N), VISCOSITY, before=np.ones_like(ASYMMETRIC), after=ASYMMETRIC)
    assert relative(run(cn_rk4(same, DT), start, STEPS), end) <= 1e-13
    ours = run(cn_rk4(NavierStokes(square(N), VISCOSITY), DT), start, STEPS)
    assert relative(ours * COMMON, end * COMMON) <= 1e-5


@pytest.mark.parametrize("name", ["li", "kolmogorov"])
def test_torch_cfd(name):
    """CN-RK4 of forced flows, with drag in one. Its mask is ours; that it acts on the product alone changes nothing."""
    torch = pytest.importorskip("torch")
    forcings = pytest.importorskip("torch_cfd.forcings")
    grids = pytest.importorskip("torch_cfd.grids")
    spectral = pytest.importorskip("torch_cfd.spectral")
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    try:
        length, drag = (1.0, 0.0) if name == "li" else (BOX, 0.1)
        box = grids.Grid((N, N), domain=((0, length), (0, length)))
        if name == "li":
            force = forcings.SinCosForcing(grid=box)
        else:
            force = forcings.KolmogorovForcing(grid=box, scale=1.0, wave_number=4, vorticity=True)
        stepper = spectral.RK4CrankNicolsonStepper()
        theirs = spectral.NavierStokes2DSpectral(VISCOSITY, box, drag, forcing_fn=force, step_fn=stepper)
        start = flow.turbulence()
        end, _ = theirs(torch.tensor(np.asarray(start)) * N**2, DT, STEPS)
    finally:
        torch.set_default_dtype(before)
    grid = Grid((N, N), (length,))
    field = forcing.li(grid) if name == "li" else forcing.kolmogorov(grid)
    # Round-off of another form of the advection, over all the steps.
    ours = run(cn_rk4(NavierStokes(grid, VISCOSITY, drag, field), DT), start, STEPS)
    assert relative(ours, end.numpy() / N**2) <= 1e-12
    unforced = run(cn_rk4(NavierStokes(grid, VISCOSITY), DT), start, STEPS)
    assert relative(unforced, end.numpy() / N**2) >= 1e-2


def test_exponax():
    """ETDRK4; exponax has Lap psi = w, so its state is minus ours."""
    exponax = pytest.importorskip("exponax")
    start = flow.turbulence()
    with jax.numpy_rank_promotion("allow"):
        theirs = exponax.stepper.NavierStokesVorticity(2, BOX, N, DT, diffusivity=VISCOSITY, order=4)
        end = -run(lambda w: theirs.step_fourier(w[None])[0], -start * N**2, STEPS) / N**2
    same = OtherMasks(square(N), VISCOSITY, before=COMMON, after=COMMON)
    # It does not filter the state itself, which starts with the modes beyond its mask and lets them decay.
    assert relative(run(etdrk4(same, DT), start, STEPS), end) <= 1e-13
    ours = run(etdrk4(NavierStokes(square(N), VISCOSITY), DT), start, STEPS)
    assert relative(ours * COMMON, end * COMMON) <= 3e-5
