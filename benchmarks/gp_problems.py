"""Poisson problems that do not favour Gaussian processes with few frequencies, beside other solvers at equal points.

    python -m benchmarks.gp_problems                 the table
    python -m benchmarks.gp_problems --speed         steps of the joint solver; solves and samples of the generator

-u'' = f on [0, 1] with u given at both ends; relative L2 errors at 2001 points.
"""

import argparse
import functools
import time

import jax
import jax.numpy as jnp
import numpy as np
import scipy.interpolate
import scipy.linalg

from pdes.generators import GPDarcy, GPPoisson
from pdes.gp.axis import Axis
from pdes.gp.collocation import DIRICHLET, Collocation
from pdes.gp.direct import mixtures_from_data, solve
from pdes.gp.equations import poisson
from pdes.gp.gram import solve_gram
from pdes.gp.joint import JointModel
from pdes.gp.poisson import PoissonFactors
from pdes.gp.problems import PROBLEMS

_RANDOM = np.random.default_rng(0)
_PHASES = 2 * np.pi * _RANDOM.random(200)
_NORMALS = _RANDOM.normal(size=200)


def _packets(x):
    return jnp.exp(-((x - 0.3) ** 2) / 2e-3) * jnp.cos(150 * x) + jnp.exp(-((x - 0.7) ** 2) / 5e-4) * jnp.cos(260 * x)


def _random_field(x):
    """Amplitudes k^-3/2, a spectrum of k^-3."""
    waves = jnp.arange(1.0, 201)
    return jnp.sum(_NORMALS * waves**-1.5 * jnp.cos(np.pi * waves * x[..., None] + _PHASES), -1)


SOLUTIONS = {
    "few waves": lambda x: jnp.sin(100 * x) + 0.3 * jnp.cos(37 * x),
    "chirp, 20 to 280 rad": lambda x: jnp.sin(20 * x + 130 * x**2),
    "two wave packets": _packets,
    "boundary layer, 1/200": lambda x: x - jnp.exp((x - 1) * 200),
    "random field, k^-3": _random_field,
}
_FINE = np.linspace(0, 1, 2001)


def gaussian_process(solution, n: int, envelope: str = "matern52", plain: bool = False) -> np.ndarray:
    """`plain`: without frequencies."""
    told = Collocation.of(poisson(1), [Axis(0.0, 1.0, n)], [DIRICHLET], solution)
    mixtures = mixtures_from_data(told, envelope, num_peaks=0 if plain else 6)
    return np.asarray(solve(told, mixtures)([_FINE]))


def joint_covariances(solution, n: int) -> np.ndarray:
    told = Collocation.of(poisson(1), [Axis(0.0, 1.0, n)], [DIRICHLET], solution)
    return np.asarray(solve_gram(told, mixtures_from_data(told))([_FINE]))


def chebyshev(solution, n: int) -> np.ndarray:
    """Collocation by the polynomial through n Chebyshev points."""
    series = np.polynomial.chebyshev
    nodes = np.cos(np.pi * np.arange(n) / (n - 1))[::-1]
    values = series.chebvander(nodes, n - 1)
    second = 4 * np.stack([series.chebval(nodes, series.chebder(row, 2)) for row in np.eye(n)], 1)
    system, right = second.copy(), np.asarray(_second(solution)(jnp.asarray((nodes + 1) / 2))).copy()
    for end in (0, -1):
        system[end], right[end] = values[end], float(solution(jnp.asarray((nodes[end] + 1) / 2)))
    return series.chebval(2 * _FINE - 1, np.linalg.solve(system, right))


def sines(solution, n: int) -> np.ndarray:
    """n - 2 sines after a line through the ends: the Fourier method of a box that is not periodic."""
    k, x = np.arange(1, n - 1), np.linspace(0, 1, n)
    left, right = (float(solution(jnp.asarray(end))) for end in (0.0, 1.0))
    f = np.asarray(_second(solution)(jnp.asarray(x[1:-1])))
    coefficients = 2 / (n - 1) * np.sin(np.pi * np.outer(k, x[1:-1])) @ f / -((np.pi * k) ** 2)
    return left + (right - left) * _FINE + np.sin(np.pi * np.outer(_FINE, k)) @ coefficients


def finite_differences(solution, n: int) -> np.ndarray:
    """Of order 2, with a cubic spline between the points."""
    x = np.linspace(0, 1, n)
    right = np.asarray(_second(solution)(jnp.asarray(x))) / (n - 1) ** 2
    u = np.asarray(solution(jnp.asarray(x))).copy()
    right[1], right[-2] = right[1] - u[0], right[-2] - u[-1]
    bands = np.ones((3, n - 2))
    bands[1] = -2
    u[1:-1] = scipy.linalg.solve_banded((1, 1), bands, right[1:-1])
    return scipy.interpolate.CubicSpline(x, u)(_FINE)


