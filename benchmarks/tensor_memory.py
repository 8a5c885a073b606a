"""What low-rank spectral weights save: memory of the compiled training step of a TFNO beside a dense FNO.

    python -m benchmarks.tensor_memory

Compiles one step (forward, backward, Adam; H1 loss) at the size of the MG-TFNO paper (64 x 64 modes, width 64,
128 x 128 points) for one CPU device, and prints a Markdown table read off the programs; nothing is run. The state is
the parameters, their two moments, and the batch; temporaries hold activations, gradients and what the products need.
"""

import functools
import math
from collections.abc import Callable
from typing import Any

from flax import nnx

from operators import FNO, TFNO
from operators.base import Operator
from training.sharding import make_mesh
from training.step import parameter_table, split_operator

from .compiled_step import compiled_step

SHAPE, SAMPLES = (128, 128), (1, 8)
SIZE: dict[str, Any] = {
    "n_modes": (64, 64), "in_channels": 1, "out_channels": 1, "hidden_channels": 64, "projection_channel_ratio": 4
}  # fmt: skip
# Ranks of 150 times fewer parameters in all, pointwise layers included.
OPERATORS = {
    "FNO, dense": functools.partial(FNO, **SIZE),
    "TFNO, CP": functools.partial(TFNO, **SIZE, factorization="CP", rank=0.0058),
    "TFNO, CP, joint": functools.partial(TFNO, **SIZE, factorization="CP", rank=0.0058, joint_factorization=True),
    "TFNO, Tucker": functools.partial(TFNO, **SIZE, factorization="Tucker", rank=0.0052),
    "TFNO, TT": functools.partial(TFNO, **SIZE, factorization="TT", rank=0.0057),
}


def memory_of(make: Callable[..., Operator], samples: int) -> tuple[int, float, float]:
    """Parameters, and MiB of state and of temporaries, of one training step."""

    def create() -> Operator:
        return make(rngs=nnx.Rngs(0))

    _, params = split_operator(nnx.eval_shape(create))
    count = sum(math.prod(shape) for shape in parameter_table(params).values())
    memory = compiled_step(create, SHAPE, samples, make_mesh(1)).memory_analysis()
    assert memory is not None  # every backend of ours reports it
    return count, memory.argument_size_in_bytes / 2**20, memory.temp_size_in_bytes / 2**20


def main() -> None:
    print("| operator | parameters | samples | state, MiB | temporaries, MiB | in all, MiB | of the dense |")
    print("|---|---|---|---|---|---|---|")
    for samples in SAMPLES:
        dense = None
        for name, make in OPERATORS.items():
            count, state, temporaries = memory_of(make, samples)
            whole = state + temporaries
            dense = dense or whole
            sizes = f"{state:.0f} | {temporaries:.0f} | {whole:.0f} | {whole / dense:.2f}"
            print(f"| {name} | {count:,} | {samples} | {sizes} |", flush=True)


if __name__ == "__main__":
    main()
