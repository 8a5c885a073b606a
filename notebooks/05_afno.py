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
# # Adaptive Fourier mixers
#
# An AFNO cuts a field into patches, makes a token of each, and mixes the tokens in Fourier space: one small
# network, the same for every mode, followed by a shrinkage. We look at three things that its published codes decide
# without saying so (which modes are mixed, what shifts do, when the shrinkage kills everything), and train one.

# %%
import json
import tempfile
from pathlib import Path

import jax
import matplotlib.pyplot as plt
import numpy as np
from flax import nnx

from operators.layers.afno_mixer import AFNOMixer
from operators.layers.afno_modes import Truncation

# %% [markdown]
# ## Which modes?
#
# Of 24 x 48 tokens, what FourCastNet's slices keep at the fractions 1 and 1/2, and what two-sided truncation keeps.
# At a half the published rule keeps the *highest* frequencies of the first axis.

# %%
shape = (24, 48)
cases = {
    "all": Truncation("all", 2, None, 1.0),
    "fourcastnet, 1": Truncation("fourcastnet", 2, None, 1.0),
    "fourcastnet, 1/2": Truncation("fourcastnet", 2, None, 0.5),
    "two_sided, 1/2": Truncation("two_sided", 2, None, 0.5),
}
figure, axes = plt.subplots(1, 4, figsize=(11, 3), layout="constrained", sharey=True)
for panel, (name, truncation) in zip(axes, cases.items(), strict=True):
    mixer = AFNOMixer(4, num_blocks=1, sparsity_threshold=0.0, inner_skip=None, init="fan_in", bias=None,
                      truncation=truncation.name, hard_thresholding_fraction=truncation.fraction,
                      rngs=nnx.Rngs(0))  # fmt: skip
    noise = np.random.default_rng(0).normal(size=(1, *shape, 4)).astype(np.float32)
    out = np.fft.fftshift(np.fft.rfft2(np.asarray(mixer(noise)), axes=(1, 2)), axes=1)
    kept = np.abs(out).sum(axis=(0, -1)) > 1e-3
    panel.imshow(kept, origin="lower", aspect="auto", cmap="Greys", extent=(0, 25, -12, 12), vmin=0, vmax=1.4)
    panel.set(title=f"{name}: {kept.mean():.0%}", xlabel="$k_y$")
axes[0].set_ylabel("$k_x$")
plt.show()

# %% [markdown]
# ## Shifts
#
# A map of functions on a torus should not know where its origin is. Activations of real and imaginary parts do, and
# so do biases that are added to every mode: they are one bright row of tokens. With the activation on the modulus,
# the bias in space and the shrinkage on the magnitude, the mixer commutes with shifts to round-off.

# %%
kinds = {
    "published": {},
    "without biases": {"bias": None},
    "modulus": {"non_linearity": "modulus", "bias": "spatial", "shrink": "magnitude"},
}
mixed = jax.jit(lambda mixer, u: mixer(u) - u)
u = np.random.default_rng(1).normal(size=(1, 16, 16, 32)).astype(np.float32)
figure, axes = plt.subplots(1, 3, figsize=(9, 3), layout="constrained")
for panel, (name, options) in zip(axes, kinds.items(), strict=True):
    mixer = AFNOMixer(32, num_blocks=2, init="fan_in", rngs=nnx.Rngs(0), **options)
    out, moved = np.asarray(mixed(mixer, u)), np.asarray(mixed(mixer, np.roll(u, (5, 3), axis=(1, 2))))
    off = np.linalg.norm(moved - np.roll(out, (5, 3), axis=(1, 2))) / np.linalg.norm(out)
    zero = np.asarray(mixed(mixer, np.zeros_like(u)))
    panel.imshow(np.abs(zero[0]).max(axis=-1), origin="lower")
    panel.set_title(f"{name}: off by {off:.1e}\nanswer to a field of zeros", fontsize="small")
    panel.set_axis_off()
plt.show()

# %% [markdown]
# ## A training run
#
# Forcing to vorticity, on the sets of the quickstart. The tokens of a 4 x 4 patch are 8 x 8.

# %%
from hydra import compose, initialize_config_module

from training.config import register
from training.run import run
from training.trained import load_run

folder = Path(tempfile.mkdtemp())
register()
with initialize_config_module("configs", version_base="1.3"):
    cfg = compose("train", overrides=[
        "experiment=ns_afno", "run_id=afno", f"output={folder}/outputs",
        "data.splits.train={samples: 32, seed: 0, resolutions: [[32, 32]]}",
        "data.splits.valid=null",
        "data.splits.test={samples: 8, seed: 2, resolutions: [[32, 32]], generator: null}",
        "pde.shape=[72, 72]", "data.batch_size=8", "trainer.epochs=12", "trainer.eval_every=0", "plots=false",
        "checkpoint.every_epochs=12", "logger.console_every_seconds=1e9",
        "operator.embed_dim=32", "operator.depth=2",
    ])  # fmt: skip
run(cfg)
result = json.loads((folder / "outputs" / "afno" / "result.json").read_text())
for name in ("test/rel_l2", "num_params"):
    print(f"{name:20s} {result[name]:.4g}")

# %%
from omegaconf import OmegaConf

from data.generation import ensure
from data.source import load
from data.splits import plan

config = OmegaConf.to_container(cfg, resolve=True)
samples = load(ensure(*plan(config["pde"], config["data"])["test"])[32, 32])
model = load_run(folder / "outputs" / "afno")
prediction = np.asarray(jax.jit(lambda u: model(u))(samples.x[:1]))
figure, axes = plt.subplots(1, 3, figsize=(10, 3.2), layout="constrained")
limit = np.abs(samples.y[0]).max()
fields = {"force": samples.x[0], "vorticity": samples.y[0], "AFNO": prediction[0]}
for panel, (name, field) in zip(axes, fields.items(), strict=True):
    scale = np.abs(field).max() if name == "force" else limit
    panel.imshow(field[..., 0].T, origin="lower", cmap="RdBu_r", vmin=-scale, vmax=scale)
    panel.set_title(name)
    panel.set_axis_off()
plt.show()

# %% [markdown]
# `python -m benchmarks.token_mixers` measures time and memory as tokens become more, beside attention and an FNO;
# `experiment=shallow_water_afno` and `globe_afno` are forecasts in FourCastNet's manner, and `globe_modafno` finds the
# states between two.
