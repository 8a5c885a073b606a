"""One training step of Transform Once beside one of the FNO, at equal modes and comparable parameters, grid by grid.

    python -m benchmarks.transform_once                         64 to 512 points an axis
    python -m benchmarks.transform_once --sizes 64 --rounds 5   some of them

A step is forward, backward and AdamW in float32 with the relative L2 loss, the step that `train.py` compiles.
"cached" is T1 on coefficients that were computed before (loss=l2_spectral), "fields" T1 on fields, with the transform
of the input and the inverse of the output in every step. Settings are those of the paper's Navier-Stokes task: T1
with 24x24 modes, width 48, 8 blocks; the FNO with frequencies up to 24 on each axis, width 32, 6 layers.

Times are medians over rounds in which the three take turns, so that a busy machine slows all alike. Memory is what
the compiled program holds at once beyond the parameters and the state of the optimizer, which are counted apart. The
batch is 16, halved for all three until the largest program fits into --memory.
"""

import argparse
import statistics
import time
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import nnx

from data.normalizer import Normalizer
from operators import FNO, T1
from operators.base import Operator
from operators.spectral_operator import SpectralOperator
from training.k_space import KSpace
from training.losses import RelativeL2, SpectralL2
from training.sharding import make_mesh
from training.step import init_state, make_update, split_operator, statistics_of

MODES, EXTENT = 24, (1.0, 1.0)


def make_fno() -> FNO:
    return FNO((2 * MODES,) * 2, 1, 1, 32, n_layers=6, rngs=nnx.Rngs(0))


def make_t1() -> T1:
    return T1((MODES,) * 2, 1, 1, 48, n_layers=8, rngs=nnx.Rngs(0))


# Name -> operator, and whether it is trained on cached coefficients.
MAKERS: dict[str, tuple[Callable[[], Operator], bool]] = {
    "fno": (make_fno, False),
    "fields": (make_t1, False),
    "cached": (make_t1, True),
}


class Step(NamedTuple):
    """A compiled step.

    Args:
        run: takes one.
        peak: bytes that it holds at once, without what it keeps.
        parameters: numbers in all of them.
    """

    run: Callable[[], None]
    peak: int
    parameters: int


def samples(size: int, batch: int) -> tuple[jax.Array, jax.Array]:
    """Inputs and targets [b, x, y, 1]."""
    rng = np.random.default_rng(0)
    x, y = (jnp.asarray(rng.standard_normal((batch, size, size, 1), np.float32)) for _ in range(2))
    return x, y


def compiled(make: Callable[[], Operator], cached: bool, size: int, batch: int):
    """The program of a step, its state in the abstract, and what makes its arguments of a batch."""
    abstract = nnx.eval_shape(make)
    model_of, params = split_operator(abstract)
    optimizer = optax.adamw(1e-3)
    fields = jax.ShapeDtypeStruct((batch, size, size, 1), jnp.float32)
    if cached:
        assert isinstance(abstract, SpectralOperator)
        same = Normalizer.identity(1)
        space = KSpace(abstract.truncation, (size, size), same, same, SpectralL2(EXTENT), cached=True)
        update = make_update(model_of, space.objective(), optimizer, make_mesh(1), call=space.call)
        arguments = space.rows
    else:
        update = make_update(model_of, RelativeL2(EXTENT), optimizer, make_mesh(1))

        def arguments(x, y):
            return (x, y)

    statistics = statistics_of(abstract)
    state = jax.eval_shape(lambda params: init_state(params, optimizer, False, statistics=statistics), params)
    program = jax.jit(update, donate_argnums=0).lower(state, jax.eval_shape(arguments, fields, fields)).compile()
    return program, state, arguments


def make_step(make: Callable[[], Operator], cached: bool, size: int, batch: int) -> Step:
    """A step that can be taken, from parameters that are small random numbers."""
    program, shapes, arguments = compiled(make, cached, size, batch)
    rng = np.random.default_rng(0)
    # The initialisers take longer to compile than to use; those of statistics are short.
    params = jax.tree.map(lambda s: jnp.asarray(0.02 * rng.standard_normal(s.shape, np.float32)), shapes.params)
    statistics = jax.jit(lambda: statistics_of(make()))()
    state = jax.tree.map(lambda s: jnp.zeros(s.shape, s.dtype), shapes)._replace(params=params, statistics=statistics)
    data = jax.jit(arguments)(*samples(size, batch))

    def run() -> None:
        nonlocal state
        state, _ = program(state, data)
        jax.block_until_ready(state)

    return Step(run, peak_bytes(program), sum(leaf.size for leaf in jax.tree.leaves(params)))


def peak_bytes(program) -> int:
    """What a program holds at once beyond its arguments."""
    memory = program.memory_analysis()
    assert memory is not None  # every backend of ours reports it
    return memory.temp_size_in_bytes


def fitting_batch(size: int, batch: int, limit: float) -> int:
    """The batch, halved until the program of the FNO, which needs most, fits into so many bytes."""
    while batch > 1 and peak_bytes(compiled(*MAKERS["fno"], size, batch)[0]) > limit:
        batch //= 2
    return batch


def median_times(
    steps: dict[str, Step], rounds: int, clock: Callable[[], float] = time.perf_counter
) -> dict[str, float]:
    """Median seconds of a step of each by a clock, in turns."""
    for step in steps.values():
        step.run()
    times: dict[str, list[float]] = {name: [] for name in steps}
    for _ in range(rounds):
        for name, step in steps.items():
            begin = clock()
            step.run()
            times[name].append(clock() - begin)
    return {name: statistics.median(values) for name, values in times.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=int, nargs="+", default=[64, 128, 256, 512])
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--memory", type=float, default=12.0, help="GiB that a step may hold")
    arguments = parser.parse_args()
    print(f"device kind {jax.devices()[0].device_kind!r}")
    print("| points | batch | operator | parameters | step, ms | FNO / it | held at once, MiB | FNO / it |")
    print("|---|---|---|---|---|---|---|---|")
    for size in arguments.sizes:
        batch = fitting_batch(size, arguments.batch, arguments.memory * 2**30)
        steps = {name: make_step(*maker, size, batch) for name, maker in MAKERS.items()}
        times = median_times(steps, arguments.rounds)
        for name, step in steps.items():
            faster, smaller = times["fno"] / times[name], steps["fno"].peak / step.peak
            label = {"fno": "FNO", "fields": "T1, fields", "cached": "T1, cached"}[name]
            print(
                f"| {size}x{size} | {batch} | {label} | {step.parameters:,} | {1e3 * times[name]:.1f} | {faster:.1f} "
                f"| {step.peak / 2**20:.0f} | {smaller:.1f} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
