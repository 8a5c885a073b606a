# ---
# jupyter:
#   jupytext:
#     formats: ipynb,py:percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # PDE data: solvers that can be checked, files that say what they hold
#
# An operator learns what its data say, errors included. So every equation here has an exact or manufactured solution
# beside it, every file names its equation, and a command says whether the file solves it. This notebook steps a
# soliton, measures the order of the time stepper, makes a set of turbulent flows, looks at it, spoils it and finds out.

# %%
import tempfile
from pathlib import Path

import jax
import matplotlib.pyplot as plt
import numpy as np

from pdes.equations import KortewegDeVries, NavierStokes
from pdes.steppers import cn_rk4, etdrk4, rollout
from pdes.travelling import kdv_soliton
from spectral.grid import Grid

folder = Path(tempfile.mkdtemp())

# %% [markdown]
# ## One interface
#
# An equation is $\dot{\hat u}_k = \lambda_k \hat u_k + N(\hat u)_k$ with a diagonal linear part. Any stepper runs any
# equation; states are Fourier amplitudes and float64 is a context. Here two solitons of the Korteweg-de Vries equation,
# the tall one of which overtakes the other and comes out unchanged.

# %%
grid = Grid((192,), (40.0,))
with jax.enable_x64(True):
    equation = KortewegDeVries(grid)
    # The slow one is ahead: where it would be after eight units of time.
    two = kdv_soliton(grid, 0.0, speed=4.0) + kdv_soliton(grid, 8.0, speed=1.0)
    start = equation.to_spectral(jax.numpy.asarray(two))
    states = jax.jit(lambda u: rollout(etdrk4(equation, 2e-3), u, n_outputs=60, inner_steps=50))(start)
    heights = np.asarray(jax.vmap(equation.to_physical)(states))
    before, after = equation.invariants(start), equation.invariants(states[-1])

fig, ax = plt.subplots(figsize=(7, 2.6))
ax.imshow(heights, origin="lower", aspect="auto", extent=(0, 40, 0, 6), cmap="magma")
ax.set(xlabel="x", ylabel="t", title="two solitons")
fig.tight_layout()
plt.show()
for name in before:
    print(f"{name}: {float(before[name]):.10f} at the start, {float(after[name]):.10f} at the end")

# %% [markdown]
# ## Is the solver right?
#
# Against one soliton, whose solution is known, the error falls with the fourth power of the step. CN-RK4, the stepper
# of jax-cfd and torch-cfd, is of second order in the linear part, which here is dispersion.

# %%
steps = np.array([100, 200, 400, 800])
curves: dict[str, list[float]] = {"ETDRK4": [], "CN-RK4": []}
line = Grid((192,), (40.0,))
with jax.enable_x64(True):
    equation = KortewegDeVries(line)
    begin, end = (equation.to_spectral(jax.numpy.asarray(kdv_soliton(line, t, speed=4.0))) for t in (0.0, 2.0))
    for name, stepper in (("ETDRK4", etdrk4), ("CN-RK4", cn_rk4)):
        for count in steps:
            step = stepper(equation, 2.0 / int(count))
            found = jax.jit(lambda u, step=step, count=int(count): rollout(step, u, 1, count)[0])(begin)
            curves[name].append(float(jax.numpy.linalg.norm(found - end) / jax.numpy.linalg.norm(end)))

fig, ax = plt.subplots(figsize=(4.5, 3))
for name, errors in curves.items():
    order = np.log2(errors[-2] / errors[-1])
    ax.loglog(2.0 / steps, errors, "o-", label=f"{name}, order {order:.1f}")
ax.set(xlabel="time step", ylabel="relative L2 error", title="a soliton")
ax.legend()
fig.tight_layout()
plt.show()

# %% [markdown]
# ## A data set
#
# A generator is a dataclass of plain numbers, and a set is found by them: the second call reads what the first one
# made. Sample $i$ depends on the seed and $i$ alone, so the bits are the same on any number of cores. These are
# Kolmogorov flows with drag; `python -m data.generate pde=ns_kolmogorov` does the same from the command line.

# %%
from data.generation import ensure
from data.source import load
from data.splits import SplitSpec
from pdes.generators import NavierStokesKolmogorov

