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
# # Gaussian processes: equations as data
#
# A differential equation at some points is a set of measurements of its solution, and a Gaussian process can be
# conditioned on them. We solve a problem of high frequency in two ways, look at what the process says about itself,
# leave the grid, and make training data that carry certificates. Everything is float64.

# %%
import jax

jax.config.update("jax_enable_x64", True)

import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np

from pdes.gp.direct import mixtures_from_data, solve
from pdes.gp.problems import PROBLEMS

P1 = PROBLEMS["P1"]
print(P1.title, P1.box, P1.shape)
told = P1.collocate()  # source and data at the ends; the solution is not among them

# %% [markdown]
# ## Frequencies from the data
#
# The kernels are envelopes times cosines. Their frequencies are the peaks of the periodogram of the source, and what
# follows is one linear solve.

# %%
mixtures = mixtures_from_data(told)
solution = solve(told, mixtures)
x = P1.test_points[0]
figure, axes = plt.subplots(1, 3, figsize=(12, 3.2), layout="constrained")
rows = told.lines(0)[0][0]
window = np.hanning(rows.shape[1] + 2)[1:-1]
power = np.abs(np.fft.rfft(rows[0] * window)) ** 2
axes[0].semilogy(2 * np.pi * np.arange(len(power)) / told.axes[0].length, power / power.max(), lw=0.8)
axes[0].set(title="periodogram of the source", xlabel="rad per length", ylim=(1e-12, 3))
s = jnp.linspace(0, 25, 4000)
axes[1].semilogy(2 * np.pi * s, mixtures[0].power_spectral_density(s), lw=0.8)
axes[1].set(title="power spectrum of the kernel", xlabel="rad per length")
axes[2].semilogy(x, np.abs(np.asarray(solution([x]) - P1.solution(x))) + 1e-16, lw=0.8)
axes[2].set(title=f"error of one solve, relative L2 {P1.error(solution([x])):.0e}", xlabel="x")
plt.show()

# %% [markdown]
# ## The paper's way: Adam's method on everything at once
#
# `pdes.gp.joint` maximises one density over values, kernels and noise levels. It follows the published code's iterates;
# after 100 of 100,000 steps the waves are there at about half their height.

# %%
from pdes.gp.joint import JointModel, fit

model = JointModel(told)
state, moments, done = model.start(P1.highest), None, 0
figure, axes = plt.subplots(1, 2, figsize=(12, 3), layout="constrained", width_ratios=(2, 1))
fine = np.linspace(0, 0.4, 400)
axes[0].plot(fine, np.sin(100 * fine), "k", lw=2.5, alpha=0.3, label="truth")
objective = []
for steps in (1, 51, 96):
    found = fit(model, state, steps - done, optimizer_state=moments)
    state, moments, done = found.last, found.optimizer, steps
    objective.extend(found.objective)
    error = P1.error(model.predict(state, P1.test_points))
    axes[0].plot(fine, model.predict(state, [fine]), lw=1, label=f"step {steps}: error {error:.4f}")
axes[0].legend(loc="upper right", fontsize=8)
axes[0].set(title="iterates", xlabel="x")
axes[1].semilogy(np.arange(len(objective)), objective)
axes[1].set(title="objective", xlabel="step")
plt.show()

# %% [markdown]
# ## A posterior band
#
# Given the equation jointly, with all covariances, the process has a standard deviation too. On few points it is wide
# between them, and the solution lies in it.

# %%
from pdes.gp.axis import Axis
from pdes.gp.collocation import DIRICHLET, Collocation
from pdes.gp.equations import poisson
from pdes.gp.gram import solve_gram
from pdes.gp.kernels import SpectralMixture


def wave(x):
    return jnp.sin(12 * x) + x


