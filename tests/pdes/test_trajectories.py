"""Short trajectories recorded by `tests/fixtures/record_trajectories.py`, an independent NumPy solver."""

import json
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from pdes import steppers
from pdes.equations import NavierStokes
from spectral.grid import Grid

RECORDED = np.load(Path(__file__).parents[1] / "fixtures" / "trajectories.npz")
CASES = json.loads(RECORDED["cases"].item())
SCHEMES = ["imex_cn", "cn_rk2", "cn_rk4", "etdrk4", "ifrk4"]
# Round-off of six steps; measured up to 1e-15.
TOLERANCE = 1e-13

pytestmark = pytest.mark.usefixtures("x64")


def error(case: str, scheme: str, finer: int = 1, **changes: float) -> float:
    """Relative L2 distance of a trajectory from the recorded one.

    Args:
        case: name of the settings.
        scheme: name of the stepper.
        finer: into how many steps each one is divided.
        changes: settings in place of the recorded ones.
    """
    settings = CASES[case] | changes
    grid = Grid(tuple(settings["shape"]), tuple(settings["extent"]))
    equation = NavierStokes(grid, settings["viscosity"], settings["drag"], forcing=RECORDED[f"{case}/forcing"])
    step = getattr(steppers, scheme)(equation, settings["dt"] / finer)
    start = equation.to_spectral(jnp.asarray(RECORDED[f"{case}/start"]))
    count = settings["n_outputs"], settings["inner_steps"] * finer
    states = np.asarray(jax.jit(lambda w: steppers.rollout(step, w, *count))(start))
    wanted = RECORDED[f"{case}/{scheme}"]
    assert not states[:, ~equation.mask].any()
    return float(np.linalg.norm(states[:, equation.mask] - wanted) / np.linalg.norm(wanted))


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("case", CASES)
def test_recorded_trajectories(case, scheme):
    assert error(case, scheme) <= TOLERANCE


@pytest.mark.parametrize("scheme", SCHEMES)
def test_another_viscosity_is_told_apart(scheme):
    """One part in a million, which changes the flow by less than 1e-7 in six steps."""
    assert error("decaying", scheme, viscosity=0.02 * (1 + 1e-6)) > 100 * TOLERANCE


@pytest.mark.parametrize("scheme", ["imex_cn", "etdrk4"])
def test_another_time_step_is_told_apart(scheme):
    """Of the highest order too: half the step changes the error of its fourth power."""
    assert error("forced", scheme, finer=2) > 100 * TOLERANCE