generator = NavierStokesKolmogorov(
    shape=(48, 48), viscosity=0.01, max_speed=3.0, warmup=1.0, interval=0.5, n_snapshots=4, n_inputs=1
)
split = SplitSpec("train", samples=8, seed=0, resolutions=((32, 32),))
path = ensure(generator, split, folder)[32, 32]
assert ensure(generator, split, folder)[32, 32] == path
samples = load(path)
print(samples.x.shape, samples.y.shape)

# %% [markdown]
# What does the file hold? `python -m data.inspect FILE` prints its header, statistics, where in wavenumber the variance
# is, and how much of it lies at the edge of the grid, and draws a sheet of samples.

# %%
from data import inspection
from data.contact_sheet import contact_sheet
from data.schema import read_metadata

metadata = read_metadata(path)
spectra = inspection.spectra(metadata)
print(*inspection.describe_header(metadata), sep="\n")
print(*inspection.describe_fields(metadata, spectra), sep="\n")
sheet = plt.imread(contact_sheet(folder / "sheet.png", metadata, spectra, samples=3))
fig, ax = plt.subplots(figsize=(9, 4.5))
ax.imshow(sheet)
ax.axis("off")
fig.tight_layout()
plt.show()

# %% [markdown]
# ## Does it solve its equation?
#
# `python -m data.verify FILE` takes stored states, solves on to the next ones by the equation that the file names, with
# a step that it finds itself, and compares. Of a file whose fields were scaled by 5 %, or that names another viscosity,
# it says so. (The same works for sets of others: `python -m data.verify FILE pde=...` names the equation.)

# %%
import dataclasses
import shutil

import h5py

from data.equation_check import Plan, check_equation


def verdict(file: Path, named: NavierStokesKolmogorov) -> None:
    metadata = read_metadata(file)
    for finding in check_equation(metadata, named, Plan.of(metadata, named, [0, 5], intervals=1)):
        print(f"{finding.verdict:10}{finding.check}: {finding.detail}")


verdict(path, generator)
scaled = Path(shutil.copy(path, folder / "scaled.h5"))
with h5py.File(scaled, "r+") as file:
    file["fields/vorticity"][...] *= 1.05
verdict(scaled, generator)
verdict(path, dataclasses.replace(generator, viscosity=0.013))

# %% [markdown]
# ## Budgets
#
# Advection moves energy and enstrophy between scales and makes none: what the forcing puts in less what viscosity and
# drag take out is what the flow gains, to the accuracy of the time stepper.

# %%
from pdes.diagnostics import budgets, energy
from pdes.forcing import kolmogorov

with jax.enable_x64(True):
    box = generator.grid
    flow = NavierStokes(box, generator.viscosity, generator.drag, kolmogorov(box, generator.waves, generator.amplitude))
    fine = jax.numpy.asarray(generator(jax.random.key(1))["vorticity"][0])
    states = jax.jit(lambda w: rollout(etdrk4(flow, 5e-3), w, n_outputs=200))(flow.to_spectral(fine))
    energies = np.asarray(energy(states, box))
    rates, _ = budgets(states, box, flow.linear, flow.forcing_hat)
    times = 5e-3 * np.arange(1, 201)

fig, axes = plt.subplots(1, 2, figsize=(8, 2.8))
axes[0].plot(times, energies)
axes[0].set(xlabel="t", ylabel="energy", title="kinetic energy")
axes[1].plot(times[1:-1], (energies[2:] - energies[:-2]) / 1e-2, label="measured")
axes[1].plot(times, np.asarray(rates), "--", label="prescribed")
axes[1].set(xlabel="t", ylabel="dE/dt", title="its budget")
axes[1].legend()
fig.tight_layout()
plt.show()

# %% [markdown]
# ## Without a file
#
# `python train.py experiment=... data.loader=online` trains on samples that are made on the way and seen once. The
# stream is the set above without an end: batch 0 is its first rows, and batch 1000 needs none of those before it.

# %%
from data.online import OnlineLoader

online = OnlineLoader(generator, split, batch_size=4)
x, y = next(online.batches(0))
print(x.shape, y.shape, "equal to the file:", np.array_equal(x, samples.x[:4]))
later, _ = next(online.batches(1000))
print("samples", online.indices(1000), "have root mean square", float(np.sqrt(np.mean(np.square(later)))))
