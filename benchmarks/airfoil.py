"""Samples of `pde=airfoil` on several solver grids: forces beside published ones, errors of the fields, and a picture.

    python -m benchmarks.airfoil [--cells 32 64 96] [--out docs/airfoil.png]

Profiles at fixed Reynolds numbers and angles. Errors are relative L2 norms against the finest grid, of means over the
blocks of a common one; the picture shows inputs and targets of the finest.
"""

import argparse
import io
import math
from pathlib import Path
from typing import NamedTuple

import jax
import jax.numpy as jnp
import matplotlib
import numpy as np
from PIL import Image

from pdes.generators import AirfoilFlow

matplotlib.use("Agg")
import matplotlib.pyplot as plt


class Case(NamedTuple):
    """Reynolds number of the chord, angle in degrees and shape of a profile, all in chords."""

    name: str
    reynolds: float
    angle: float
    camber: float
    position: float
    thickness: float


CASES = (
    Case("NACA 0012, Re 500, 0 degrees", 500.0, 0.0, 0.0, 0.4, 0.12),
    Case("NACA 0012, Re 1000, 0 degrees", 1000.0, 0.0, 0.0, 0.4, 0.12),
    Case("NACA 4412, Re 500, 4 degrees", 500.0, 4.0, 0.04, 0.4, 0.12),
    Case("NACA 2412, Re 1000, 20 degrees", 1000.0, 20.0, 0.02, 0.4, 0.12),
)
PUBLISHED = """Drag of the NACA 0012 at no angle: Re 500: 0.176 (Lockard, Luo, Milder and Singer 2002, CFL3D);
Re 1000: 0.119 (Di Ilio, Chiappini, Ubertini, Bella and Succi 2018), 0.12 (Kurtulus 2015)"""
FIELDS = ("stream_x", "stream_y", "mask", "pressure", "velocity_x", "velocity_y")


def solve(cells: int) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Fields [case, x, y] and coefficients of drag and lift [case, 2], all cases with the speed 1."""
    reynolds = max(case.reynolds for case in CASES)
    slowest = min(case.reynolds for case in CASES) / reynolds
    generator = AirfoilFlow((cells, cells), reynolds=reynolds, slowest=slowest)

    draws = [(c.reynolds / reynolds, math.radians(c.angle), c.camber, c.position, c.thickness) for c in CASES]
    fields, force = jax.jit(jax.vmap(generator.profile_flow))(*jnp.asarray(draws).T)
    return {name: np.asarray(fields[name][:, 0]) for name in FIELDS}, np.asarray(force)


def blocks(u: np.ndarray, n: int) -> np.ndarray:
    """Means over n x n blocks of every plane."""
    side = u.shape[1] // n
    return u.reshape(len(u), n, side, n, side).mean(axis=(2, 4))


def draw(fields: dict[str, np.ndarray], out: Path) -> None:
    """Inputs and targets, one row a case."""
    figure, axes = plt.subplots(len(CASES), len(FIELDS), figsize=(1.5 * len(FIELDS), 1.6 * len(CASES)))
    for row, (case, line) in enumerate(zip(CASES, axes, strict=True)):
        for axis, name in zip(line, FIELDS, strict=True):
            axis.imshow(fields[name][row].T[::-1], cmap="viridis", interpolation="bilinear")
            axis.set(xticks=[], yticks=[])
            if row == 0:
                axis.set_title(name, fontsize=7)
        line[0].set_ylabel(case.name.replace(", ", "\n"), fontsize=6)
    figure.tight_layout(pad=0.4)
    drawn = io.BytesIO()
    figure.savefig(drawn, dpi=110)
    Image.open(drawn).convert("RGB").quantize(64).save(out, optimize=True)
    print(f"{out}: {out.stat().st_size / 1000:.0f} kB")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cells", type=int, nargs="+", default=[32, 64, 96], help="of the window, along each side")
    parser.add_argument("--out", type=Path, default=Path("docs/airfoil.png"))
    args = parser.parse_args()
    runs = {cells: solve(cells) for cells in sorted(args.cells)}
    common, (finest, _) = math.gcd(*runs), runs[max(runs)]
    print("| flow | cells | drag | lift | pressure | velocity_x | velocity_y |\n" + "|---" * 7 + "|")
    for row, case in enumerate(CASES):
        for cells, (fields, force) in runs.items():
            errors = []
            for name in FIELDS[3:]:
                u, wanted = (blocks(f[name], common)[row] for f in (fields, finest))
                errors.append(f"{np.linalg.norm(u - wanted) / np.linalg.norm(wanted):.1e}")
            errors = ["–"] * 3 if cells == max(runs) else errors
            print(f"| {case.name} | {cells} | {force[row, 0]:.4f} | {force[row, 1]:.4f} | {' | '.join(errors)} |")
    print(PUBLISHED)
    draw(finest, args.out)


if __name__ == "__main__":
    jax.config.update("jax_enable_x64", True)
    main()
