"""Error against cost of solvers, predictions and refined predictions, and a refinement spread over devices in time.

    python -m benchmarks.refiner [--size 64] [--viscosity 1e-3] [--outputs 10] [--samples 3] [--steps 200] [--level 0.4]
                                 [--runs outputs/<id> ...] [--rounds 3] [--devices 8]

Decaying turbulence, snapshots 0.055 apart, the solution by ETDRK4 at 16 steps per snapshot as the truth. Serial solvers
take 1, 2, 4 and 8 steps per snapshot; the base prediction is the truth with a smooth error of the given level that
grows in time, or what trained runs predict (their inputs and outputs must be the snapshots). Every candidate is one
compiled program over the batch, timed in turns; times are medians in ms per sample, and only their ratios carry over.
"evals" are evaluations of the right-hand side in sequence: what a machine with enough processors would wait for, a
gradient counted as two.
"""

import argparse
import os
import statistics
import time
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from operators.refiner import LBFGS, Adam, Differences, Newton, Refined, Refiner, Shooting, Stopping, time_parallel
from pdes.equations import NavierStokes
from pdes.initial import mcwilliams
from pdes.steppers import cn_rk4, etdrk4, rollout
from spectral.grid import Grid

INTERVAL, HISTORY = 0.055, 10
STAGES = {"cn_rk4": 5, "etdrk4": 4}
Candidate = tuple[str, Callable[..., jax.Array], int]


def trajectories(equation: NavierStokes, samples: int, outputs: int) -> jax.Array:
    """Vorticity [b, x, y, history + outputs] from t = 4.5 on."""

    def one(key: jax.Array) -> jax.Array:
        start = equation.to_spectral(mcwilliams(key, equation.grid, convention="torch_cfd"))
        warm = round(4.5 * equation.grid.shape[0] / 0.7)
        first = rollout(etdrk4(equation, 4.5 / warm), start, 1, warm)
        later = rollout(etdrk4(equation, INTERVAL / 16), first[0], HISTORY + outputs - 1, 16)
        return jnp.moveaxis(jax.vmap(equation.to_physical)(jnp.concatenate([first, later])), 0, -1)

    return jax.jit(jax.vmap(one))(jax.random.split(jax.random.key(0), samples))


