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
# # The refiner: from a network's prediction to a solver's accuracy
#
# A space-time operator predicts ten snapshots of decaying turbulence at once. Then the equation takes over: the outputs
# are changed until they satisfy it, without a truth, and what is made smaller says how far off the prediction was.

# %%
import tempfile
from pathlib import Path

import jax
import matplotlib.pyplot as plt
import numpy as np
from hydra import compose, initialize_config_module

from data.source import load
from training.config import register
from training.run import run
from training.trained import load_run
from training.trajectory import trajectory_of

folder = Path(tempfile.mkdtemp())
register()
OVERRIDES = [
    "experiment=ns_stfno", "run_id=stfno", f"output={folder}", f"data.root={folder}/data",
    # A smooth flow on 32 x 32 points, short trajectories: a minute.
    "pde.shape=[48, 48]", "pde.viscosity=5e-3", "pde.n_snapshots=30",
    "data.splits.train={samples: 40, seed: 0, resolutions: [[32, 32]]}",
    "data.splits.valid=null",
    "data.splits.test={samples: 6, seed: 2, resolutions: [[32, 32]]}",
    "operator.n_modes=[31, 31, 9]", "operator.hidden_channels=8", "operator.n_layers=3",
    "data.batch_size=2", "trainer.epochs=15", "trainer.eval_every=0", "checkpoint.every_epochs=15", "plots=false",
    "trainer.steps_per_dispatch=20", "logger.console_every_seconds=1e9",
]  # fmt: skip
with initialize_config_module("configs", version_base="1.3"):
    run(compose("train", overrides=OVERRIDES))

# %%
path = next((folder / "data").rglob("test_*.h5"))
samples = load(path, {"vorticity": tuple(range(10))}, {"vorticity": tuple(range(10, 20))})
model = load_run(folder / "stfno")
history, truth = samples.x, samples.y
prediction = np.asarray(jax.jit(lambda u: model(u))(history))


def error(found) -> np.ndarray:
    """Relative L2 error of every sample."""
    axes = (1, 2, 3)
    return np.sqrt(np.square(found - truth).sum(axes) / np.square(truth).sum(axes))


error(prediction).round(3)

# %% [markdown]
# ## Two residuals, and one that says nothing
#
# `Differences` compares differences in time with the right-hand side, `Shooting` every snapshot with a solver's step
# from the one before. `SolverStep`, the published one, takes a tiny step from the snapshot itself: it asks whether the
# solver solves the equation, not whether the trajectory does. Snapshots of different flows in a row tell them apart.

# %%
from operators.refiner import LBFGS, Adam, Differences, Newton, Refiner, Shooting, SolverStep, Stopping
from pdes.steppers import cn_rk4, imex_cn

flow = trajectory_of(samples, what="this notebook")
residuals = {
    "Differences": Differences(flow.equation, flow.interval, 6),
    "Shooting": Shooting(flow.equation, flow.interval, cn_rk4, 2),
    # In float32 a step of 1e-6 would be round-off alone.
    "SolverStep": SolverStep(flow.equation, flow.interval, imex_cn, delta=1e-3),
}
mixed = np.stack([np.roll(truth[(i + np.arange(10)) % 6, ..., i], i, 1) for i in range(10)], -1)[:6]
cases = {"truth": truth, "prediction": prediction, "unrelated snapshots": mixed}
figure, axes = plt.subplots(figsize=(7, 3), layout="constrained")
for i, (name, residual) in enumerate(residuals.items()):
    estimates = [float(Refiner(residual).estimate(u, history).mean()) for u in cases.values()]
    axes.bar(np.arange(3) + 0.27 * (i - 1), estimates, 0.25, label=name)
axes.set(xticks=range(3), xticklabels=list(cases), ylabel="estimate / that of persistence", yscale="log")
axes.legend()
plt.show()

# %% [markdown]
# ## Refined
#
# Two hundred steps of Adam on all samples at once; Newton's method goes to the solution of the solver in the residual.

