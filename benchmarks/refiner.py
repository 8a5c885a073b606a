"""Error against cost of solvers, predictions and refined predictions, and a refinement spread over devices in time.

    python -m benchmarks.refiner [--runs outputs/<id> ...] [--size 64] [--outputs 10] [--samples 2] [--steps 200]
                                 [--plot docs/refiner.png] [--devices 8]
    python -m benchmarks.refiner --windows 40 80 [--size 85] [--steps 60]

Decaying turbulence from t = 4.5 on, snapshots 0.055 apart, whose truth is the solution by ETDRK4 at 16 steps per
snapshot on a grid that loses none of the stored modes. Serial solvers take 1, 2, 4 and 8 steps per snapshot. Base
predictions are those of trained runs, space-time operators or rollouts of one step, from the same ten snapshots;
without any, the truth with a smooth error of --level that grows in time. Every candidate is one compiled program over
the batch; times are ms per sample without compilation, and only their ratios carry over. "evals" are evaluations of the
right-hand side one after the other, what a machine with enough processors would wait for, a gradient counted as two
more; of L-BFGS the fewest that its line search takes, one a step; those of a network are left out. "solver" is the one
with the fewest evaluations that is as exact, with its time and evaluations as parts of the candidate's: below 1 the
solver wins.

With --windows it asks instead where a refinement would win: on longer windows the evaluations of a solver in sequence
grow, and those of a refinement do not.
"""

import argparse
import dataclasses
import os
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from operators.refiner import LBFGS, Adam, Differences, Newton, Refined, Refiner, Shooting, Stopping, time_parallel
from pdes.equations import NavierStokes
from pdes.generators import Generator
from pdes.initial import mcwilliams
from pdes.steppers import cn_rk4, etdrk4, rollout
from spectral.filters import resize
from spectral.grid import Grid
from training.refinement import serial as solver_of
from training.trajectory import Trajectory, trajectory_ahead

INTERVAL, HISTORY = 0.055, 10
STEPPERS = {"cn_rk4": (cn_rk4, 5), "etdrk4": (etdrk4, 4)}


class Candidate(NamedTuple):
    """(prediction, history) -> trajectory, of a base prediction or of none, and its evaluations in sequence.

    `at_least`: a line search takes more of them where its first step is not accepted.
    """

    name: str
    base: str | None
    run: Callable[..., jax.Array]
    evals: int
    at_least: bool = False


class Row(NamedTuple):
    """A candidate measured: relative L2 error, seconds per sample, evaluations in sequence."""

    candidate: Candidate
    error: float
    seconds: float


