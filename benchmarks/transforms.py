"""Pruned and matrix-product transforms against the whole FFT, and whether the plan picks the faster.

    python -m benchmarks.transforms               the table
    python -m benchmarks.transforms --calibrate   the constants of this device for spectral/plan.py

Every time is of a forward and an inverse transform of a float32 field under one jit: the median over rounds in which
the candidates take turns, so that a busy machine slows all of them alike. Only ratios carry over to other machines.
"""

import argparse
import statistics
import time
from collections.abc import Callable, Mapping

import jax
import jax.numpy as jnp
import numpy as np

from spectral import transforms
from spectral._modes import fit_axis, place_modes, take_modes
from spectral.plan import plan

# shape of the array, spatial axes, modes per axis
CASES = [
    ((2, 256, 256, 32), (1, 2), 16),
    ((2, 32, 256, 256), (2, 3), 16),
    ((8, 64, 64, 32), (1, 2), 16),
    ((4, 128, 128, 32), (1, 2), 64),
    ((4, 32, 128, 128), (2, 3), 128),
    ((4, 241, 241, 16), (1, 2), 24),
    ((8, 1024, 64), (1,), 16),
    ((8, 8192, 8), (1,), 2048),
    ((2, 32, 32, 32, 16), (1, 2, 3), 8),
    ((1, 512, 512, 1), (1, 2), 256),
]


def median_times(candidates: Mapping[str, Callable], *args: jax.Array, rounds: int) -> dict[str, float]:
    """Median seconds of each jitted candidate over alternating rounds."""
    compiled = {name: jax.jit(f) for name, f in candidates.items()}
    for f in compiled.values():
        jax.block_until_ready(f(*args))
    times: dict[str, list[float]] = {name: [] for name in compiled}
    for _ in range(rounds):
        for name, f in compiled.items():
            start = time.perf_counter()
            jax.block_until_ready(f(*args))
            times[name].append(time.perf_counter() - start)
    return {name: statistics.median(t) for name, t in times.items()}


def random_field(*shape: int) -> jax.Array:
    return jnp.asarray(np.random.default_rng(0).normal(size=shape), jnp.float32)


def candidates(shape: tuple[int, ...], axes: tuple[int, ...], modes: int) -> dict[str, Callable]:
    space = tuple(shape[a] for a in axes)
    n_modes = (modes,) * len(axes)

    def full(u):
        # What a layer without truncated transforms does: whole spectrum, cut, filled up with zeros, whole inverse.
        u_hat = transforms.rfftn(u, axes)
        *leading, last = transforms.kept_shape(n_modes, space)
        kept = jax.lax.slice_in_dim(u_hat, 0, last, axis=axes[-1])
        for axis, count in zip(axes[:-1], leading, strict=True):
            kept = take_modes(kept, count, axis)
        for axis, count in zip(axes[:-1], space[:-1], strict=True):
            kept = place_modes(kept, count, axis)
        return transforms.irfftn(fit_axis(kept, space[-1] // 2 + 1, axes[-1]), space, axes)

    def truncated(backend):
        def there_and_back(u):
            coeffs = transforms.forward(u, n_modes, axes=axes, backend=backend)
            return transforms.inverse(coeffs, space, axes=axes, backend=backend)

        return there_and_back

    return {"full": full, "fft": truncated("fft"), "matmul": truncated("matmul")}


def table(rounds: int) -> None:
    """Prints one row per case: milliseconds, speed-ups over the whole FFT, and the plan's choice."""
    print(f"{'array':>24} {'modes':>6} {'full ms':>9} {'fft':>8} {'matmul':>8}   plan")
    for shape, axes, modes in CASES:
        times = median_times(candidates(shape, axes, modes), random_field(*shape), rounds=rounds)
        space = tuple(shape[a] for a in axes)
        behind = int(np.prod(shape[axes[-1] + 1 :]))
        choice = plan(
            space,
            (modes,) * len(axes),
            channels=behind,
            batch=int(np.prod(shape)) // int(np.prod(space)) // behind,
        ).backend
        best = min(("fft", "matmul"), key=times.__getitem__)
        verdict = "the faster" if choice == best else f"{times[choice] / times[best]:.2f}x the faster's time"
        speedups = " ".join(f"{times['full'] / times[b]:>7.2f}x" for b in ("fft", "matmul"))
        name = " ".join(map(str, shape))
        print(f"{name:>24} {modes:>6} {1e3 * times['full']:>9.2f} {speedups}   {choice}: {verdict}", flush=True)


def calibrate(rounds: int) -> None:
    """Prints the rates that `spectral.plan.DEVICES` holds."""
    high = jax.lax.Precision.HIGHEST
    field, matrix, small = random_field(4096, 4096), random_field(4096, 33), random_field(8, 8)
    measured = median_times(
        {
            "product": lambda u, m, s: jnp.matmul(m.T, u, precision=high),
            "fft": lambda u, m, s: jnp.fft.rfft(u.reshape(-1, 256)),
            "bandwidth": lambda u, m, s: jnp.swapaxes(u.reshape(8, 256, 256, 32), 2, 3),
            "overhead": lambda u, m, s: s + 1,
        },
        field,
        matrix,
        small,
        rounds=rounds,
    )
    amount = {
        "product": 2 * field.size * matrix.shape[1],
        "fft": 2.5 * field.size * np.log2(256),
        "bandwidth": 2 * field.nbytes,
    }
    with jax.enable_x64(True):
        doubles = {"product64": lambda u, m: jnp.matmul(m.T, u, precision=high)}
        arrays = field.astype(jnp.float64), matrix.astype(jnp.float64)
        measured |= median_times(doubles, *arrays, rounds=rounds)
    amount["product64"] = amount["product"]
    print(f"device kind {jax.devices()[0].device_kind!r}, per second (overhead: seconds)")
    for name, seconds in measured.items():
        print(f"  {name:<10} {amount[name] / seconds if name in amount else seconds:.2e}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--calibrate", action="store_true")
    arguments = parser.parse_args()
    (calibrate if arguments.calibrate else table)(arguments.rounds)