METHODS = {
    "GP": gaussian_process,
    "GP, no waves": lambda solution, n: gaussian_process(solution, n, plain=True),
    "GP 7/2": lambda solution, n: gaussian_process(solution, n, "matern72"),
    "GP, Gram": joint_covariances,
    "Chebyshev": chebyshev,
    "sines": sines,
    "differences": finite_differences,
}


def _second(solution):
    return jax.vmap(jax.grad(jax.grad(lambda x: jnp.reshape(solution(jnp.reshape(x, (1,))), ()))))


def errors(name: str, n: int) -> dict[str, float]:
    """Relative L2 errors of all methods on n points."""
    solution = SOLUTIONS[name]
    truth = np.asarray(solution(jnp.asarray(_FINE)))
    return {m: float(np.linalg.norm(f(solution, n) - truth) / np.linalg.norm(truth)) for m, f in METHODS.items()}


def _seconds(function, repeats: int = 20, clock=time.perf_counter) -> float:
    jax.block_until_ready(function())
    times = []
    for _ in range(repeats):
        start = clock()
        jax.block_until_ready(function())
        times.append(clock() - start)
    return min(times)


def speed() -> None:
    """Prints the best of 20 of a gradient of the joint solver, and of batches of the generators and their parts."""
    for name in ("P1", "P6"):
        model = JointModel(PROBLEMS[name].collocate())
        state, observations = model.start(20.0), model.observations
        step = jax.jit(jax.value_and_grad(model.objective))
        seconds = _seconds(functools.partial(step, state, observations), 20 if name == "P1" else 5)
        print(f"joint solver, {name} {PROBLEMS[name].shape}: {1e3 * seconds:.1f} ms a step")
    for n in (65, 129):
        _generator(n)


def _generator(n: int, batch: int = 16) -> None:
    """Prints how many in a CPU second: systems inside, solutions with right side and boundary, samples with fields.

    Batches fit the caches. `data.generate` solves one of them on every core, so that two cores make twice as many.
    """
    factors, generator = PoissonFactors.of((Axis(0.0, 1.0, n), Axis(0.0, 1.0, n))), GPPoisson((n, n))
    u, f = sine_series(n, batch)
    inside, sides, keys = f[:, 1:-1, 1:-1], jnp.zeros_like(f), jax.random.split(jax.random.key(0), batch)
    solve_all, make = jax.jit(PoissonFactors.solve), jax.jit(jax.vmap(generator))
    rates = [
        batch / _seconds(call, 100, time.process_time)
        for call in (
            functools.partial(jax.jit(lambda s, f: s.solve_many(f)), factors.solver, inside),
            functools.partial(solve_all, factors, f, sides),
            functools.partial(make, keys),
            functools.partial(jax.jit(jax.vmap(GPDarcy((n, n)))), keys),
        )
    ]
    wrong = solve_all(factors, f, sides) - u
    error = jnp.mean(jnp.linalg.norm(wrong, axis=(1, 2)) / jnp.linalg.norm(u, axis=(1, 2)))
    print(
        f"generators, {n}x{n} points, in a CPU second of one core: Poisson {rates[0]:.0f} systems, {rates[1]:.0f} "
        f"solutions, {rates[2]:.0f} samples; Darcy {rates[3]:.0f} samples; error of Poisson's against sine series "
        f"{error:.1e}, eigenvalues real: {factors.solver.real}",
        flush=True,
    )


def sine_series(n: int, samples: int = 6, modes: int = 12) -> tuple[jax.Array, jax.Array]:
    """Random solutions that vanish on the sides, amplitudes falling as 1 / (i^2 + j^2), and their sources."""
    i, x = np.arange(1, modes + 1), np.linspace(0, 1, n)
    squared = np.add.outer(i**2, i**2)
    coefficients = np.random.default_rng(0).normal(size=(samples, modes, modes)) / squared
    waves = np.sin(np.pi * np.outer(x, i))
    u, f = (waves @ c @ waves.T for c in (coefficients, np.pi**2 * squared * coefficients))
    return jnp.asarray(u), jnp.asarray(f)


def main() -> None:
    """Prints the table, or speeds."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--speed", action="store_true", help="times instead of errors")
    asked = parser.parse_args()
    jax.config.update("jax_enable_x64", True)
    if asked.speed:
        speed()
        return
    print(f"{'':24}{'points':>7}" + "".join(f"{name:>14}" for name in METHODS))
    for name in SOLUTIONS:
        for n in (100, 200, 400):
            print(f"{name:24}{n:7}" + "".join(f"{e:14.1e}" for e in errors(name, n).values()), flush=True)


if __name__ == "__main__":
    main()
