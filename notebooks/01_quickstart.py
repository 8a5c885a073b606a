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
# # Quickstart: learn a Navier-Stokes solution operator
#
# A random force stirs a fluid at rest on the torus. We generate pairs (force, vorticity at T = 5) with a spectral
# solver, train a small tensorised Fourier neural operator on a 32 x 32 grid, evaluate it on 48 x 48 points without
# retraining, and look at spectra: where in scale space the error sits.

# %%
import tempfile
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from hydra import compose, initialize_config_module
from omegaconf import OmegaConf

from training.config import register

folder = Path(tempfile.mkdtemp())
register()
with initialize_config_module("configs", version_base="1.3"):
    cfg = compose(
        "train",
        overrides=[
            "experiment=ns_tfno",
            f"output={folder}/outputs",
            "data.splits.train={samples: 32, seed: 0, resolutions: [[32, 32]]}",
            "data.splits.valid=null",
            "data.splits.test={samples: 8, seed: 2, resolutions: [[32, 32], [48, 48]], generator: null}",
            "operator.n_modes=[12, 12]",
            "operator.hidden_channels=16",
            "++operator.n_layers=3",
            "data.batch_size=8",
            "trainer.epochs=8",
            "trainer.steps_per_dispatch=4",
            "trainer.eval_every=0",
            "pde.shape=[72, 72]",
        ],
    )

# %% [markdown]
# One call does what `python train.py experiment=ns_tfno` does: generate what is missing, train, evaluate, save, plot.
# Data go to `$SPECTRAL_DATA`, else to `datasets/`, where the next notebook finds them again.

# %%
from training.run import run

run(cfg)
directory = next((folder / "outputs").glob("ns_tfno-*"))
sorted(path.name for path in directory.iterdir())

# %% [markdown]
# ## The result
#
# The same parameters at 32 x 32 and, never seen in training, at 48 x 48.

# %%
import json

result = json.loads((directory / "result.json").read_text())
for name in ("test/rel_l2", "test/rel_h1", "test_48x48/rel_l2", "test_48x48/rel_h1", "num_params"):
    print(f"{name:20s} {result[name]:.4g}")

# %% [markdown]
# ## Fields and spectra
#
# The run directory holds the pictures that a reader wants first; `report.html` collects them.

# %%
from IPython.display import Image, display

for picture in sorted((directory / "plots").glob("test_48x48*.png")):
    display(Image(filename=str(picture)))

# %% [markdown]
# ## The data themselves
#
# A file says what it is: equation, parameters, solver, seed. By these it is found: `ensure` would make what is missing.

# %%
from data.generation import ensure
from data.source import load
from data.splits import plan

config: Any = OmegaConf.to_container(cfg)
samples = load(ensure(*plan(config["pde"], config["data"])["test"])[48, 48])
print(samples.metadata.equation, dict(samples.metadata.parameters))
print("inputs", samples.x.shape, "targets", samples.y.shape)

# %%
from spectral.grid import Grid
from spectral.norms import shell_spectrum
from spectral.transforms import rfftn

grid = Grid(samples.metadata.shape, samples.metadata.extent)
figure, axes = plt.subplots(figsize=(5, 3.5))
for name, fields in (("force", samples.x), ("vorticity", samples.y)):
    power = np.mean(shell_spectrum(rfftn(fields[..., 0], axes=(1, 2)), grid), axis=0)
    axes.loglog(np.arange(1, len(power)), power[1:], label=name)
axes.set(xlabel="wavenumber", ylabel="power in the shell")
axes.legend()
plt.show()
