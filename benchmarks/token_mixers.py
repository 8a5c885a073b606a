"""Time and memory of token mixers as the tokens become more: AFNO, global filter, FNO and self-attention.

    python -m benchmarks.token_mixers                256 to 16384 tokens
    python -m benchmarks.token_mixers --most 256     the smallest size alone

One forward and backward pass of one mixer on a square grid of tokens, one sample. Widths are such that AFNO, FNO and
attention have about as many parameters; a global filter has one complex number for every token and channel. Times are
medians over rounds in which the mixers take turns, so that a busy machine slows all of them alike; memory is that of
the compiled program beside its arguments. The exponents are those of the growth over the last doublings of the side: 1
is linear in the number of tokens, 2 quadratic. A second table has AFNO's time per token by transform, with as many
samples as make the same number of tokens at every size: the memory in use is the same, the transforms are longer. What
the mixers are worth is another question: experiment=ns_afno with operator=afno, vit and fno.
"""

import argparse
import functools
import math
import os
import statistics
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from operators.layers.afno_mixer import AFNOMixer
from operators.layers.global_filter import GlobalFilter
from operators.layers.self_attention import SelfAttention
from operators.layers.spectral_conv import SpectralConv
from spectral.plan import BACKENDS, OVERRIDE

SIDES = (16, 32, 64, 128)
CHANNELS = 128
# About 66 thousand numbers each, the filter's apart. The FNO mixes 12 x 12 modes: with these parameters it is narrow.
MIXERS: dict[str, tuple[int, Callable[..., nnx.Module]]] = {
    "AFNO, 1 block": (CHANNELS, functools.partial(AFNOMixer, CHANNELS, num_blocks=1)),
    "AFNO, 8 blocks": (360, functools.partial(AFNOMixer, 360, num_blocks=8)),
    # One head: the scores of 16384 tokens are 1 GiB for each.
    "attention": (CHANNELS, functools.partial(SelfAttention, CHANNELS, num_heads=1)),
    "FNO, 12 x 12 modes": (20, functools.partial(SpectralConv, 20, 20, (12, 12))),
}


def cases(side: int) -> dict[str, tuple[int, Callable[..., nnx.Module]]]:
    """Name -> width and constructor of every mixer on side x side tokens."""
    return MIXERS | {"global filter": (CHANNELS, functools.partial(GlobalFilter, CHANNELS, (side, side)))}


def parameters(make: Callable[..., nnx.Module]) -> int:
    """Numbers in a mixer."""
    state = nnx.state(nnx.eval_shape(lambda: make(rngs=nnx.Rngs(0))), nnx.Param)
    return sum(math.prod(leaf.shape) for leaf in jax.tree.leaves(state))


def compiled(make: Callable[..., nnx.Module], side: int, channels: int, batch: int = 1):
    """Gradients of a mixer by its parameters and input, compiled; and its arguments."""
    graph, state = nnx.split(make(rngs=nnx.Rngs(0)))

    def total(state, x):
        return jnp.square(nnx.merge(graph, state)(x)).sum()  # pyright: ignore[reportCallIssue]

    x = jnp.asarray(np.random.default_rng(0).normal(size=(batch, side, side, channels)), jnp.float32)
    return jax.jit(jax.grad(total, argnums=(0, 1))).lower(state, x).compile(), (state, x)


def measure(side: int, rounds: int) -> dict[str, tuple[float, float]]:
    """Median seconds and MiB of every mixer."""
    programs = {name: compiled(make, side, channels) for name, (channels, make) in cases(side).items()}
    times = median_times(programs, rounds)
    return {name: (times[name], _temporaries(programs[name][0])) for name in programs}


def median_times(programs: Mapping[str, tuple], rounds: int) -> dict[str, float]:
    """Median seconds of programs with their arguments, in turns."""
    times: dict[str, list[float]] = {name: [] for name in programs}
    for round_ in range(rounds + 1):
        for name, (program, arguments) in programs.items():
            start = time.perf_counter()
            jax.block_until_ready(program(*arguments))
            if round_:  # the first one warms up
                times[name].append(time.perf_counter() - start)
    return {name: statistics.median(t) for name, t in times.items()}


@contextmanager
def transforms_by(backend: str | None) -> Iterator[None]:
    """What is traced meanwhile has transforms of that backend; None for the plan's."""
    before = os.environ.pop(OVERRIDE, None)
    try:
        os.environ.update({} if backend is None else {OVERRIDE: backend})
        yield
    finally:
        os.environ.pop(OVERRIDE, None)
        os.environ.update({} if before is None else {OVERRIDE: before})


def per_token(sides: Sequence[int], rounds: int) -> str:
    """A Markdown table: microseconds a token of AFNO with one block, by backend of its transforms."""
    tokens = sides[-1] ** 2
    names = {**{name: name for name in BACKENDS}, "plan": None}
    found = []
    for side in sides:
        programs = {}
        for name, backend in names.items():
            with transforms_by(backend):
                channels, make = MIXERS["AFNO, 1 block"]
                programs[name] = compiled(make, side, channels, tokens // side**2)
        found.append(median_times(programs, rounds))
    lines = [f"| transforms | {' | '.join(f'{tokens // s**2} x {s**2} tokens, us' for s in sides)} |"]
    lines.append("|---" * (1 + len(sides)) + "|")
    for name in names:
        lines.append(f"| {name} | {' | '.join(f'{1e6 * row[name] / tokens:.3g}' for row in found)} |")
    return "\n".join(lines)


def _temporaries(program) -> float:
    """MiB that a program needs beside its arguments and results."""
    memory = program.memory_analysis()
    return memory.temp_size_in_bytes / 2**20 if memory else math.nan


def table(sides: Sequence[int], rounds: int) -> str:
    """A Markdown table: milliseconds and MiB at every size, and how both grew over the last doubling of the side."""
    found = [measure(side, rounds) for side in sides]
    titles = [f"{side**2} tokens, ms" for side in sides] + [f"{side**2} tokens, MiB" for side in sides]
    growth = ["time ~ N^", "memory ~ N^"] if len(sides) > 1 else []
    lines = [f"| mixer | width | parameters | {' | '.join(titles + growth)} |"]
    lines.append("|---" * (3 + len(titles) + len(growth)) + "|")
    for name, (channels, make) in cases(sides[0]).items():
        seconds, memory = ([row[name][i] for row in found] for i in (0, 1))
        cells = [f"{1e3 * s:.3g}" for s in seconds] + [f"{m:.3g}" for m in memory]
        if growth:
            per_doubling = math.log((sides[-1] / sides[-2]) ** 2)
            cells += [f"{math.log(v[-1] / v[-2]) / per_doubling:.2f}" for v in (seconds, memory)]
        lines.append(f"| {name} | {channels} | {parameters(make):,} | {' | '.join(cells)} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--most", type=int, default=SIDES[-1] ** 2, help="largest number of tokens")
    arguments = parser.parse_args()
    print(f"{jax.devices()[0].device_kind}, {arguments.rounds} rounds")
    sides = [side for side in SIDES if side**2 <= arguments.most]
    print(table(sides, arguments.rounds))
    print()
    print(per_token(sides, arguments.rounds))


if __name__ == "__main__":
    main()
