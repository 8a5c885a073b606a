"""Error against number of parameters on one Navier-Stokes set: FNO, F-FNO, TFNO in every form, MG-TFNO.

    python -m benchmarks.compression --output outputs/compression --plot docs/compression.png

Every row is a run of `train.py` on the flows of `ns_fno` (1000 samples) stored on 32 x 32 points, with 24 x 24 modes,
width 32 and 16 epochs, all with the same optimizer, schedule and loss, save where the name of the row says otherwise. A
row "10x" is the tensorised operator whose parameters, pointwise layers included, are at least ten times fewer than
those of the FNO: the rank is searched for. Rows finished in `--output` are read, so a table that was cut short goes on.

Printed as Markdown: parameters, compression, relative L2 of every seed on the test set in physical units and their
mean, seconds of the training steps. The plot shows the mean over the number of parameters.
"""

import argparse
import functools
import statistics
from pathlib import Path
from typing import Any, NamedTuple

import matplotlib.pyplot as plt
import numpy as np
from omegaconf import OmegaConf

from benchmarks.runs import composed, trained
from training.build import build_operator
from training.config import parse
from training.step import parameter_table, split_operator

SHAPE, WIDTH, MODES = (32, 32), 32, 24
SEEDS = (0, 1, 2)
# The flows of `ns_fno`, and twice its epochs.
COMMON = (
    *(f"data.splits.{name}.resolutions=[[32,32]]" for name in ("train", "valid", "test")),
    "data.splits.test.generator=null",
    "trainer.epochs=16",
)
SIZE = (f"operator.n_modes=[{MODES},{MODES}]", f"operator.hidden_channels={WIDTH}")
TENSOR = ("experiment=ns_tfno", *COMMON, *SIZE)
DENSE = ("experiment=ns_fno", *COMMON, *SIZE)
FACTORISED = ("experiment=ns_ffno", *COMMON, *SIZE)  # at half the learning rate


class Row(NamedTuple):
    """One line of the table.

    Args:
        group: the curve that it belongs to in the plot.
        label: what tells it from the others of the group.
        overrides: of the command `train.py`.
        times: compression to reach by the rank, or None.
        seeds: to train with.
    """

    group: str
    label: str
    overrides: tuple[str, ...]
    times: int | None = None
    seeds: tuple[int, ...] = SEEDS[:1]

    @property
    def rank(self) -> str:
        """Key of the rank."""
        return "operator.trunk.rank" if "experiment=ns_mgtfno" in self.overrides else "operator.rank"


def tensor_rows() -> list[Row]:
    """TFNO by factorisation and compression, one tensor a layer or one for all."""
    rows = []
    for name in ("Tucker", "CP", "TT"):
        for joint in (False, True):
            for times in (10, 40, 75, 150):
                options = (f"operator.factorization={name}", f"+operator.joint_factorization={joint}")
                seeds = SEEDS if joint and name != "TT" and times == 150 else SEEDS[:1]
                group = f"TFNO, {name}, {'joint' if joint else 'per layer'}"
                rows.append(Row(group, f"{times}x", (*TENSOR, *options), times, seeds))
    return rows


def patch_rows() -> list[Row]:
    """MG-TFNO: 1.8 and 7.1 times fewer points a patch than the whole domain has."""
    joint = ("+operator.trunk.joint_factorization=true", "operator.trunk.factorization=Tucker")
    rows = []
    for levels, modes, halo in ((1, 20, 0.125), (2, 10, 0.0625)):
        patches = (f"operator.levels={levels}", f"operator.padding_fraction={halo}")
        trunk = (f"operator.trunk.n_modes=[{modes},{modes}]", f"operator.trunk.hidden_channels={WIDTH}", *joint)
        rate = ("optimizer.learning_rate=2.4e-2",)
        options = ("experiment=ns_mgtfno", *COMMON, *patches, *trunk, *rate)
        rows.append(Row("MG-TFNO, Tucker, joint", f"10x, {4**levels} patches", options, 10))
    return rows


def ingredient_rows() -> list[Row]:
    """The dense FNO without things that it has here, from the FNO of 2021 on, and with things that it has not."""
    bare = ("+operator.use_channel_mlp=false",)
    norm = ("+operator.norm=group_norm",)
    padding = ("+operator.domain_padding=0.078125", "+operator.domain_padding_mode=one-sided")
    joint = ("operator.factorization=CP", "+operator.joint_factorization=true")
    variants = {
        "no channel MLP, L2 loss": (*DENSE, *bare, "loss=l2"),
        "no channel MLP": (*DENSE, *bare),
        "L2 loss": (*DENSE, "loss=l2"),
        "group norm": (*DENSE, *norm),
        "padding": (*DENSE, *padding),
        "pre-activation": (*DENSE, "+operator.preactivation=true"),
    }
    rows = [Row("FNO, ingredients", label, options) for label, options in variants.items()]
    tensor = (*TENSOR, *joint, *norm)
    return [*rows, Row("FNO, ingredients", "group norm and joint CP, 40x", tensor, 40)]


