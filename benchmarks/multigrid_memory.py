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

import jax
import jax.numpy as jnp
import optax
from flax import nnx
from jax.sharding import NamedSharding

from operators import MGTFNO, TFNO
from training.losses import RelativeH1
from training.sharding import make_mesh, replicated, traffic
from training.step import init_state, make_update, split_operator

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
    model_of, params = split_operator(nnx.eval_shape(lambda: make(rngs=nnx.Rngs(0))))
    mesh, optimizer = make_mesh(data, patches), optax.adam(1e-3)
    state = jax.eval_shape(lambda params: init_state(params, optimizer, False), params)
    state = jax.tree.map(lambda s: jax.ShapeDtypeStruct(s.shape, s.dtype, sharding=replicated(mesh)), state)
    spread = NamedSharding(mesh, jax.P(*mesh.axis_names))
    field = jax.ShapeDtypeStruct((samples, *SHAPE, 1), jnp.float32, sharding=spread)
    update = make_update(model_of, RelativeH1((1.0, 1.0)), optimizer, mesh)
    return jax.jit(update, donate_argnums=0).lower(state, (field, field)).compile()


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
