"""Time per step of the Navier-Stokes solver against exponax and jax-cfd, at equal grid, precision and scheme.

    python -m benchmarks.solvers [--sizes 64 128 256] [--batches 1 16] [--dtypes float32 float64] [--rounds 25]

exponax steps by ETDRK4, jax-cfd by CN-RK4 (Carpenter-Kennedy); ours runs both. Everything is compiled the same way,
`jit` of a `lax.scan` of many steps, `vmap`ped where there is a batch, and takes turns in every round, so that a busy
machine slows all alike; times are medians over the rounds. Only ratios carry over to other machines. Before they are
timed all candidates must arrive at the same flow. "transforms" is the share of our ETDRK4 step that its eight complex
FFTs take by themselves: what is left to gain elsewhere.
"""

import argparse
import statistics
import time
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from pdes.equations import NavierStokes
from pdes.initial import mcwilliams
from pdes.steppers import cn_rk4, etdrk4
from spectral.grid import Grid
from spectral.transforms import fftn, ifftn

try:
    import exponax
    from jax_cfd.base import grids as cfd_grids
    from jax_cfd.spectral import equations as cfd_equations
    from jax_cfd.spectral import time_stepping as cfd_stepping
except ImportError as missing:
    raise SystemExit(f"{missing}; wanted the libraries to compare with: pip install '.[peers]'") from missing

BOX, VISCOSITY, DT = 2 * np.pi, 2e-2, 1 / 256
Step = Callable[[jax.Array], jax.Array]


def steps(n: int) -> dict[str, Step]:
    """One step of each candidate on the half spectrum [n, n//2 + 1] of the vorticity, in our sign and amplitudes."""
    equation = NavierStokes(Grid((n, n), (BOX,)), VISCOSITY)
    theirs = exponax.stepper.NavierStokesVorticity(2, BOX, n, DT, diffusivity=VISCOSITY, order=4)
    box = cfd_grids.Grid((n, n), domain=((0, BOX), (0, BOX)))
    return {
        "etdrk4": etdrk4(equation, DT),
        "cn_rk4": cn_rk4(equation, DT),
        "exponax": lambda w: theirs.step_fourier(w[None])[0],
        "jax-cfd": cfd_stepping.crank_nicolson_rk4(cfd_equations.NavierStokes2D(VISCOSITY, box), DT),
        "transforms": _only_transforms(n),
    }


def _only_transforms(n: int) -> Step:
    def step(w: jax.Array) -> jax.Array:
        z = jnp.pad(w, ((0, 0), (0, n - w.shape[1])))
        for _ in range(4):
            z = fftn(ifftn(z, (0, 1)), (0, 1))
        return z[:, : n // 2 + 1]

    return step


# Their states are sums over the points, and exponax has Lap psi = w.
SCALES: dict[str, Callable[[int], float]] = {"exponax": lambda n: -(n**2), "jax-cfd": lambda n: n**2}


def start(n: int, batch: int, name: str) -> jax.Array:
    """States [batch, n, n//2 + 1], or without the first axis for a batch of one."""
    grid = Grid((n, n), (BOX,))

    def one(key: jax.Array) -> jax.Array:
        equation = NavierStokes(grid, VISCOSITY)
        return equation.to_spectral(mcwilliams(key, grid, convention="torch_cfd")) * SCALES.get(name, lambda n: 1)(n)

    states = jax.jit(jax.vmap(one))(jax.random.split(jax.random.key(0), batch))
    return states[0] if batch == 1 else states


def compiled(step: Step, count: int, batch: int) -> Callable[[jax.Array], jax.Array]:
    step = step if batch == 1 else jax.vmap(step)
    return jax.jit(lambda w: jax.lax.scan(lambda v, _: (step(v), None), w, length=count)[0])


def _repeat(run: Step, states: jax.Array, times: int) -> jax.Array:
    for _ in range(times):
        states = jax.block_until_ready(run(states))
    return states


def check_agreement(ends: dict[str, jax.Array], n: int) -> None:
    """Another sign, scale, viscosity or step would be off by far more; other masks and schemes by less than 1e-2."""
    for name in ("cn_rk4", "exponax", "jax-cfd"):
        difference = ends[name] / SCALES.get(name, lambda n: 1)(n) - ends["etdrk4"]
        error = float(jnp.linalg.norm(difference) / jnp.linalg.norm(ends["etdrk4"]))
        if not error < 1e-2:
            raise RuntimeError(f"{name} at {n}: got a flow that differs by {error:.1e}, wanted less than 1e-2")


def measure(n: int, batch: int, rounds: int) -> dict[str, float]:
    """Median seconds per step and sample of every candidate."""
    # Short runs in many rounds: a load that comes and goes then falls on all candidates.
    count = max(4, round(100 * (64 / n) ** 2 / batch))
    runs = {name: compiled(step, count, batch) for name, step in steps(n).items()}
    starts = {name: start(n, batch, name) for name in runs}
    check_agreement({name: _repeat(run, starts[name], -(-32 // count)) for name, run in runs.items()}, n)
    times: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(rounds):
        for name, run in runs.items():
            begin = time.perf_counter()
            jax.block_until_ready(run(starts[name]))
            times[name].append((time.perf_counter() - begin) / count / batch)
    return {name: statistics.median(values) for name, values in times.items()}


def row(dtype: str, n: int, batch: int, t: dict[str, float]) -> str:
    fastest = min(t["exponax"], t["jax-cfd"])
    return (
        f"{dtype:>8} {n:>5} {batch:>5} {1e3 * t['etdrk4']:>9.3f} {1e3 * t['cn_rk4']:>9.3f}"
        f" {t['etdrk4'] / t['exponax']:>15.2f} {t['cn_rk4'] / t['jax-cfd']:>15.2f}"
        f" {t['etdrk4'] / fastest:>15.2f} {t['cn_rk4'] / fastest:>15.2f} {t['transforms'] / t['etdrk4']:>11.2f}"
    )


def main() -> None:
    parser: Any = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=int, nargs="+", default=[64, 128, 256])
    parser.add_argument("--batches", type=int, nargs="+", default=[1, 16])
    parser.add_argument("--dtypes", nargs="+", default=["float32", "float64"], choices=["float32", "float64"])
    parser.add_argument("--rounds", type=int, default=25)
    args = parser.parse_args()
    print(f"{jax.devices()[0].device_kind}; ms per step and sample, then ratios of times (below 1: ours is faster)")
    print(
        f"{'dtype':>8} {'n':>5} {'batch':>5} {'etdrk4':>9} {'cn_rk4':>9} {'etdrk4/exponax':>15} {'cn_rk4/jax-cfd':>15}"
        f" {'etdrk4/fastest':>15} {'cn_rk4/fastest':>15} {'transforms':>11}"
    )
    for dtype in args.dtypes:
        for n in args.sizes:
            for batch in args.batches:
                with jax.enable_x64(dtype == "float64"):
                    print(row(dtype, n, batch, measure(n, batch, args.rounds)), flush=True)


if __name__ == "__main__":
    main()