# %%
refiners = {
    "Differences, Adam": Refiner(residuals["Differences"], Adam(200)),
    "Shooting, Adam": Refiner(residuals["Shooting"], Adam(200)),
    "Shooting, Newton": Refiner(residuals["Shooting"], Newton(4)),
}
refined = {name: refiner(prediction, history) for name, refiner in refiners.items()}
print(f"{'prediction':20s} error {error(prediction).mean():.1e}")
for name, found in refined.items():
    print(f"{name:20s} error {error(found.trajectory).mean():.1e}, estimate {found.after.mean():.1e}")
print(f"estimate of the truth by differences: {refiners['Differences, Adam'].estimate(truth, history).mean():.1e}")

# %%
shown = {"prediction": prediction, "refined": refined["Shooting, Adam"].trajectory, "truth": truth}
limit = np.abs(truth[0, ..., -1]).max()
figure, axes = plt.subplots(1, 5, figsize=(13, 2.8), layout="constrained")
for panel, (name, field) in zip(axes, shown.items(), strict=False):
    panel.imshow(field[0, ..., -1].T, origin="lower", cmap="RdBu_r", vmin=-limit, vmax=limit)
    panel.set_title(name)
worst = np.abs(prediction - truth)[0, ..., -1].max()
for panel, name in zip(axes[3:], ("prediction", "refined"), strict=True):
    difference = (shown[name] - truth)[0, ..., -1]
    image = panel.imshow(difference.T, origin="lower", cmap="PuOr_r", vmin=-worst, vmax=worst)
    panel.set_title(f"{name} - truth")
figure.colorbar(image, ax=axes[4])
for panel in axes:
    panel.set_axis_off()
plt.show()

# %%
figure, (left, right) = plt.subplots(1, 2, figsize=(11, 3.4), layout="constrained")
for (name, found), color in zip(refined.items(), ("C0", "C1", "C2"), strict=True):
    left.semilogy(np.asarray(found.history).T, color=color, lw=1)
    left.plot([], [], color=color, label=name)
    over_time = np.linalg.norm(found.trajectory - truth, axis=(1, 2)) / np.linalg.norm(truth, axis=(1, 2))
    right.semilogy(np.arange(1, 11), over_time.T, color=color, lw=1)
over_time = np.linalg.norm(prediction - truth, axis=(1, 2)) / np.linalg.norm(truth, axis=(1, 2))
right.semilogy(np.arange(1, 11), over_time.T, "k--", lw=1)
left.set(xlabel="step", ylabel="estimate / that of persistence")
right.set(xlabel="output", ylabel="relative L2 error (dashed: prediction)")
left.legend()
plt.show()

# %% [markdown]
# ## What the estimate knows
#
# The estimate is computed without the truth. Along a refinement by L-BFGS it falls with the true error.

# %%
steps = (0, 4, 12, 36)
along = [Refiner(residuals["Differences"], LBFGS(n), Stopping(patience=0))(prediction, history) for n in steps]
errors = np.stack([error(found.trajectory) for found in along])
estimates = np.stack([np.asarray(found.after) for found in along])
figure, axes = plt.subplots(figsize=(4.6, 3.4), layout="constrained")
axes.loglog(estimates, errors, "o-", ms=4)
axes.set(xlabel="estimate", ylabel="true relative L2 error", title="six samples, 0 to 36 steps of L-BFGS")
axes.grid(True, which="both", alpha=0.3)
plt.show()
print("correlation of the logarithms", np.corrcoef(np.log(errors).ravel(), np.log(estimates).ravel())[0, 1].round(3))

# %% [markdown]
# ## The honest competitor
#
# One step of a serial solver per snapshot: five evaluations of the right-hand side, ten times, one after the other. The
# refinements above took hundreds. What they have in return is that all outputs are evaluated at once, and an estimate.


# %%
@jax.jit
def solved(history):
    one = Shooting(flow.equation, flow.interval, cn_rk4, 1)
    refiner = refiners["Shooting, Adam"]
    return jax.vmap(lambda h: refiner.fields(one.solve(refiner.states(h), 10), (32, 32, 10)))(history)


print(f"one step of CN-RK4 per snapshot: error {error(solved(history)).mean():.1e}")

# %% [markdown]
# `python train.py experiment=ns_refiner` trains, freezes, refines and compares at 64 x 64 points, `python -m
# training.evaluate run=outputs/<id> refine=shooting` refines the predictions of any run, and `python -m
# benchmarks.refiner` draws error against cost.
