"""Trajectories per second of the Navier-Stokes benchmark sets, against torch-cfd and the FNO paper's scheme.

    python -m benchmarks.generators [--sizes 64 128 256] [--accuracy 1e-3] [--time 1] [--rounds 5]

The flows are those of Li et al. 2021, at viscosity 1e-3 on 64 x 64 points, 1e-4 on 128 x 128 and 1e-5 on 256 x 256,
from the same starts, in float64. Every code takes the largest of the steps T / 2^j with which its error against a
converged reference, ETDRK4 on twice as many points a side with a quarter of our step, is below the accuracy; so all
deliver equally good data. The paper's scheme, Crank-Nicolson and forward Euler, is of first order: where its step would
have to be far smaller than T / 512, it is found from the error at one that halves it (marked *). Of more than 64 steps
so many are timed.

Times are medians of rounds in which the codes take turns. Ours solves as `data.generate` does, batches of four by as
many threads as there are cores; torch has the whole batch and all cores. At last the memory of `data.generate`, in a
process of its own, for a set and for one eight times as large.
"""

import argparse
import functools
import math
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from data.parallel import cores
from data.solving import batch_size
from pdes.equations import NavierStokes
from pdes.generators import NavierStokesLi
from pdes.random_fields import gaussian_random_field
from pdes.steppers import etdrk4, rollout
from spectral.filters import resize
from spectral.grid import Grid

try:
    import torch
    from torch_cfd.forcings import SinCosForcing
    from torch_cfd.grids import Grid as TorchGrid
    from torch_cfd.spectral import IMEXStepper, NavierStokes2DSpectral, RK4CrankNicolsonStepper
except ImportError as missing:
    raise SystemExit(f"{missing}; wanted the libraries to compare with: pip install '.[peers]'") from missing

VISCOSITY = {64: 1e-3, 128: 1e-4, 256: 1e-5}
BATCH = 8
# Errors that halve with the step are followed to the first of these numbers of steps, others to the second.
FAR, FINEST = 512, 8192
# Starts [b, x, y], duration, steps -> ends.
Code = Callable[[np.ndarray, float, int], np.ndarray]


class Choice(NamedTuple):
    """A code with the step that gives the accuracy.

    Args:
        steps: to the end.
        error: relative L2, the worst of the samples looked at.
        extrapolated: whether the steps are more than were tried.
    """

    steps: int
    error: float
    extrapolated: bool = False


def flow(n: int, viscosity: float) -> NavierStokes:
    return NavierStokesLi(shape=(n, n), viscosity=viscosity).flow(Grid((n, n)))


def ours(n: int) -> Code:
    """ETDRK4 in batches of a core."""
    part = batch_size(n * n, "cpu")

    def run(w: np.ndarray, duration: float, steps: int) -> np.ndarray:
        program = _compiled(n, duration, steps, min(part, len(w)))
        # Placed here: whether float64 is on is a matter of the thread.
        parts = [jnp.asarray(w[i : i + part]) for i in range(0, len(w), part)]
        with ThreadPoolExecutor(cores()) as pool:
            return np.concatenate([np.asarray(end) for end in pool.map(program, parts)])

    return run


@functools.lru_cache(maxsize=32)
def _compiled(n: int, duration: float, steps: int, batch: int, viscosity: float | None = None) -> Callable:
    equation = flow(n, viscosity or VISCOSITY[n])

    def one(w: jax.Array) -> jax.Array:
        return equation.to_physical(rollout(etdrk4(equation, duration / steps), equation.to_spectral(w), 1, steps)[0])

    return jax.jit(jax.vmap(one)).lower(jnp.zeros((batch, n, n))).compile()


def theirs(n: int, scheme: IMEXStepper) -> Code:
    """A scheme of torch-cfd on its Navier-Stokes equation."""
    box = TorchGrid((n, n), domain=((0.0, 1.0), (0.0, 1.0)))
    force = SinCosForcing(grid=box, scale=NavierStokesLi.amplitude)
    equation = NavierStokes2DSpectral(VISCOSITY[n], box, forcing_fn=force, step_fn=scheme)

    def run(w: np.ndarray, duration: float, steps: int) -> np.ndarray:
        with torch.no_grad():
            state = torch.fft.rfft2(torch.tensor(w))
            for _ in range(steps):
                state, _ = equation(state, duration / steps)
            return torch.fft.irfft2(state).numpy()

    return run


def starts(n: int, count: int) -> np.ndarray:
    """The same fields for every code, free of what the two-thirds rule takes."""
    equation = flow(n, VISCOSITY[n])
    covariance = NavierStokesLi(shape=(n, n)).covariance

    def one(key: jax.Array) -> jax.Array:
        return equation.to_physical(equation.to_spectral(gaussian_random_field(key, Grid((n, n)), covariance)))

    return np.asarray(jax.jit(jax.vmap(one))(jax.random.split(jax.random.key(0), count)))


