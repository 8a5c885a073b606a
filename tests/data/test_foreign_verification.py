"""Files of others are verified by an equation that is named: the layouts of the first Fourier neural operators."""

import dataclasses

import numpy as np
import pytest
import scipy.io
import scipy.sparse
import scipy.sparse.linalg

from data.collection import Selection
from data.conversion import find_or_convert
from data.equation_check import Plan, check_equation
from data.readers.registry import build_reader
from data.schema import read_metadata
from data.solving import Solver
from data.verification import FAILS, HOLDS
from pdes.generators import BurgersFlow, DarcyFlow, NavierStokesLi

BURGERS = BurgersFlow(shape=(48,))
LI = NavierStokesLi(shape=(24, 24), viscosity=0.02, warmup=0.0, interval=0.5, n_snapshots=3, n_inputs=1)


def verdicts(folder, name, arrays, generator):
    path = folder / f"{name}.mat"
    scipy.io.savemat(path, arrays)
    metadata = read_metadata(find_or_convert(build_reader("fno_mat"), [path], Selection(), folder))
    return [finding.verdict for finding in check_equation(metadata, generator, Plan.of(metadata, generator, [0, 1]))]


def states(generator, shape):
    """Of two samples."""
    return Solver(generator, 0, (shape,), samples=2)(np.arange(2))[shape]


def test_navier_stokes(tmp_path):
    """The start is a field of its own, and a state like the others."""
    w = states(LI, (16, 16))["vorticity"]
    arrays = {"a": w[:, 0], "u": np.moveaxis(w[:, 1:], 1, -1), "t": np.array([[0.5, 1.0]])}
    assert verdicts(tmp_path, "ns", arrays, LI) == [HOLDS, HOLDS]
    assert FAILS in verdicts(tmp_path, "ns", arrays, dataclasses.replace(LI, viscosity=0.03))


def test_burgers(tmp_path):
    """Two fields of one time each are two states."""
    u = states(BURGERS, (32,))["velocity"]
    assert verdicts(tmp_path, "burgers", {"a": u[:, 0], "u": u[:, 1]}, BURGERS) == [HOLDS]
    assert verdicts(tmp_path, "wrong", {"a": u[:, 0], "u": 1.05 * u[:, 1]}, BURGERS) == [FAILS]


@pytest.mark.parametrize(("scale", "verdict"), [(1.0, HOLDS), (1.15, FAILS)])
def test_darcy_at_nodes(tmp_path, scale, verdict):
    """Finite differences at nodes against our volumes around them, with a constant permeability."""
    n, one = 17, np.ones(15)
    second = scipy.sparse.diags([-one[1:], 2 * one, -one[1:]], [-1, 0, 1]) * (n - 1) ** 2
    laplacian = scipy.sparse.kronsum(second, second).tocsc()
    inner = scipy.sparse.linalg.spsolve(laplacian, np.ones(15 * 15)).reshape(15, 15)
    coeff = np.array([3.0, 12.0])[:, None, None] * np.ones((n, n))
    sol = scale * np.pad(inner, 1) / coeff
    assert verdicts(tmp_path, "piececonst", {"coeff": coeff, "sol": sol}, DarcyFlow(shape=(48, 48))) == [verdict]
