"""One sample of every equation that has a config: the picture of docs/pdes.md.

    python -m benchmarks.gallery [--out docs/pdes.png] [--seed 0] [--only ns_li wave]

On one axis time runs upwards over space; on two the first field of the last snapshot is drawn, on three its middle
slice. Generators and numbers are those of configs/pde, at their own solver grids; scattered points are not drawn.
"""

import argparse
import io
from pathlib import Path
from typing import Any

import jax
import matplotlib
import matplotlib.pyplot as plt
import numpy as np
from hydra import compose, initialize_config_module
from omegaconf import OmegaConf
from PIL import Image

import configs
from data.instantiate import instantiate
from data.metadata import channels_of
from pdes.generators import Generator

matplotlib.use("Agg")
NAMES = sorted(path.stem for path in (Path(configs.__file__).parent / "pde").glob("*.yaml"))


def generator_of(name: str) -> Generator | None:
    """That of a config; None for one that is not drawn."""
    with initialize_config_module("configs", version_base="1.3"):
        cfg: Any = OmegaConf.to_container(compose("generate", [f"pde={name}"]), resolve=True)
    generator = instantiate(cfg["pde"])
    return None if generator.grid_type == "cloud" else generator


def picture(name: str, generator: Generator, seed: int) -> np.ndarray:
    """A plane of numbers [vertical, horizontal] for one config."""
    field = channels_of(generator.targets, generator.fields, name)[0][0]
    with jax.enable_x64(True):
        u = np.asarray(jax.jit(generator)(jax.random.key(seed))[field])
    if not np.isfinite(u).all():
        raise FloatingPointError(f"{name}: got numbers that are not finite, wanted a sample; take a smaller time step")
    if u.ndim == 2:
        return u[::-1]
    return u[-1].T[::-1] if u.ndim == 3 else u[-1, :, :, u.shape[-1] // 2].T[::-1]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("docs/pdes.png"))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", nargs="+", default=NAMES, choices=NAMES)
    args = parser.parse_args()
    if not args.out.parent.is_dir():
        parser.error(f"--out: got {args.out}, wanted a file in a folder that exists")
    drawn_ones = {name: made for name in args.only if (made := generator_of(name)) is not None}
    if not drawn_ones:
        parser.error(f"--only: got {' '.join(args.only)}, wanted a config whose points lie on a grid")
    columns = min(7, len(drawn_ones))
    rows = -(-len(drawn_ones) // columns)
    figure, axes = plt.subplots(rows, columns, figsize=(1.5 * columns, 1.7 * rows), squeeze=False)
    for axis in axes.ravel():
        axis.axis("off")
    for axis, name in zip(axes.ravel(), drawn_ones, strict=False):
        axis.imshow(picture(name, drawn_ones[name], args.seed), cmap="viridis", aspect="auto", interpolation="bilinear")
        axis.set_title(name, fontsize=6)
        print(name, flush=True)
    figure.tight_layout(pad=0.4)
    drawn = io.BytesIO()
    figure.savefig(drawn, dpi=110)
    Image.open(drawn).convert("RGB").quantize(64).save(args.out, optimize=True)  # a quarter of the bytes
    print(f"{args.out}: {args.out.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
