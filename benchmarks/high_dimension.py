"""Cost of a step against the dimension, and error against time, of stochastic dimension gradient descent.

    python -m benchmarks.high_dimension [--dims 10 100 1000 10000] [--directions 8] [--rounds 9]
    python -m benchmarks.high_dimension --dims --train 100 1000 [--equation sine_gordon] [--directions 8] [--steps 500]

The first table is the CPU time of one compiled optimizer step on 100 points with the default network: points, known
solution, two estimates of the residual and the gradient of one (Alg. 2), and Adam; operations are those that the
compiler counts. The second, of `--train`, trains in so many dimensions with every estimate, and prints the relative
error at 2,000 new points beside the CPU seconds of training so far, compilation apart, and above it the error of the
best c (1 - |x|^2).
"""

import argparse
import dataclasses
import statistics
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import nnx

from data.inline import InlineLoader
from data.splits import SplitSpec
from operators.point_network import PointNetwork
from pdes.high_dimensional import BallAllenCahn, BallPoisson, BallSineGordon, UnitBall
from training.dimensions import SampledResidual
from training.directions import Coordinates, Directions, Rademacher
from training.problem import problem_of_generator
from training.sharding import make_mesh
from training.step import TrainState, init_state, make_chunk, make_update, split_operator

POINTS, TEST_POINTS, CHUNK = 100, 2000, 10
EQUATIONS = {"poisson": BallPoisson, "allen_cahn": BallAllenCahn, "sine_gordon": BallSineGordon}


class Case(NamedTuple):
    """A compiled step of one problem.

    Args:
        state: before training.
        advance: (state, number of steps up to CHUNK) -> state.
        error: state -> relative L2 error at test points.
        plain: that of the best c (1 - |x|^2), in place of a network.
        flops: of one step, as the compiler counts them (once for a loop, whatever its length).
    """

    state: TrainState
    advance: Callable[[TrainState, int], TrainState]
    error: Callable[[TrainState], float]
    plain: float
    flops: float


def case(dims: int, directions: Directions, factor: Directions | None, steps: int, equation: str = "poisson") -> Case:
    """The step that a run compiles.

    Args:
        dims: d.
        directions, factor: see `SampledResidual`.
        steps: of the whole training, for the learning rate.
        equation: of `EQUATIONS`.
    """
    problem = EQUATIONS[equation](dims=dims, points=POINTS)
    loss = SampledResidual(problem_of_generator(problem, None, None), directions, factor)
    model_of, params = split_operator(PointNetwork(dims, 1, constraint=UnitBall(), rngs=nnx.Rngs(0)))
    optimizer = optax.adam(optax.linear_schedule(1e-3, 0.0, steps))
    update = make_update(model_of, loss.objective(lambda y: y, lambda y: y), optimizer, make_mesh(1))
    loader = InlineLoader(problem, SplitSpec("train", steps, 0, ((POINTS,),)), 1)
    chunk = make_chunk(update, loader.fetch, CHUNK)
    state = init_state(params, optimizer, False)
    program = chunk.lower(state, loader.data(0), np.int32(1)).compile()
    test = dataclasses.replace(problem, points=TEST_POINTS)(jax.random.key(1))
    points, truth = test["point"].T, test["solution"][0]
    factor_alone = 1 - jnp.sum(points**2, 1)
    best = factor_alone * (factor_alone @ truth / (factor_alone @ factor_alone))

    @jax.jit
    def error(params: Any) -> jax.Array:
        return jnp.linalg.norm(model_of(params)(points)[:, 0] - truth) / jnp.linalg.norm(truth)

    return Case(
        state,
        lambda state, count: jax.block_until_ready(program(state, loader.data(0), np.int32(count))[0]),
        lambda state: float(error(state.params)),
        float(jnp.linalg.norm(best - truth) / jnp.linalg.norm(truth)),
        (program.cost_analysis() or {})["flops"],
    )


def seconds_per_step(dims: int, directions: int, rounds: int) -> tuple[float, float]:
    """Median CPU time of a step, and its operations."""
    made = case(dims, Coordinates(directions), Coordinates(directions), 1000)
    state, times = made.advance(made.state, CHUNK), []
    for _ in range(rounds):
        begin = time.process_time()
        state = made.advance(state, CHUNK)
        times.append((time.process_time() - begin) / CHUNK)
    return statistics.median(times), made.flops


def error_against_time(
    equation: str, dims: int, steps: int, estimates: dict[str, tuple[Directions, Directions | None]]
) -> None:
    """Trains with every estimate and prints a row each fifth of the way."""
    print(f"\n{equation}, d = {dims}\n{'estimate':>24} {'step':>6} {'seconds':>8} {'rel_l2':>9}")
    for i, (name, (directions, factor)) in enumerate(estimates.items()):
        made = case(dims, directions, factor, steps, equation)
        if i == 0:
            print(f"{'best c (1 - |x|^2)':>24} {0:6d} {0:8.1f} {made.plain:9.2e}")
        state, seconds, done = made.state, 0.0, 0
        while done < steps:
            begin = time.process_time()
            state = made.advance(state, CHUNK)
            seconds, done = seconds + time.process_time() - begin, done + CHUNK
            if done % max(CHUNK, steps // 5 // CHUNK * CHUNK) == 0:
                print(f"{name:>24} {done:6d} {seconds:8.1f} {made.error(state):9.2e}", flush=True)


def main(argv: list[str] | None = None) -> None:
    """Both tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dims", type=int, nargs="*", default=[10, 100, 1000, 10000])
    parser.add_argument("--directions", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--train", type=int, nargs="*", default=[])
    parser.add_argument("--steps", type=int, default=500)
    parser.add_argument("--equation", choices=EQUATIONS, default="poisson", help="of --train")
    options = parser.parse_args(argv)
    v, least = options.directions, min([*options.dims, *options.train], default=1)
    if not 1 <= v <= least:
        parser.error(f"--directions: got {v} of {least} dimensions, wanted 1 to {least}; take fewer, or larger --dims")
    print(f"{'d':>6} {'ms/step':>8} {'GFLOP':>7}   {v} + {v} directions, {POINTS} points")
    for dims in options.dims:
        seconds, flops = seconds_per_step(dims, v, options.rounds)
        print(f"{dims:6d} {1e3 * seconds:8.1f} {flops / 1e9:7.2f}", flush=True)
    estimates = {
        "coordinates, Alg. 2": (Coordinates(v), Coordinates(v)),
        "coordinates, Alg. 3": (Coordinates(v), None),
        "signs, unbiased": (Rademacher(v), Rademacher(v)),
        "signs, biased": (Rademacher(v), None),
    }
    for dims in options.train:
        error_against_time(options.equation, dims, options.steps, estimates)


if __name__ == "__main__":
    main()
