"""Operators on real data that nobody here made: the small Darcy set of the PyTorch library, in its own recipe.

    python -m benchmarks.darcy PATH/darcy_flow_16.h5 --operators FNO TFNO UNO --seeds 0 1 2

Recipe of the reference figure: H1 loss on normalised targets, AdamW 1e-2 with weight decay 1e-4, cosine over 30 epochs
of which 16 are run, batch 64. The FNO is the reference's, of 191,881 parameters (8 x 8 modes, width 24); its relative
L2 errors at 16 x 16 (0.1168) and, never trained on, at 32 x 32 (0.1420), both of one seed, are printed beside ours.
"""

import argparse
import math
import statistics
from pathlib import Path

import jax
import numpy as np
import optax
from flax import nnx

from data.loader import ResidentLoader
from data.normalizer import Normalizer
from data.readers.darcy import load_darcy_benchmark
from data.source import Samples
from operators import FNO, TFNO, UNO
from operators.base import Operator
from training.evaluator import Evaluator
from training.losses import RelativeH1
from training.metrics import standard_metrics
from training.sharding import make_mesh
from training.step import init_state, make_chunk, make_update, split_operator

REFERENCE = {"test_16": 0.1168, "test_32": 0.1420}
EPOCHS, SCHEDULED_EPOCHS, BATCH = 16, 30, 64

# The TFNO has the FNO's modes and width; the lists of the UNO take its middle to 8 x 8 points.
OPERATORS = {
    "FNO": lambda rngs: FNO((8, 8), 1, 1, 24, projection_channel_ratio=2, rngs=rngs),
    "TFNO": lambda rngs: TFNO((8, 8), 1, 1, 24, rank=0.3, rngs=rngs),
    "UNO": lambda rngs: UNO(
        *(1, 1, 24),
        n_layers=5,
        uno_out_channels=(24, 32, 32, 32, 24),
        uno_n_modes=((8, 8), (6, 6), (6, 6), (6, 6), (8, 8)),
        uno_scalings=(1, 0.5, 1, 2, 1),
        lifting_channels=48,
        projection_channels=48,
        rngs=rngs,
    ),
}


def train(operator: Operator, sets: dict[str, Samples], seed: int) -> dict[str, float]:
    """Relative L2 errors of one trained operator on the two test sets."""
    train_set, mesh = sets["train_16"], make_mesh(1)
    targets = Normalizer.fit(train_set.y)
    operator.check_grid(train_set.metadata.shape)
    model_of, params = split_operator(operator)
    loader = ResidentLoader(train_set, BATCH, seed, mesh)
    steps = loader.steps_per_epoch

    def rate(step):  # the reference steps its schedule once an epoch
        return optax.cosine_decay_schedule(1e-2, SCHEDULED_EPOCHS)(step // steps)

    optimizer = optax.adamw(rate, weight_decay=1e-4)
    loss = RelativeH1(train_set.metadata.extent)
    update = make_update(model_of, lambda u, y: loss(u, targets.encode(y)), optimizer, mesh)
    chunk = make_chunk(update, loader.fetch, steps)
    state = init_state(params, optimizer, ema=False)
    for epoch in range(EPOCHS):
        state, _ = chunk(state, loader.data(epoch * steps), np.int32(steps))
    evaluator = Evaluator(
        lambda params, x: targets.decode(model_of(params)(x)), standard_metrics(train_set.metadata.extent), mesh, 50
    )
    return {name: evaluator(state.params, sets[name])["rel_l2"] for name in REFERENCE}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("path", type=Path)
    parser.add_argument("--operators", nargs="+", choices=sorted(OPERATORS), default=["FNO"])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    arguments = parser.parse_args()
    sets = load_darcy_benchmark(arguments.path)
    for name in arguments.operators:
        rows = []
        for seed in arguments.seeds:
            operator = OPERATORS[name](nnx.Rngs(seed))
            count = sum(math.prod(leaf.shape) for leaf in jax.tree.leaves(nnx.state(operator, nnx.Param)))
            rows.append(train(operator, sets, seed))
            errors = "  ".join(f"{test} rel_l2 {value:.4f}" for test, value in rows[-1].items())
            print(f"{name}  {count:,} parameters  seed {seed}  {errors}", flush=True)
        for test, reference in REFERENCE.items():
            mean = statistics.mean(row[test] for row in rows)
            beside = f"  reference {reference:.4f}  ratio {mean / reference:.3f}" if name == "FNO" else ""
            print(f"{name}  {test}  mean {mean:.4f}{beside}", flush=True)


if __name__ == "__main__":
    jax.config.update("jax_default_matmul_precision", "highest")
    main()
