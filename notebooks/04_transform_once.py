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
# # Transform Once: how few modes does a flow need?
#
# T1 goes to coefficients once, keeps a fixed set of modes, and has all its layers there; what it leaves out it can
# never predict. So the first question is how much that is. We look at the coefficients of a flow in two bases, at
# the error of the modes left out (the *floor*), and train a T1 against it.

# %%
import json
import tempfile
from pathlib import Path

import jax
import matplotlib.pyplot as plt
import numpy as np
from hydra import compose, initialize_config_module
from omegaconf import OmegaConf

from data.generation import ensure
from data.source import load
from data.splits import plan
from training.config import register

folder = Path(tempfile.mkdtemp())
register()
OVERRIDES = [
    "experiment=ns_t1", "pde=ns_forcing", "data=ns_forcing", "name=t1", "run_id=t1", f"output={folder}/outputs",
    # The sets of the quickstart, found again where it has run.
    "data.splits.train={samples: 32, seed: 0, resolutions: [[32, 32]]}",
    "data.splits.valid=null",
    "data.splits.test={samples: 8, seed: 2, resolutions: [[32, 32]], generator: null}",
    "pde.shape=[72, 72]", "data.batch_size=8", "trainer.epochs=12", "trainer.eval_every=0", "plots=false",
    "checkpoint.every_epochs=12", "logger.console_every_seconds=1e9",
    "operator.n_modes=[17, 17]", "operator.basis=fourier", "operator.n_layers=3",
    "operator.hidden_channels=16",
]  # fmt: skip
with initialize_config_module("configs", version_base="1.3"):
    cfg = compose("train", overrides=OVERRIDES)
config = OmegaConf.to_container(cfg, resolve=True)
splits = plan(config["pde"], config["data"])
train, test = (load(ensure(*splits[name])[32, 32]) for name in ("train", "test"))
vorticity = train.y

# %% [markdown]
# ## Coefficients
#
# The cosine transform (DCT-II) takes a field for one half of an even function, whose slope jumps at the edges of
# the box: its coefficients end in two strips along the axes. The Fourier transform of a periodic field has none.

# %%
from spectral.truncation import Truncation

figure, axes = plt.subplots(1, 3, figsize=(11, 3.2), layout="constrained")
axes[0].imshow(vorticity[0, ..., 0].T, origin="lower", cmap="RdBu_r")
axes[0].set_title("vorticity")
for panel, basis, modes in ((axes[1], "cosine", (32, 32)), (axes[2], "fourier", (31, 31))):
    transform = jax.jit(Truncation(modes, basis).forward)
    z = np.asarray(transform(vorticity))
    energy = np.square(z).sum(axis=(0, -2, -1))
    image = panel.imshow(np.log10(energy / energy.sum() + 1e-14).T, origin="lower", vmin=-9, vmax=0)
    panel.set_title(f"{basis}: log10 share of the energy")
figure.colorbar(image, ax=axes[2])
plt.show()

# %% [markdown]
# ## Floors
#
# The relative error of a field cut to its low modes, over the number of real coefficients that are kept, and of the
# cosine modes with the most energy over the training set, `selection=top_energy`.

# %%


def floor(kept: np.ndarray, z: np.ndarray, total: np.ndarray) -> float:
    """Mean relative L2 error of fields of energy `total` whose coefficients are cut to a mask."""
    inside = np.square(z * kept[None, ..., None, None]).sum(axis=(1, 2, 3, 4))
    return float(np.sqrt(np.maximum(total - inside, 0) / total).mean())


total = np.square(test.y).sum(axis=(1, 2, 3))
curves = {"cosine, low modes": [], "cosine, most energy": [], "Fourier, low modes": []}
cosine, sizes = Truncation((32, 32), "cosine"), (5, 9, 13, 17, 21, 25)
learnt, z = (np.asarray(jax.jit(cosine.forward)(v)) for v in (train.y, test.y))
ranking = np.argsort(-np.square(learnt).sum(axis=(0, -2, -1)), axis=None)
for m in sizes:
    corner, chosen = np.zeros((32, 32)), np.zeros(32 * 32)
    corner[:m, :m], chosen[ranking[: m * m]] = 1, 1
    curves["cosine, low modes"].append(floor(corner, z, total))
    curves["cosine, most energy"].append(floor(chosen.reshape(32, 32), z, total))
    low = np.asarray(jax.jit(Truncation((m, m), "fourier").forward)(test.y))
    curves["Fourier, low modes"].append(floor(np.ones(low.shape[1:3]), low, total))
figure, axes = plt.subplots(figsize=(5.2, 3.4), layout="constrained")
for (name, values), style in zip(curves.items(), ("o-", "s--", "^:"), strict=True):
    axes.semilogy([m * m for m in sizes], values, style, label=name)
axes.set(xlabel="real coefficients kept", ylabel="floor: relative L2 error of the rest")
axes.grid(True, which="both", alpha=0.3)
axes.legend(fontsize="small")
plt.show()

# %% [markdown]
# ## Training on coefficients
#
# With `loss=l2_spectral` the training set is transformed once, and a step never sees a grid. The floor is printed
# before training and stands in the result beside the error.

# %%
from training.run import run
from training.trained import load_run

run(cfg)
result = json.loads((folder / "outputs" / "t1" / "result.json").read_text())
for name in ("test/rel_l2", "test/floor_rel_l2", "num_params", "seconds_per_step"):
    print(f"{name:20s} {result[name]:.4g}")

# %%
model = load_run(folder / "outputs" / "t1")
prediction = np.asarray(jax.jit(lambda u: model(u))(test.x[:1]))
figure, axes = plt.subplots(1, 3, figsize=(10, 3.2), layout="constrained")
limit = np.abs(test.y[0]).max()
fields = {"truth": test.y[0], "T1": prediction[0], "T1 - truth, colours doubled": 2 * (prediction[0] - test.y[0])}
for panel, (name, field) in zip(axes, fields.items(), strict=True):
    panel.imshow(field[..., 0].T, origin="lower", cmap="RdBu_r", vmin=-limit, vmax=limit)
    panel.set_title(name, fontsize="small")
    panel.set_axis_off()
plt.show()

# %% [markdown]
# Thirty-two samples teach little; `python train.py experiment=ns_t1` is a run at size, `python -m
# benchmarks.transform_once` measures a training step beside one of an FNO.
