"""One training step of our FNO beside the PyTorch library's, in turns in one process.

    python -m benchmarks.peers.train_step --size 64 --repeats 10

A step is forward, backward and Adam, float32, on the same architecture, loss (relative L2) and batch. Ours is the step
that `train.py` compiles, once with one step per call and once with several (`trainer.steps_per_dispatch`). Then come
the parts of the step, each forward and backward by itself, and what the machine allows: measured peaks, and the time
that the step's multiply-adds take at the peak. Other work on the machine slows both sides, the library's OpenMP threads
more than XLA's: compare on a quiet one.
"""

import argparse
import functools
import statistics
import time
from collections.abc import Callable, Mapping

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import nnx

from operators import FNO
from operators.fno import FNO as Operator
from training.losses import RelativeL2
from training.sharding import make_mesh
from training.step import init_state, make_update, split_operator

# grid per axis -> (batch, modes per axis)
CASES = {64: (16, 16), 128: (4, 32)}
WIDTH, LAYERS, LEARNING_RATE = 64, 4, 1e-3
GOALS = {64: 0.6, 128: 0.5}


def import_peers():
    """The PyTorch library, or a way to get it."""
    try:
        import neuralop.models
        import torch
    except ImportError as error:
        raise SystemExit(
            f"train_step: got no module {error.name!r}, wanted the PyTorch library to compare with; install torch and "
            "then the extra: pip install -e '.[peers]'"
        ) from error
    return torch, neuralop.models


def batch_of(size: int) -> tuple[np.ndarray, np.ndarray]:
    """Inputs and targets [b, x, y, 1]."""
    rng = np.random.default_rng(0)
    shape = (CASES[size][0], size, size, 1)
    return rng.standard_normal(shape, np.float32), rng.standard_normal(shape, np.float32)


def make_operator(size: int) -> Operator:
    return FNO((CASES[size][1],) * 2, 1, 1, WIDTH, n_layers=LAYERS, rngs=nnx.Rngs(0))


def our_step(size: int, steps: int) -> Callable[[], None]:
    """`steps` training steps in one compiled call."""
    model_of, params = split_operator(make_operator(size))
    optimizer = optax.adam(LEARNING_RATE)
    update = make_update(model_of, RelativeL2((1.0, 1.0)), optimizer, make_mesh(1))
    data = jax.tree.map(jnp.asarray, batch_of(size))
    state = init_state(params, optimizer, ema=False)

    # The loop of `training.step.make_chunk` without its metrics, which the other side does not compute either.
    @functools.partial(jax.jit, donate_argnums=0)
    def several(state, data):
        return jax.lax.fori_loop(0, steps, lambda _, state: update(state, data)[0], state)

    def call() -> None:
        nonlocal state
        state = jax.block_until_ready(several(state, data))

    return call


def their_model(size: int):
    torch, models = import_peers()
    torch.manual_seed(0)
    return models.FNO(
        n_modes=(CASES[size][1],) * 2, in_channels=1, out_channels=1, hidden_channels=WIDTH, n_layers=LAYERS
    )


def their_step(size: int) -> Callable[[], None]:
    torch, _ = import_peers()
    model = their_model(size)
    optimizer = torch.optim.Adam(model.parameters(), lr=LEARNING_RATE)
    x, y = (torch.from_numpy(np.moveaxis(v, -1, 1).copy()) for v in batch_of(size))

    def call() -> None:
        optimizer.zero_grad(set_to_none=True)
        error, target = (model(x) - y).flatten(1), y.flatten(1)
        (error.norm(dim=1) / target.norm(dim=1)).mean().backward()
        optimizer.step()

    return call


def parameter_counts(size: int) -> tuple[int, int]:
    """Real numbers in our operator and in theirs."""
    ours = sum(leaf.size for leaf in jax.tree.leaves(nnx.to_pure_dict(nnx.state(make_operator(size), nnx.Param))))
    theirs = sum(p.numel() * (2 if p.is_complex() else 1) for p in their_model(size).parameters())
    return ours, theirs


def our_parts(size: int) -> dict[str, Callable[[], None]]:
    """Forward and backward of the parts of the operator, each compiled by itself."""
    operator = make_operator(size)
    batch = CASES[size][0]
    rng = np.random.default_rng(0)

    def field(channels: int) -> jax.Array:
        return jnp.asarray(rng.standard_normal((batch, size, size, channels), np.float32))

    def part(module: nnx.Module, x: jax.Array) -> Callable[[], None]:
        # The squares make the cotangent a whole array, as in training.
        gradient = jax.jit(jax.grad(lambda module, x: jnp.sum(module(x) ** 2), argnums=(0, 1), allow_int=True))
        return lambda: jax.block_until_ready(gradient(module, x))

    block = operator.blocks[0]
    return {
        "lifting": part(operator.lifting, field(3)),
        "block": part(block, field(WIDTH)),
        "  its spectral convolution": part(block.conv, field(WIDTH)),
        "projection": part(operator.projection, field(WIDTH)),
    }