def reference(n: int, w: np.ndarray, duration: float, steps: int) -> np.ndarray:
    """The ends on n points, solved for on twice as many."""
    fine = np.asarray(resize(jnp.asarray(w), (2 * n, 2 * n), (1, 2)))
    program = _compiled(2 * n, duration, steps, 1, VISCOSITY[n])
    return np.concatenate([np.asarray(resize(program(one[None]), (n, n), (1, 2))) for one in fine])


def choose(code: Code, w: np.ndarray, end: np.ndarray, duration: float, accuracy: float) -> Choice:
    """The fewest steps of a power of two that reach the accuracy."""
    steps, before = 1, math.inf
    while True:
        found = code(w, duration, steps)
        error = float(np.max(np.linalg.norm(found - end, axis=(1, 2)) / np.linalg.norm(end, axis=(1, 2))))
        if error <= accuracy:
            return Choice(steps, error)
        if steps >= FAR and 1.9 < before / error < 2.1:
            return Choice(math.ceil(steps * error / accuracy), accuracy, True)
        if 0.99 < before / error < 1.01:
            raise SystemExit(
                f"got an error of {error:.1e} on {w.shape[1:]} points however small the step, wanted {accuracy}: "
                "raise --accuracy or take more points"
            )
        if steps == FINEST:
            raise SystemExit(f"got an error of {error:.1e} with {steps} steps, wanted {accuracy}: raise --accuracy")
        steps, before = 2 * steps, error


def seconds(codes: dict[str, Code], chosen: dict[str, Choice], w: np.ndarray, duration: float, rounds: int) -> dict:
    """Median seconds per trajectory."""
    times: dict[str, list[float]] = {name: [] for name in codes}
    for turn in range(rounds + 1):
        for name, code in codes.items():
            steps = chosen[name].steps
            some = min(steps, 64)
            begin = time.perf_counter()
            code(w, duration * some / steps, some)
            if turn:  # the first one compiles
                times[name].append((time.perf_counter() - begin) * steps / some / len(w))
    return {name: statistics.median(values) for name, values in times.items()}


def compare(n: int, accuracy: float, duration: float, rounds: int) -> None:
    """The rows of one set."""
    w = starts(n, BATCH)
    codes = {
        "ETDRK4": ours(n),
        "torch-cfd, CN-RK4": theirs(n, RK4CrankNicolsonStepper()),
        "FNO paper's, CN-Euler": theirs(n, IMEXStepper(order=1.5)),
    }
    looked = w[:2]
    first = choose(codes["ETDRK4"], looked, reference(n, looked, duration, 512), duration, accuracy)
    end = reference(n, looked, duration, max(512, 4 * first.steps))
    chosen = {name: choose(code, looked, end, duration, accuracy) for name, code in codes.items()}
    taken = seconds(codes, chosen, w, duration, rounds)
    for name in codes:
        steps, error, extrapolated = chosen[name]
        print(
            f"| {n} | {VISCOSITY[n]:g} | {name} | {steps}{'*' if extrapolated else ''} | {error:.1e} | "
            f"{1 / taken[name]:.3g} | {taken[name] / taken['ETDRK4']:.1f} |",
            flush=True,
        )


def memory(samples: int) -> int:
    """MiB at most of a process that generates so many trajectories."""
    program = (
        "import resource, tempfile\nfrom data.generation import ensure\nfrom data.splits import SplitSpec\n"
        "from pdes.generators import NavierStokesLi\n"
        "flow = NavierStokesLi(shape=(96, 96), n_snapshots=12, interval=0.1, warmup=0.1)\n"
        f"with tempfile.TemporaryDirectory() as root: ensure(flow, SplitSpec('s', {samples}, 0, ((64, 64),)), root)\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    return int(done.stdout)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=int, nargs="+", default=list(VISCOSITY), choices=list(VISCOSITY))
    parser.add_argument("--accuracy", type=float, default=1e-3)
    parser.add_argument("--time", type=float, default=1.0, help="duration, in the time unit of the sets")
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    torch.set_default_dtype(torch.float64)
    print("| points | viscosity | code | steps per unit | error | trajectories/s | times ours |")
    print("|---|---|---|---|---|---|---|")
    with jax.enable_x64(True):
        for n in arguments.sizes:
            compare(n, arguments.accuracy, arguments.time, arguments.rounds)
    few, many = memory(32), memory(256)
    print(f"memory of data.generate at 64x64: {few} MiB for 32 trajectories, {many} MiB for 256")


if __name__ == "__main__":
    main()