def rows() -> list[Row]:
    """Every row of the table."""
    return [
        Row("FNO", "dense", DENSE, seeds=SEEDS),
        Row("F-FNO", "4 layers", (*FACTORISED, "operator.n_layers=4")),
        Row("F-FNO", "8 layers", FACTORISED, seeds=SEEDS),
        *tensor_rows(),
        *patch_rows(),
        *ingredient_rows(),
    ]


def count(overrides: tuple[str, ...]) -> int:
    """Parameters of the operator of a config."""
    return count_of(composed(overrides))


def count_of(cfg: Any) -> int:
    """Parameters of the operator of a composed config."""
    _, operator = build_operator(parse(cfg)[0], SHAPE, (1, 1))
    _, params = split_operator(operator)
    return sum(int(np.prod(shape)) for shape in parameter_table(params).values())


@functools.cache
def rank_for(overrides: tuple[str, ...], key: str, wanted: float) -> float:
    """The largest rank, to three digits, with no more parameters than wanted."""
    cfg = composed(overrides)

    def fits(rank: float) -> bool:
        OmegaConf.update(cfg, key, float(f"{rank:.3g}"))
        return count_of(cfg) <= wanted

    low, high = 1e-4, 1.0
    if not fits(low):
        raise ValueError(f"{key}: got no rank with at most {wanted:.0f} parameters, wanted less compression")
    while high / low > 1.01:
        middle = (low * high) ** 0.5
        low, high = (middle, high) if fits(middle) else (low, middle)
    return float(f"{low:.3g}")


def completed(row: Row, more: tuple[str, ...]) -> tuple[str, ...]:
    """The overrides of a row with its rank."""
    overrides = (*row.overrides, *more)
    if row.times is None:
        return overrides
    return (*overrides, f"{row.rank}={rank_for(overrides, row.rank, count((*DENSE, *more)) / row.times)}")


def line(row: Row, found: list[dict[str, Any]], dense: int) -> str:
    """The row in Markdown."""
    errors = [one["test/rel_l2"] for one in found]
    parameters = found[0]["num_params"]
    seconds = statistics.median(one["seconds_per_step"] * one["steps"] for one in found)
    return (
        f"| {row.group} | {row.label} | {parameters:,} | {dense / parameters:.1f} | "
        f"{', '.join(f'{error:.4f}' for error in errors)} | {statistics.mean(errors):.4f} | {seconds:.0f} |"
    )


def draw(points: list[tuple[Row, int, float]], path: Path) -> None:
    """Mean error over the number of parameters, one curve a group; ingredients apart."""
    figure, axes = plt.subplots(figsize=(7, 4.5), layout="constrained")
    curves: dict[str, list[tuple[int, float]]] = {}
    for row, parameters, error in points:
        if row.group != "FNO, ingredients":
            curves.setdefault(row.group, []).append((parameters, error))
    for group, curve in curves.items():
        x, y = zip(*sorted(curve), strict=True)
        axes.loglog(x, y, "--" if "joint" in group else "-", marker="o", label=group)
    axes.set(xlabel="parameters", ylabel="relative L2 error, test set")
    axes.grid(True, which="both", alpha=0.3)
    axes.legend(fontsize="small")
    figure.savefig(path, dpi=150)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=Path, default=Path("outputs/compression"))
    parser.add_argument("--plot", type=Path, help="picture to write")
    parser.add_argument("--only", default="", help="train the rows whose group or label contains this")
    parser.add_argument("--set", nargs="*", default=[], help="overrides of every row, such as trainer.epochs=20")
    arguments = parser.parse_args()
    more = tuple(arguments.set)
    dense, points = count((*DENSE, *more)), []
    print("| operator | | parameters | times fewer | seeds | mean | training, s |")
    print("|---|---|---|---|---|---|---|")
    for row in rows():
        if arguments.only not in f"{row.group} {row.label}":
            continue
        overrides = completed(row, more)
        found = [
            trained((*overrides, f"seed={seed}"), f"{row.group} {row.label} {seed}", arguments.output)
            for seed in row.seeds
        ]
        print(line(row, found, dense), flush=True)
        points.append((row, found[0]["num_params"], statistics.mean(one["test/rel_l2"] for one in found)))
    if arguments.plot:
        draw(points, arguments.plot)


if __name__ == "__main__":
    main()