def their_parts(size: int) -> dict[str, Callable[[], None]]:
    torch, _ = import_peers()
    model, batch = their_model(size), CASES[size][0]

    def part(function: Callable, channels: int) -> Callable[[], None]:
        x = torch.randn(batch, channels, size, size, requires_grad=True)
        return lambda: (function(x) ** 2).sum().backward()

    return {
        "lifting": part(model.lifting, 3),
        "block": part(lambda x: model.fno_blocks(x, 0), WIDTH),
        "  its spectral convolution": part(model.fno_blocks.convs[0], WIDTH),
        "projection": part(model.projection, WIDTH),
    }


def median_times(calls: Mapping[str, Callable[[], None]], repeats: int) -> dict[str, float]:
    """Median seconds of each call, taking turns."""
    times: dict[str, list[float]] = {name: [] for name in calls}
    for call in calls.values():
        call()
    for _ in range(repeats):
        for name, call in calls.items():
            start = time.perf_counter()
            call()
            times[name].append(time.perf_counter() - start)
    return {name: statistics.median(t) for name, t in times.items()}


def step_flops(size: int) -> tuple[float, float]:
    """Operations of one step in pointwise layers, and in transforms and mixing; backward is twice forward."""
    batch, modes = CASES[size]
    points, w = batch * size**2, WIDTH
    lifting, projection, layer = 3 * 2 * w + 2 * w * w, w * 2 * w + 2 * w, w * w + 2 * w * (w // 2)
    pointwise = 2 * points * (lifting + projection + LAYERS * layer)
    columns = 2 * (modes // 2) + 1  # of a truncated transform as two real products, there and back
    transforms = 2 * 2 * w * points * columns * (1 + columns / size)
    mixing = 8 * batch * modes * (modes // 2 + 1) * w * w
    return 3.0 * pointwise, 3.0 * LAYERS * (transforms + mixing)


def peaks(repeats: int) -> dict[str, tuple[float, float]]:
    """Rates of both libraries, ours and theirs: GFLOP/s of a large product, GB/s of adding one to a large array."""
    torch, _ = import_peers()
    n, length = 2048, 1 << 24
    a, b = jnp.ones((n, n)), torch.ones(n, n)
    u, v = jnp.ones(length), torch.ones(length)
    product, add = jax.jit(jnp.matmul), jax.jit(lambda u: u + 1, donate_argnums=0)

    def add_ours() -> None:
        nonlocal u
        u = jax.block_until_ready(add(u))

    calls = {
        "our product": lambda: jax.block_until_ready(product(a, a)),
        "their product": lambda: torch.matmul(b, b),
        "our add": add_ours,
        "their add": lambda: v.add_(1),
    }
    t = median_times(calls, repeats)
    return {
        "matrix product, GFLOP/s": (2 * n**3 / t["our product"] / 1e9, 2 * n**3 / t["their product"] / 1e9),
        "memory, GB/s": (8 * length / t["our add"] / 1e9, 8 * length / t["their add"] / 1e9),
    }


def row(name: str, ours: float, theirs: float) -> str:
    return f"{name:<34}{ours:>12.1f}{theirs:>12.1f}{ours / theirs:>10.2f}"


def report(size: int, repeats: int, steps: int) -> None:
    batch, modes = CASES[size]
    ours, theirs = parameter_counts(size)
    print(f"\nFNO, batch {batch}, {size} x {size}, width {WIDTH}, modes {modes} x {modes}, {LAYERS} layers, float32")
    print(f"parameters: ours {ours:,}, theirs {theirs:,}")
    several = f"{steps} steps per call"
    t = median_times({"theirs": their_step(size), "one": our_step(size, 1), several: our_step(size, steps)}, repeats)
    print(f"{'medians, ms':<34}{'ours':>12}{'theirs':>12}{'ratio':>10}")
    print(row("step", 1e3 * t["one"], 1e3 * t["theirs"]))
    print(f"{row(f'step, {several}', 1e3 * t[several] / steps, 1e3 * t['theirs'])}   goal {GOALS[size]}")

    a, b = (median_times(parts(size), max(3, repeats // 2)) for parts in (our_parts, their_parts))
    for name in a:
        print(row(name, 1e3 * a[name], 1e3 * b[name]))

    rates = peaks(repeats)
    for name, (x, y) in rates.items():
        print(row(name, x, y))
    pointwise, spectral = step_flops(size)
    floor = (pointwise + spectral) / rates["matrix product, GFLOP/s"][0] / 1e6
    print(f"step: {pointwise / 1e9:.1f} GFLOP pointwise, {spectral / 1e9:.1f} spectral: {floor:.0f} ms at our peak")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", choices=["64", "128", "all"], default="all")
    parser.add_argument("--repeats", type=int, default=10)
    parser.add_argument("--steps", type=int, default=8, help="steps per call in the second row")
    parser.add_argument("--threads", type=int, default=2, help="of the PyTorch library")
    args = parser.parse_args()
    torch, _ = import_peers()
    torch.set_num_threads(args.threads)
    for size in CASES if args.size == "all" else [int(args.size)]:
        report(size, args.repeats, args.steps)


if __name__ == "__main__":
    main()
