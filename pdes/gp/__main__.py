"""Door: `python -m pdes.gp` lists the problems; `--problem P1 --method direct` solves one, `--all` all of them."""

import argparse
import sys
from pathlib import Path


def _arguments(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m pdes.gp", description="Gaussian-process solvers; lists the problems."
    )
    parser.add_argument("--problem", help="solve this one, such as P1, and draw it")
    parser.add_argument("--all", action="store_true", help="solve all, beside the authors' best figures and times")
    parser.add_argument(
        "--method",
        default="direct",
        choices=["direct", "select", "gram", "map"],
        help="direct: differentiation matrices; select: the same, its scale chosen by agreement; gram: joint "
        "covariances; map: the paper's, by Adam's method",
    )
    parser.add_argument("--envelope", default="matern52", help="gaussian, matern52, matern72; first order: matern32")
    parser.add_argument("--scale", type=float, help="of the kernel over the length of an axis (not of map)")
    parser.add_argument("--steps", type=int, default=1000, help="of map (the authors took 100000 to 3000000)")
    parser.add_argument("--output", type=Path, default=Path("outputs/gp"), help="folder of the pictures")
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> None:
    """Lists, or solves and prints; an unknown name or a refused kernel ends it with one line."""
    arguments = _arguments(argv)
    # JAX starts here: --help answers at once.
    import jax

    jax.config.update("jax_enable_x64", True)
    from .problems import PROBLEMS
    from .report import HEADER, Options, plot, row, solve_problem

    options = Options(arguments.envelope, arguments.scale, arguments.steps)
    if arguments.all:
        print(f"{arguments.method}: relative L2 errors; theirs: the best of 20 checkpoints against the truth, one GPU")
        print(HEADER)
        for name in PROBLEMS:
            try:
                print(row(solve_problem(name, arguments.method, options, again=arguments.method != "map")), flush=True)
            except (ValueError, FloatingPointError) as error:
                print(f"{name:4}{error}", flush=True)
    elif arguments.problem:
        try:
            outcome = solve_problem(arguments.problem, arguments.method, options, again=arguments.method != "map")
        except (ValueError, FloatingPointError) as error:
            sys.exit(f"error: {error}")
        picture = arguments.output / f"{arguments.problem}_{arguments.method}.png"
        plot(outcome, picture)
        print(f"{HEADER}\n{row(outcome)}\n{outcome.note}\n{picture}")
    else:
        for problem in PROBLEMS.values():
            note = f"   (authors: {problem.published.error:.1e})" if problem.published else ""
            print(f"{problem.name:4}{'x'.join(map(str, problem.shape)):>12}  {problem.title}{note}")


if __name__ == "__main__":
    main()
