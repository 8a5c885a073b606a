"""Every equation against its exact solution: order in time, error in space, invariants, time per trajectory.

    python -m benchmarks.equations [--only Burgers wave] [--rounds 5]

Cases are those of `benchmarks.equation_cases`, stepped by ETDRK4, and of `benchmarks.steady_cases`, all in float64.
Errors are relative L2 errors of all fields at the end. "order" is the slope between the two finer of three time steps
on the finer grid, "exact" where the equation is linear; "too few" and "enough" are errors on the two grids with the
smallest step; "drift" is the largest change of an invariant there, relative to the largest invariant. "ms" is the
median time of one trajectory, compiled, on the finer grid with the smallest step: it says what a solution of that
error costs on this machine.
"""

import argparse
import functools
import statistics
import time
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from pdes.equations import Equation
from pdes.steppers.etdrk4 import Coefficients, etdrk4_coefficients, etdrk4_step

from .equation_cases import CASES, Case
from .steady_cases import CELLS, STEADY, SteadyCase


class Run(NamedTuple):
    """One solution: its error, the drift of its invariants, and the median seconds it took."""

    error: float
    drift: float
    seconds: float


class Row(NamedTuple):
    """What is measured of a case."""

    order: float | None
    coarse: float
    fine: float
    drift: float
    seconds: float


def solve(case: Case, points: int, steps: int, rounds: int = 0) -> Run:
    """Steps a case from its exact start to its end. Under float64."""
    equation, run = _program(case, points)
    grid, start = equation.grid, jnp.asarray(case.exact(equation.grid, 0.0))
    arguments = jax.device_put((etdrk4_coefficients(equation.linear, case.time / steps), steps, start))
    found, (before, after) = run(*arguments)
    wanted = case.exact(grid, case.time)
    # What damps takes energy, not mass. A mean may be zero: drifts are measured against the largest invariant.
    kept = [name for name in before if name in ("mean", "mass") or not np.real(equation.linear).any()]
    size = max((abs(float(value)) for value in before.values()), default=1.0)
    drift = max((abs(float(after[name] - before[name])) / size for name in kept), default=float("nan"))
    times = []
    for _ in range(rounds):
        begin = time.perf_counter()
        jax.block_until_ready(run(*arguments))
        times.append(time.perf_counter() - begin)
    error = float(np.linalg.norm(found - wanted) / np.linalg.norm(wanted))
    return Run(error, drift, statistics.median(times) if times else float("nan"))


@functools.lru_cache(maxsize=2)
def _program(case: Case, points: int) -> tuple[Equation, Callable]:
    """The equation of a case on a grid; and coefficients, number of steps and start -> end, and invariants of both."""
    equation = case.equation(points)

    @jax.jit
    def run(coefficients: Coefficients, steps: jax.Array, u: jax.Array) -> tuple[jax.Array, list[dict[str, jax.Array]]]:
        start = equation.to_spectral(u)
        widened = [jnp.reshape(c, (1,) * (start.ndim - c.ndim) + c.shape) for c in coefficients]
        end = jax.lax.fori_loop(0, steps, lambda _, v: etdrk4_step(equation, widened, v), start)
        return equation.to_physical(end), [equation.invariants(v) for v in (start, end)]

    return equation, run


def measure(case: Case, rounds: int = 0) -> Row:
    """Order, errors, drift and time of one case. Under float64."""
    coarse, fine = case.points
    if not case.steps:
        best, order = solve(case, fine, 1, rounds), None
        return Row(order, solve(case, coarse, 1).error, best.error, best.drift, best.seconds)
    middle, best = solve(case, fine, 2 * case.steps), solve(case, fine, 4 * case.steps, rounds)
    order = float(np.log2(middle.error / best.error))
    return Row(order, solve(case, coarse, 4 * case.steps).error, best.error, best.drift, best.seconds)


def line(case: Case, row: Row) -> str:
    order = "exact" if row.order is None else f"{row.order:.2f}"
    drift = "–" if np.isnan(row.drift) else f"{row.drift:.0e}"
    return (
        f"| {case.name} | {case.solution} | {order} | {grids(case.points, case.equation(3).grid.ndim)} "
        f"| {row.coarse:.0e} | {row.fine:.0e} | {drift} | {4 * case.steps or 1} | {1e3 * row.seconds:.2g} |"
    )


def steady_line(case: SteadyCase) -> str:
    coarse, fine = (case.error(case.grid(n)) for n in case.points)
    on = grids(case.points, case.grid(3).ndim)
    return f"| {case.name} | {case.solution} | – | {on} | {coarse:.0e} | {fine:.0e} | – | – | – |"


def grids(points: tuple[int, int], ndim: int) -> str:
    """Such as 16^2 -> 64^2."""
    return " -> ".join(f"{n}^{ndim}".removesuffix("^1") for n in points)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", default=[""], help="parts of names")
    parser.add_argument("--rounds", type=int, default=5)
    args = parser.parse_args()
    if not any(part.lower() in case.name.lower() for case in [*CASES, *CELLS, *STEADY] for part in args.only):
        parser.error(f"--only: got {' '.join(args.only)}, wanted parts of names of equations, such as Burgers")
    print("| equation | solution | order | points | too few | enough | drift | steps | ms |")
    print("|---|---|---|---|---|---|---|---|---|")
    with jax.enable_x64(True):
        for case in [*CASES, *CELLS, *STEADY]:
            if any(part.lower() in case.name.lower() for part in args.only):
                steady = isinstance(case, SteadyCase)
                print(steady_line(case) if steady else line(case, measure(case, args.rounds)), flush=True)


if __name__ == "__main__":
    main()
