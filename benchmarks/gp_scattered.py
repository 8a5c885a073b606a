"""Kernel collocation on scattered points: error and time against the number of points, and against the reach.

    python -m benchmarks.gp_scattered [--domain star] [--equation cubic] [--points 1000 4000 16000] [--reach 3]
    python -m benchmarks.gp_scattered --reaches 2 3 4 5 [--domain star]    error of the factor against the dense process

A solution is chosen; errors are relative L2 at the points and at 2,000 others. Seconds are CPU time, compilation apart.
The dense process is conditioned by factoring its covariance whole.
"""

import argparse
import time

import jax
import jax.numpy as jnp
import numpy as np
import scipy.linalg

from pdes.gp import equations
from pdes.gp.scattered.domains import DOMAINS
from pdes.gp.scattered.matern import ORDERS, Functionals, Matern
from pdes.gp.scattered.problem import Scattered
from pdes.gp.scattered.solver import solve_scattered


def _permeability(x, y):
    return 2 + jnp.sin(3 * x) * jnp.cos(4 * y)


EQUATIONS = {
    "poisson": equations.poisson(2),
    "helmholtz": equations.helmholtz(2, 5.0),
    "darcy": equations.darcy(_permeability, 2),
    "cubic": equations.cubic_elliptic(2),
    "allen_cahn": equations.allen_cahn(2),
}


def solution(x, y):
    """Waves of about half the domain, and a bump of a tenth."""
    return jnp.sin(5 * x) * jnp.cos(4 * y) + jnp.exp(x * y) + jnp.exp(-50 * ((x - 0.2) ** 2 + (y + 0.3) ** 2))


def dense(problem: Scattered, kernel: Matern) -> np.ndarray:
    """u at the points inside by the whole covariance of the data: what sparse factors approximate."""
    slope, right = problem.linearise(np.zeros(len(problem.interior)))
    inside = problem.operator()._replace(value=slope)
    values = Functionals.values(problem.boundary)
    told = Functionals(*(jnp.concatenate([a, b]) for a, b in zip(values, inside, strict=True)))
    matrix = np.array(kernel.covariance(told, told))
    scale = np.sqrt(np.diagonal(matrix))
    matrix /= scale[:, None] * scale
    matrix += 1e-13 * np.eye(len(matrix))
    weights = scipy.linalg.solve(matrix, np.concatenate([problem.values, right]) / scale, assume_a="pos") / scale
    unknown = Functionals(*map(jnp.asarray, Functionals.values(problem.interior)))
    return np.asarray(kernel.covariance(unknown, told)) @ weights


def _relative(found: np.ndarray, truth: np.ndarray) -> float:
    return float(np.linalg.norm(found - truth) / np.linalg.norm(truth))


def _true(points: np.ndarray) -> np.ndarray:
    return np.asarray(solution(*jnp.asarray(points).T))


def convergence(problems: list[Scattered], others: np.ndarray, kernel: Matern, reach: float) -> None:
    """Prints a row per number of points."""
    print(f"{'points':>8}{'at them':>10}{'elsewhere':>11}{'seconds':>9}{'us/point':>10}{'entries':>9}  iterations")
    solve_scattered(problems[0], kernel, reach)  # compiles the programs of all
    for problem in problems:
        start = time.process_time()
        found = solve_scattered(problem, kernel, reach)
        seconds, count = time.process_time() - start, len(problem.interior) + len(problem.boundary)
        errors = _relative(found.values, _true(problem.interior)), _relative(found(others), _true(others))
        print(
            f"{count:8}{errors[0]:10.1e}{errors[1]:11.1e}{seconds:9.1f}{1e6 * seconds / count:10.0f}"
            f"{found.entries:9.0f}  {' '.join(map(str, found.iterations))}",
            flush=True,
        )


def accuracy(problem: Scattered, kernel: Matern, reaches: list[float]) -> None:
    """Prints the distance to the dense process of a linear equation, for every reach."""
    whole = dense(problem, kernel)
    print(f"dense: error {_relative(whole, _true(problem.interior)):.1e} on {len(whole)} points inside")
    print(f"{'reach':>8}{'error':>10}{'to dense':>10}{'entries':>9}  iterations")
    for reach in reaches:
        found = solve_scattered(problem, kernel, reach)
        errors = _relative(found.values, _true(problem.interior)), _relative(found.values, whole)
        print(f"{reach:8.1f}{errors[0]:10.1e}{errors[1]:10.1e}{found.entries:9.0f}  {found.iterations[0]}", flush=True)


def main(argv: list[str] | None = None) -> None:
    """One of the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--domain", default="star", choices=DOMAINS)
    parser.add_argument("--equation", choices=EQUATIONS, help="of the first table, cubic by default")
    parser.add_argument("--points", type=int, nargs="+", help="of the first table, 1000 4000 16000 by default")
    parser.add_argument("--reach", type=float, help="of the first table, 3 by default")
    parser.add_argument("--reaches", type=float, nargs="+", help="the second table instead: Poisson's on 1500 points")
    parser.add_argument("--envelope", default="matern72", choices=ORDERS)
    parser.add_argument("--scale", type=float, default=0.6)
    asked = parser.parse_args(argv)
    for name in ("equation", "points", "reach"):
        if asked.reaches and getattr(asked, name) is not None:
            parser.error(f"--{name}: got {getattr(asked, name)} beside --reaches, wanted one of the two; leave one out")
    jax.config.update("jax_enable_x64", True)
    kernel, domain = Matern(asked.scale, asked.envelope), DOMAINS[asked.domain]
    if asked.reaches:
        accuracy(Scattered.of(EQUATIONS["poisson"], *domain.points(1500), solution), kernel, asked.reaches)
        return
    equation = EQUATIONS[asked.equation or "cubic"]
    problems = [Scattered.of(equation, *domain.points(n), solution) for n in asked.points or (1000, 4000, 16000)]
    convergence(problems, domain.points(3000)[0][:2000], kernel, 3.0 if asked.reach is None else asked.reach)


if __name__ == "__main__":
    main()