figure, axes = plt.subplots(1, 3, figsize=(12, 3), layout="constrained", sharey=True)
fine = np.linspace(0, 1, 300)
for panel, n in zip(axes, (8, 12, 20), strict=True):
    few = Collocation.of(poisson(1), [Axis(0.0, 1.0, n)], [DIRICHLET], wave)
    known = solve_gram(few, [SpectralMixture.of([1.0], 1 / 0.2, [0.0], "matern52")])
    mean, deviation = (np.asarray(part) for part in (known([fine]), known.deviation([fine])))
    panel.fill_between(fine, mean - 2 * deviation, mean + 2 * deviation, alpha=0.3, label="two deviations")
    panel.plot(fine, mean, lw=1, label="mean")
    panel.plot(fine, wave(fine), "k--", lw=1, label="truth")
    panel.set(title=f"{n} points", xlabel="x")
axes[0].legend(fontsize=8)
plt.show()

# %% [markdown]
# ## Without a grid
#
# On scattered points a kernel of Matern's and a sparse factor of its inverse covariance stand in for the structure.
# Points are ordered from coarse to fine; each sees the ones before it that are near on its own scale.

# %%
from pdes.gp.equations import cubic_elliptic
from pdes.gp.scattered.domains import DOMAINS
from pdes.gp.scattered.matern import Matern
from pdes.gp.scattered.ordering import maximin
from pdes.gp.scattered.problem import Scattered
from pdes.gp.scattered.solver import solve_scattered


def hill(x, y):
    return jnp.sin(5 * x) * jnp.cos(4 * y) + jnp.exp(x * y)


inside, boundary = DOMAINS["star"].points(2000)
star = Scattered.of(cubic_elliptic(2), inside, boundary, hill)  # -Lap u + u^3 = f
answer = solve_scattered(star, Matern(scale=0.6))
print(f"{answer.steps} steps, iterations {answer.iterations}, {answer.entries:.0f} entries a column")
order, lengths = maximin(np.concatenate([inside, boundary]))
places = np.concatenate([inside, boundary])[order]
figure, axes = plt.subplots(1, 3, figsize=(12, 3.6), layout="constrained")
axes[0].scatter(*places.T, s=250 * lengths, c=np.arange(len(places)), cmap="viridis_r")
axes[0].set_title("order: large points first")
truth = np.asarray(hill(*inside.T))
for panel, field, title in (
    (axes[1], answer.values, "solution of -Lap u + u³ = f"),
    (axes[2], np.log10(np.abs(answer.values - truth) + 1e-16), "log10 of the error"),
):
    figure.colorbar(panel.scatter(*inside.T, c=field, s=5), ax=panel)
    panel.set_title(title)
for panel in axes:
    panel.set_aspect("equal")
plt.show()

# %% [markdown]
# ## Data with certificates
#
# `pde=gp_poisson` solves Poisson's equation for random sources and boundary values. Each sample says how good it is: by
# the residual of the equation at the centres of the cells, where the solver did not look, and a pessimistic deviation.

# %%
import dataclasses

from pdes.generators import GPPoisson

generator = GPPoisson((33, 33), modes=8)
key = jax.random.key(3)
sample = {name: np.asarray(field[0]) for name, field in generator(key).items()}
finer = dataclasses.replace(generator, shape=(129, 129))
reference = np.asarray(generator.restrict(finer(key)["solution"], (33, 33))[0])
sample["error"] = np.abs(sample["solution"] - reference)
figure, axes = plt.subplots(2, 3, figsize=(11, 6), layout="constrained")
for panel, name in zip(axes.flat, ("source", "boundary", "solution", "residual", "deviation", "error"), strict=True):
    figure.colorbar(panel.imshow(sample[name].T, origin="lower", extent=(0, 1, 0, 1)), ax=panel)
    panel.set_title(name)
plt.show()
print(f"relative error {np.linalg.norm(sample['error']) / np.linalg.norm(reference):.0e}")

# %% [markdown]
# ## When to use which
#
# Few waves and many points per box: `direct`. Few points, or a need for error bars: `gram`. No grid: `scattered`. A
# smooth solution in a box, or a chirp: take a spectral method, which is faster and better (`docs/gp.md`).
