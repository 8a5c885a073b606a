"""What patches on the device mesh cost and save: memory and traffic of the compiled training step.

    python -m benchmarks.multigrid_memory

Compiles one step (forward, backward, Adam; H1 loss) of a tensorised FNO, unpatched and in multi-grid patches, for eight
virtual CPU devices, and prints a Markdown table read off the programs; nothing is run. Memory is that of one device:
temporaries and arguments. Traffic is what one device receives in a step: halos travel by collective-permute, gradients
and the loss by all-reduce.
"""

import functools
import os

# Before JAX starts its backend.
os.environ["JAX_PLATFORMS"] = "cpu"
os.environ["XLA_FLAGS"] = os.environ.get("XLA_FLAGS", "") + " --xla_force_host_platform_device_count=8"

from flax import nnx

from operators import MGTFNO, TFNO
from training.sharding import make_mesh, traffic

from .compiled_step import compiled_step

SHAPE = (256, 256)
TRUNK = functools.partial(TFNO, (32, 32), hidden_channels=32, rank=0.1)
# Halos as in the paper's 128x128: 16 points of four patches, 8 of sixteen.
PADDING = {1: 1 / 8, 2: 1 / 16}
# samples, levels (None: no patches), devices along data and along the axes of patches
CASES = [
    (1, None, 1, ()),
    (1, 1, 1, (2, 2)),
    (1, 2, 1, (4, 2)),
    (8, None, 8, ()),
    (8, 1, 2, (2, 2)),
    (8, 2, 1, (4, 2)),
]


def compiled(samples: int, levels: int | None, data: int, patches: tuple[int, ...]):
    """The program of one step."""
    if levels is None:
        make = functools.partial(TRUNK, in_channels=1, out_channels=1)
    else:
        trunk = functools.partial(TRUNK, positional_embedding=None)
        make = functools.partial(MGTFNO, 1, 1, trunk=trunk, levels=levels, padding_fraction=PADDING[levels])
    return compiled_step(lambda: make(rngs=nnx.Rngs(0)), SHAPE, samples, make_mesh(data, patches))


def main() -> None:
    print(
        "| samples | levels | devices (data, patches) | memory a device, MiB | halos, KiB | all-reduce, KiB | gathers |"
    )
    print("|---|---|---|---|---|---|---|")
    for samples, levels, data, patches in CASES:
        program = compiled(samples, levels, data, patches)
        memory, moved = program.memory_analysis(), traffic(program.as_text() or "")
        assert memory is not None  # every backend of ours reports it
        held = (memory.temp_size_in_bytes + memory.argument_size_in_bytes) / 2**20
        halos, sums = (sum(moved.pop(kind, [])) / 2**10 for kind in ("collective-permute", "all-reduce"))
        devices = f"{data}, {'x'.join(map(str, patches)) or '–'}"
        level = "no patches" if levels is None else levels
        print(f"| {samples} | {level} | {devices} | {held:.0f} | {halos:.0f} | {sums:.0f} | {len(moved)} |", flush=True)


if __name__ == "__main__":
    main()