def flow(size: int, viscosity: float) -> NavierStokes:
    """Of fields on size x size points: half as many again, of which de-aliasing leaves the stored modes."""
    return NavierStokes(Grid((-(-3 * size // 2),) * 2, (2 * np.pi,)), viscosity)


def trajectories(equation: NavierStokes, size: int, samples: int, outputs: int) -> jax.Array:
    """Vorticity [b, size, size, history + outputs]."""

    def one(key: jax.Array) -> jax.Array:
        start = equation.to_spectral(mcwilliams(key, equation.grid, convention="torch_cfd"))
        warm = round(4.5 * equation.grid.shape[0] / 0.7)
        first = rollout(etdrk4(equation, 4.5 / warm), start, 1, warm)
        later = rollout(etdrk4(equation, INTERVAL / 16), first[0], HISTORY + outputs - 1, 16)
        states = jnp.concatenate([first, later])
        return jnp.moveaxis(resize(jax.vmap(equation.to_physical)(states), (size, size), (1, 2)), 0, -1)

    return jax.jit(lambda keys: jax.lax.map(one, keys))(jax.random.split(jax.random.key(0), samples))


def synthetic(truth: jax.Array, level: float) -> jax.Array:
    """Predictions with a relative error of `level`: smooth in time, zero at first, the spectrum of the flow."""
    outputs = truth.shape[-1]
    growth = (jnp.arange(1, outputs + 1) / outputs)[None, None, None]
    # Another sample's vorticity is an error with the right spectrum; a shift keeps a batch of one from its own.
    pattern = jnp.roll(jnp.roll(truth, 1, 0), truth.shape[1] // 3, 1)[..., -1:]
    error = growth * (pattern - jnp.mean(pattern, (1, 2), keepdims=True))
    axes = (1, 2, 3)
    return truth + error * (
        level * jnp.sqrt(jnp.sum(truth**2, axes, keepdims=True) / jnp.sum(error**2, axes, keepdims=True))
    )


def serial(equation: NavierStokes, name: str, steps: int, outputs: int) -> Candidate:
    stepper, stages = STEPPERS[name]
    refiner = Refiner(Shooting(equation, INTERVAL, stepper, steps))

    def solve(prediction: jax.Array, history: jax.Array) -> jax.Array:
        del prediction
        return solver_of(stepper, steps, refiner, (*history.shape[1:-1], outputs))(history)

    return Candidate(f"{name}, {steps} a snapshot", None, solve, stages * steps * outputs)


def refined(equation: NavierStokes, base: str, steps: int, outputs: int) -> list[Candidate]:
    """Each residual with each optimiser that goes with it."""
    all_steps, quarter = Stopping(patience=0), steps // 4
    differences, once, twice = (
        Differences(equation, INTERVAL),
        Shooting(equation, INTERVAL, cn_rk4, 1),
        Shooting(equation, INTERVAL, cn_rk4, 2),
    )
    cases = [
        ("differences, Adam", Refiner(differences, Adam(steps), all_steps), 3 * (steps + 1), False),
        ("differences, L-BFGS", Refiner(differences, LBFGS(quarter), all_steps), 3 * (quarter + 1), True),
        ("shooting, Adam", Refiner(once, Adam(steps), all_steps), 15 * (steps + 1), False),
        ("shooting, L-BFGS", Refiner(once, LBFGS(quarter), all_steps), 15 * (quarter + 1), True),
        # A sweep takes a tangent, twice the evaluations, at every output.
        ("shooting in two, Newton", Refiner(twice, Newton(3), all_steps), 3 * (20 * outputs + 10), False),
    ]
    return [
        Candidate(
            f"{base} + {name}", base, lambda p, h, r=refiner: jax.vmap(r.refine_one)(p, h).trajectory, evals, at_least
        )
        for name, refiner, evals, at_least in cases
    ]


def check_run(run: str, operator: Any, trained_on: Trajectory, equation: NavierStokes, outputs: int) -> None:
    """Refuses a network that predicts another flow, or other times, than those it is measured against."""
    from operators import STFNO, Rollout

    if not isinstance(operator, (STFNO, Rollout)):
        raise SystemExit(f"--runs: got {type(operator).__name__} in {run}, wanted an STFNO or a Rollout")
    # It samples the span that it was trained on more densely.
    if isinstance(operator, STFNO) and operator.out_channels != outputs:
        raise SystemExit(
            f"--outputs: got {outputs} for the STFNO in {run}, wanted the {operator.out_channels} it was trained on; "
            f"set --outputs {operator.out_channels}"
        )
    flow = trained_on.equation
    same_box = np.allclose(flow.grid.extent, equation.grid.extent)
    if not isinstance(flow, NavierStokes) or flow.forcing is not None or flow.drag != 0 or not same_box:
        raise SystemExit(
            f"--runs: got a run of {type(flow).__name__} on a box of {flow.grid.extent} in {run}, wanted NavierStokes "
            f"without forcing and drag on {equation.grid.extent}; take a run of pde=ns_decaying"
        )
    if not np.isclose(flow.viscosity, equation.viscosity):
        raise SystemExit(
            f"--viscosity: got {equation.viscosity:g} for the run {run}, wanted its {flow.viscosity:g}; "
            f"set --viscosity {flow.viscosity:g}"
        )
    if not np.isclose(trained_on.interval, INTERVAL):
        raise SystemExit(
            f"--runs: got snapshots {trained_on.interval:g} apart in {run}, wanted {INTERVAL:g}; take a run with "
            f"pde.interval={INTERVAL:g}"
        )


def network(run: str, equation: NavierStokes, outputs: int) -> Callable[[jax.Array], jax.Array]:
    """History -> so many snapshots, by the operator of a run: a space-time operator, or the rollout of one step."""
    from data.normalizer import Normalizer
    from training import build
    from training.trained import load_run, read_settings

    trained, settings = load_run(run), read_settings(Path(run).expanduser().resolve())
    operator = trained.operator
    maker, split = build.build_splits(settings)["train"]
    if not isinstance(maker, Generator):
        raise SystemExit(f"--runs: got files of others in {run}, wanted data of pde=ns_decaying")
    channels = settings.data.get("inputs"), settings.data.get("targets")
    check_run(run, operator, trajectory_ahead(maker, split.resolutions[0], *channels, what=run), equation, outputs)
    operator.out_channels = outputs
    # Fields are normalised by one unit for all their times: that of the first serves any number of them.
    mean, std = (np.repeat(v[..., :1], outputs, -1) for v in (trained.targets.mean, trained.targets.std))
    trained = dataclasses.replace(trained, targets=Normalizer(mean, std, trained.targets.eps))

    def predict(history: jax.Array) -> jax.Array:
        return trained(history.astype(jnp.float32)).astype(history.dtype)

    return predict


def error(found: jax.Array, truth: jax.Array) -> float:
    """Mean relative L2 error over space and time."""
    axes = (1, 2, 3)
    return float(jnp.mean(jnp.sqrt(jnp.sum((found - truth) ** 2, axes) / jnp.sum(truth**2, axes))))


def measure(candidate: Candidate, prediction: jax.Array, history: jax.Array, truth: jax.Array, rounds: int) -> Row:
    """Compiled first; the median of some rounds."""
    program = jax.jit(candidate.run).lower(prediction, history).compile()
    found, times = truth, []
    for _ in range(rounds):
        begin = time.perf_counter()
        found = jax.block_until_ready(program(prediction, history))
        times.append((time.perf_counter() - begin) / len(truth))
    return Row(candidate, error(found, truth), statistics.median(times))


def equal(row: Row, solvers: list[Row]) -> Row | None:
    """The solver with the fewest evaluations among those that are at least as exact."""
    found = [solver for solver in solvers if solver.error <= row.error]
    return min(found, key=lambda solver: solver.candidate.evals) if found else None


def line(row: Row, solvers: list[Row]) -> str:
    """A row of the table, with the solver of equal error where the candidate is no solver."""
    candidate = row.candidate
    evals = f"{'≥' * candidate.at_least}{candidate.evals or ''}"
    text = f"{candidate.name:44} {row.error:>8.1e} {1e3 * row.seconds:>10.2f} {evals:>7}"
    solver = equal(row, solvers) if candidate.base else None
    if solver is None:
        return text
    part = f"{'≤' * candidate.at_least}{solver.candidate.evals / candidate.evals:.2g}" if candidate.evals else ""
    return f"{text}  {solver.candidate.name:22} {solver.seconds / row.seconds:>8.2g} {part:>8}"


def plane(equation: NavierStokes, args: Any) -> list[Row]:
    """Every candidate on the window of --outputs; prints as it goes."""
    fields = trajectories(equation, args.size, args.samples, args.outputs)
    history, truth = fields[..., :HISTORY], fields[..., HISTORY:]
    solvers = [
        measure(serial(equation, name, steps, args.outputs), truth, history, truth, args.rounds)
        for name in STEPPERS
        for steps in (1, 2, 4, 8)
    ]
    print(f"{'':44} {'rel. L2':>8} {'ms/sample':>10} {'evals':>7}  {'solver':22} {'time':>8} {'evals':>8}")
    for row in solvers:
        print(line(row, solvers), flush=True)
    rows = list(solvers)
    bases = {os.path.basename(os.path.normpath(run)): network(run, equation, args.outputs) for run in args.runs}
    for name, predict in (bases or {"base": None}).items():
        prediction = synthetic(truth, args.level) if predict is None else jax.jit(predict)(history)
        cases = [] if predict is None else [Candidate(name, name, lambda _, h, f=predict: f(h), 0)]
        for candidate in cases + refined(equation, name, args.steps, args.outputs):
            rows.append(measure(candidate, prediction, history, truth, args.rounds))
            print(line(rows[-1], solvers), flush=True)
    return rows


def windows(equation: NavierStokes, args: Any) -> None:
    """How long a window has to be before a refinement takes fewer evaluations in sequence than an equal solver."""
    print(f"from an error of {args.level:g}, {args.steps} steps of Adam")
    for outputs in args.windows:
        fields = trajectories(equation, args.size, args.samples, outputs)
        history, truth = fields[..., :HISTORY], fields[..., HISTORY:]
        prediction = synthetic(truth, args.level)
        cases = [serial(equation, name, steps, outputs) for name in STEPPERS for steps in (1, 2, 3, 4)]
        solvers = [measure(case, truth, history, truth, args.rounds) for case in cases]
        names = ("differences, Adam", "shooting, Adam")
        for candidate in refined(equation, f"{outputs} outputs", args.steps, outputs):
            if candidate.name.endswith(names):
                print(line(measure(candidate, prediction, history, truth, args.rounds), solvers), flush=True)


def collectives(text: str | None) -> dict[str, int]:
    """Communication in a compiled program, by kind."""
    kinds = ("collective-permute", "all-gather", "all-reduce", "reduce-scatter", "all-to-all")
    assert text is not None
    found = {kind: text.count(f" {kind}(") + text.count(f" {kind}-start(") for kind in kinds}
    return {kind: count for kind, count in found.items() if count}


def spread(equation: NavierStokes, args: Any) -> None:
    """The same refinement with the outputs over devices: what they exchange, and that the result is the same."""
    mesh = jax.make_mesh((args.devices,), ("time",), axis_types=(jax.sharding.AxisType.Auto,))
    whole, over_time = jax.sharding.PartitionSpec(), jax.sharding.PartitionSpec("time")
    outputs = -(-args.outputs // args.devices) * args.devices
    fields = trajectories(equation, args.size, 1, outputs)
    history, prediction = fields[..., :HISTORY], synthetic(fields[..., HISTORY:], args.level)
    refiner = Refiner(Shooting(equation, INTERVAL, cn_rk4, 1), Adam(args.steps // 4), Stopping(patience=0))
    residual = Shooting(equation, INTERVAL, cn_rk4, 1, axis="time")
    alone = jax.jit(jax.shard_map(residual, mesh=mesh, in_specs=(over_time, whole), out_specs=over_time))
    states = refiner.states(prediction[0]), refiner.states(history[0])
    in_residual = collectives(alone.lower(*states).compile().as_text())
    program: Callable[..., Refined] = jax.jit(time_parallel(refiner, mesh))
    compiled = program.lower(prediction, history).compile()
    apart, together = compiled(prediction, history), refiner(prediction, history)
    difference = float(jnp.max(jnp.abs(apart.trajectory - together.trajectory)))
    print(f"\n{outputs} outputs over {args.devices} devices, {args.steps // 4} steps of Adam: residual {in_residual}")
    print(f"  whole refinement {collectives(compiled.as_text())}: before the loop over the steps, and in it")
    print(f"  largest difference from one device: {difference:.1e}")


def draw(rows: list[Row], path: Path) -> None:
    """Error over time and over evaluations in sequence: a line for each solver, a mark for everything else."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(13, 4.6), layout="constrained")
    panels = figure.subplots(1, 2, sharey=True)
    costs = ((lambda row: 1e3 * row.seconds), (lambda row: row.candidate.evals))
    names = dict.fromkeys(
        row.candidate.name.split(", ")[0] if not row.candidate.base else row.candidate.name for row in rows
    )
    for panel, cost, label in zip(
        panels, costs, ("ms per sample", "evaluations in sequence (of L-BFGS the fewest)"), strict=True
    ):
        for index, name in enumerate(names):
            chosen = [row for row in rows if row.candidate.name.split(", ")[0] == name or row.candidate.name == name]
            chosen = [row for row in chosen if cost(row) > 0]
            solver = bool(chosen) and not chosen[0].candidate.base
            style = {"ls": "-" if solver else "none", "marker": "osD^v<>PX*hp"[index % 12], "color": f"C{index % 10}"}
            panel.loglog([cost(row) for row in chosen], [row.error for row in chosen], label=name, **style)
        panel.set_xlabel(label)
        panel.grid(True, which="major", alpha=0.3)
    panels[0].set_ylabel("relative L2 error")
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside right upper", fontsize="x-small")
    figure.savefig(path, dpi=150)


def main() -> None:
    parser: Any = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", nargs="*", default=[], help="run directories: ns_stfno, ns_fno_rollout, ...")
    parser.add_argument("--size", type=int, default=64, help="points per axis of the fields")
    parser.add_argument("--viscosity", type=float, default=1e-3)
    parser.add_argument("--outputs", type=int, default=10)
    parser.add_argument("--samples", type=int, default=2)
    parser.add_argument("--steps", type=int, default=200, help="of Adam; a quarter of them for L-BFGS")
    parser.add_argument("--level", type=float, default=0.1, help="relative error of synthetic base predictions")
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--windows", nargs="*", type=int, default=[], help="numbers of outputs to compare instead")
    parser.add_argument("--plot", type=Path, help="picture to write")
    parser.add_argument("--dtype", default="float32", choices=["float32", "float64"])
    parser.add_argument("--devices", type=int, default=8, help="for the refinement spread in time; 1 leaves it out")
    args = parser.parse_args()
    # Virtual devices on a CPU; before JAX starts.
    flag = f"--xla_force_host_platform_device_count={args.devices}"
    os.environ["XLA_FLAGS"] = f"{os.environ.get('XLA_FLAGS', '')} {flag}"
    with jax.enable_x64(args.dtype == "float64"):
        print(f"{jax.devices()[0].device_kind}, {args.dtype}, {args.size}x{args.size}, viscosity {args.viscosity:g}")
        equation = flow(args.size, args.viscosity)
        if args.windows:
            windows(equation, args)
            return
        rows = plane(equation, args)
        if args.plot:
            draw(rows, args.plot)
        if args.devices > 1:
            spread(equation, args)


if __name__ == "__main__":
    main()
