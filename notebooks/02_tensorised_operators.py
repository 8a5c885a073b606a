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
# # Tensorised operators: how few weights does a Fourier layer need?
#
# Almost all parameters of a Fourier neural operator are its spectral weights, one complex matrix over the channels for
# every mode: a tensor $W[i, o, k_x, k_y]$. We train a dense FNO, look at how quickly the singular values of that tensor
# fall, train tensorised operators (TFNO) in its place, and compare errors at a fraction of the parameters. The last
# pictures show how MG-TFNO cuts the domain into patches that see their surroundings on coarser levels.

# %%
import json
import tempfile
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from hydra import compose, initialize_config_module

from training.config import register
from training.run import run

folder = Path(tempfile.mkdtemp())
register()
LAYERS = 3


def train(name: str, *operator: str) -> Path:
    """A run on a small set of random forces and the vorticity that they stir up; small enough for a notebook."""
    overrides = [
        f"run_id={name}",
        f"output={folder}/outputs",
        # The sets of the quickstart, found again where it has run.
        "data.splits.train={samples: 32, seed: 0, resolutions: [[32, 32]]}",
        "data.splits.valid=null",
        "data.splits.test={samples: 8, seed: 2, resolutions: [[32, 32]], generator: null}",
        "pde.shape=[72, 72]",
        "data.batch_size=8",
        "trainer.epochs=8",
        "optimizer.learning_rate=1e-2",
        "plots=false",
        "trainer.eval_every=0",
        "checkpoint.every_epochs=8",
        "operator.n_modes=[12, 12]",
        "operator.hidden_channels=16",
        f"++operator.n_layers={LAYERS}",
        "logger.console_every_seconds=1e9",
    ]
    with initialize_config_module("configs", version_base="1.3"):
        run(compose("train", overrides=[*operator[:1], *overrides, *operator[1:]]))
    return folder / "outputs" / name


runs = {
    "FNO, dense": train("dense", "experiment=ns_fno"),
    "TFNO, Tucker": train("tucker", "experiment=ns_tfno", "operator.rank=0.1"),
    "TFNO, CP, one tensor for all layers": train(
        "joint", "experiment=ns_tfno", "operator.factorization=CP", "operator.rank=0.03",
        "+operator.joint_factorization=true",
    ),
}  # fmt: skip

# %% [markdown]
# ## What training adds to the tensor
#
# `load_run` gives the operator back, and its seed the one that training began with. Unfold the difference of their
# weights along each axis: where the singular values fall, a few directions carry what was learnt, and factors of that
# rank hold it. The random weights at the start have no such directions.

# %%
import jax
from flax import nnx

from operators import FNO
from training.trained import load_run

trained = {name: load_run(directory) for name, directory in runs.items()}
start = FNO((12, 12), 1, 1, 16, n_layers=LAYERS, rngs=nnx.Rngs(jax.random.key(0)))


def singular_values(weight: np.ndarray, axis: int) -> np.ndarray:
    """Of the tensor as a matrix: one axis against all others; relative to the largest."""
    values = np.linalg.svd(np.moveaxis(weight, axis, 0).reshape(weight.shape[axis], -1), compute_uv=False)
    return values / values[0]


figure, axes = plt.subplots(1, 4, figsize=(12, 2.8), sharey=True, layout="constrained")
for axis, (title, panel) in enumerate(zip(("input channels", "output channels", "$k_x$", "$k_y$"), axes, strict=True)):
    for layer, blocks in enumerate(zip(start.blocks, trained["FNO, dense"].operator.blocks, strict=True)):
        before, after = (np.asarray(block.conv.weight.dense()) for block in blocks)
        values = singular_values(after - before, axis)
        panel.plot(np.arange(1, len(values) + 1), values, marker=".", label=f"layer {layer + 1}")
    panel.plot(np.arange(1, len(values) + 1), singular_values(before, axis), "k:", label="at the start")
    panel.set(title=title, xlabel="index", ylim=(0, 1.05))
axes[0].set_ylabel("singular value / largest")
axes[-1].legend(fontsize="small")
plt.show()

# %% [markdown]
# ## Error against parameters

# %%
results = {name: json.loads((directory / "result.json").read_text()) for name, directory in runs.items()}
figure, axes = plt.subplots(figsize=(5, 3.2), layout="constrained")
for name, result in results.items():
    print(f"{name:36s} {result['num_params']:8,} parameters   relative L2 {result['test/rel_l2']:.3f}")
    axes.loglog(result["num_params"], result["test/rel_l2"], "o", label=name)
axes.set(xlabel="parameters", ylabel="relative L2 error, test set")
axes.grid(True, which="both", alpha=0.3)
axes.legend(fontsize="small")
plt.show()

# %% [markdown]
# `python -m benchmarks.compression` draws this curve at size, for every factorisation; see `docs/results.md`.
#
# ## What each of them predicts
#
# A trained operator takes physical fields, channels last, on any grid. The folder of a run says what its data are.

# %%
from omegaconf import OmegaConf

from data.generation import ensure
from data.source import load
from data.splits import plan

config: Any = OmegaConf.to_container(OmegaConf.load(runs["FNO, dense"] / "config.yaml"))
samples = load(ensure(*plan(config["pde"], config["data"])["test"])[32, 32])
truth = samples.y[0, ..., 0]
fields = {"vorticity": truth}
for name, model in trained.items():
    fields[name] = np.asarray(jax.jit(lambda u, model=model: model(u))(samples.x[:1]))[0, ..., 0]
figure, axes = plt.subplots(2, 4, figsize=(12, 5.4), layout="constrained")
limit = np.abs(truth).max()
for (name, field), (above, below) in zip(fields.items(), axes.T, strict=True):
    above.imshow(field.T, origin="lower", cmap="RdBu_r", vmin=-limit, vmax=limit)
    above.set_title(name, fontsize="small")
    below.imshow((field - truth).T, origin="lower", cmap="RdBu_r", vmin=-limit / 2, vmax=limit / 2)
    below.set_title("error, colours doubled", fontsize="small")
for panel in axes.flat:
    panel.set_axis_off()
axes[1, 0].set_visible(False)
plt.show()

# %% [markdown]
# ## Patches that see the whole domain
#
# MG-TFNO cuts a periodic field into $2^L \times 2^L$ patches. A patch comes with windows of the same number of points
# at every second, fourth, .. point around it, so the last level spans the whole domain. Patches can lie on different
# devices (`mesh.patches=[2,2]`), which then hold a part of the field each.

# %%
from operators.layers.patching import cut, patch_size, pyramid

levels = 2
size = patch_size((32, 32), levels)
windows = np.asarray(cut(pyramid(samples.y[:1], levels), size, padding=(2, 2)))
figure, axes = plt.subplots(1, levels + 2, figsize=(11, 2.9), layout="constrained")
axes[0].imshow(truth.T, origin="lower", cmap="RdBu_r", vmin=-limit, vmax=limit)
axes[0].add_patch(plt.Rectangle((size[0] - 0.5, size[1] - 0.5), *size, fill=False))
axes[0].set_title("field, one patch marked", fontsize="small")
for level, panel in enumerate(axes[1:]):
    panel.imshow(windows[0, 1, 1, :, :, level].T, origin="lower", cmap="RdBu_r", vmin=-limit, vmax=limit)
    panel.set_title(f"its window on level {level}", fontsize="small")
for panel in axes:
    panel.set_axis_off()
plt.show()