def synthetic(truth: jax.Array, grid: Grid, level: float) -> jax.Array:
    """Predictions with a relative error of `level`: smooth in time, zero at first, the spectrum of the flow."""
    outputs = truth.shape[-1]
    growth = jnp.arange(1, outputs + 1) / outputs
    # Another sample's vorticity is an error with the right spectrum; a shift keeps a batch of one from its own.
    pattern = jnp.roll(jnp.roll(truth, 1, 0), grid.shape[0] // 3, 1)[..., -1:]
    error = growth * (pattern - jnp.mean(pattern, (1, 2), keepdims=True))
    axes = (1, 2, 3)
    return truth + error * (
        level * jnp.sqrt(jnp.sum(truth**2, axes, keepdims=True) / jnp.sum(error**2, axes, keepdims=True))
    )


def serial(equation: NavierStokes, name: str, steps: int, outputs: int) -> Candidate:
    residual = Shooting(equation, INTERVAL, {"cn_rk4": cn_rk4, "etdrk4": etdrk4}[name], steps)

    def one(history: jax.Array) -> jax.Array:
        states = residual.solve(equation.to_spectral(history[..., -1])[None], outputs)
        return jnp.moveaxis(jax.vmap(equation.to_physical)(states), 0, -1)

    def solve(prediction: jax.Array, history: jax.Array) -> jax.Array:
        del prediction
        return jax.vmap(one)(history)

    return f"{name}, {steps} per snapshot", jax.jit(solve), STAGES[name] * steps * outputs


def refiners(equation: NavierStokes, base: str, steps: int, outputs: int) -> list[Candidate]:
    """Each residual with each optimiser that goes with it."""
    all_steps = Stopping(patience=0)
    differences, shooting = Differences(equation, INTERVAL), Shooting(equation, INTERVAL, cn_rk4, 2)
    cases = [
        ("differences, Adam", Refiner(differences, Adam(steps), all_steps), 3 * (steps + 1)),
        ("differences, L-BFGS", Refiner(differences, LBFGS(steps // 4), all_steps), 6 * (steps // 4 + 1)),
        ("shooting, Adam", Refiner(shooting, Adam(steps), all_steps), 30 * (steps + 1)),
        ("shooting, L-BFGS", Refiner(shooting, LBFGS(steps // 4), all_steps), 60 * (steps // 4 + 1)),
        # A sweep takes a tangent, twice the evaluations, at every output.
        ("shooting, Newton", Refiner(shooting, Newton(3), all_steps), 3 * (20 * outputs + 10)),
    ]
    return [
        (f"{base} + {name}", jax.jit(lambda p, h, r=refiner: jax.vmap(r.refine_one)(p, h).trajectory), evals)
        for name, refiner, evals in cases
    ]


def network(run: str) -> Callable[[np.ndarray], jax.Array]:
    """Inputs -> predictions of a run."""
    from training.trained import load_run

    return jax.jit(load_run(run).__call__)


def error(found: jax.Array, truth: jax.Array) -> float:
    """Mean relative L2 error over space and time."""
    axes = (1, 2, 3)
    return float(jnp.mean(jnp.sqrt(jnp.sum((found - truth) ** 2, axes) / jnp.sum(truth**2, axes))))


def plane(candidates: list[Candidate], bases: dict[str, jax.Array], history: jax.Array, truth: jax.Array, rounds: int):
    """One row for each candidate: name, error, seconds per sample, evaluations in sequence."""
    times: dict[str, list[float]] = {name: [] for name, _, _ in candidates}
    errors: dict[str, float] = {}
    for turn in range(rounds + 1):
        for name, run, _ in candidates:
            prediction = bases.get(name.split(" + ")[0], truth)
            begin = time.perf_counter()
            found = jax.block_until_ready(run(prediction, history))
            if turn:  # the first compiles
                times[name].append((time.perf_counter() - begin) / len(truth))
            else:
                errors[name] = error(found, truth)
    return [(name, errors[name], statistics.median(times[name]), evals) for name, _, evals in candidates]


def collectives(text: str | None) -> dict[str, int]:
    """Communication in a compiled program, by kind."""
    kinds = ("collective-permute", "all-gather", "all-reduce", "reduce-scatter", "all-to-all")
    assert text is not None
    found = {kind: text.count(f" {kind}(") + text.count(f" {kind}-start(") for kind in kinds}
    return {kind: count for kind, count in found.items() if count}


def spread(equation: NavierStokes, steps: int, prediction: jax.Array, history: jax.Array, devices: int) -> list[str]:
    """The same refinement with the outputs over devices: what they exchange, and that the result is the same."""
    mesh = jax.make_mesh((devices,), ("time",), axis_types=(jax.sharding.AxisType.Auto,))
    whole, over_time = jax.sharding.PartitionSpec(), jax.sharding.PartitionSpec("time")
    outputs = prediction.shape[-1] // devices * devices
    prediction = prediction[:1, ..., :outputs]
    refiner = Refiner(Shooting(equation, INTERVAL, cn_rk4, 2), Adam(steps), Stopping(patience=0))
    states, past = refiner.states(prediction[0]), refiner.states(history[0])
    residual = Shooting(equation, INTERVAL, cn_rk4, 2, axis="time")
    alone = jax.jit(jax.shard_map(residual, mesh=mesh, in_specs=(over_time, whole), out_specs=over_time))
    program: Callable[..., Refined] = jax.jit(time_parallel(refiner, mesh))
    apart, together = program(prediction, history[:1]), refiner(prediction, history[:1])
    difference = float(jnp.max(jnp.abs(apart.trajectory - together.trajectory)))
    in_residual = collectives(alone.lower(states, past).compile().as_text())
    in_all = collectives(program.lower(prediction, history[:1]).compile().as_text())
    return [
        f"{outputs} outputs over {devices} devices: residual {in_residual}",
        f"  whole refinement {in_all}: before the loop over the steps, and in it",
        f"  largest difference from one device: {difference:.1e}",
    ]


def report(args: Any) -> None:
    equation = NavierStokes(Grid((args.size, args.size), (2 * np.pi,)), args.viscosity)
    fields = trajectories(equation, args.samples, args.outputs)
    history, truth = fields[..., :HISTORY], fields[..., HISTORY:]
    bases = {"base": synthetic(truth, equation.grid, args.level)}
    candidates = [serial(equation, name, steps, args.outputs) for name in STAGES for steps in (1, 2, 4, 8)]
    candidates.append(("base", lambda prediction, history: prediction, 0))
    candidates += refiners(equation, "base", args.steps, args.outputs)
    for run in args.runs:
        predict, name = network(run), os.path.basename(os.path.normpath(run))
        bases[name] = jnp.asarray(predict(np.asarray(history, np.float32)), truth.dtype)
        candidates.append((name, lambda _, history, p=predict: p(history.astype(jnp.float32)), 0))
        candidates += refiners(equation, name, args.steps, args.outputs)
    print(f"{'':42} {'rel. L2':>9} {'ms/sample':>10} {'evals':>7}")
    for name, wrong, seconds, evals in plane(candidates, bases, history, truth, args.rounds):
        print(f"{name:42} {wrong:>9.1e} {1e3 * seconds:>10.2f} {evals:>7}", flush=True)
    for line in spread(equation, args.steps, bases["base"], history, args.devices) if args.devices > 1 else []:
        print(line)


def main() -> None:
    parser: Any = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=int, default=64)
    parser.add_argument("--viscosity", type=float, default=1e-3)
    parser.add_argument("--outputs", type=int, default=10)
    parser.add_argument("--samples", type=int, default=3)
    parser.add_argument("--steps", type=int, default=200, help="of Adam; a quarter of them for L-BFGS")
    parser.add_argument("--level", type=float, default=0.4, help="relative error of the base prediction")
    parser.add_argument("--runs", nargs="*", default=[], help="run directories of networks with the same map")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--dtype", default="float64", choices=["float32", "float64"])
    parser.add_argument("--devices", type=int, default=8, help="for the refinement spread in time; 1 leaves it out")
    args = parser.parse_args()
    # Virtual devices on a CPU; before JAX starts.
    flag = f"--xla_force_host_platform_device_count={args.devices}"
    os.environ["XLA_FLAGS"] = f"{os.environ.get('XLA_FLAGS', '')} {flag}"
    with jax.enable_x64(args.dtype == "float64"):
        print(f"{jax.devices()[0].device_kind}, {args.dtype}, {args.size}x{args.size}, viscosity {args.viscosity:g}")
        report(args)


if __name__ == "__main__":
    main()
