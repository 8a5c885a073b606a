"""Door: `python -m pdes.gp` lists the problems; `--problem P1 --method direct` solves one, `--all` all of them."""

import argparse
import sys
from pathlib import Path


def _arguments(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m pdes.gp", description="Gaussian-process solvers; lists the problems."
    )
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--problem", help="solve this one, such as P1, and draw it")
    which.add_argument("--all", action="store_true", help="solve all, beside the authors' best figures and times")
    parser.add_argument(
        "--method",
        choices=["direct", "select", "gram", "likelihood", "map"],
        help="direct (default): differentiation matrices; select: the same, its scale chosen by agreement; gram: joint "
        "covariances; likelihood: the same, its scale the likeliest; map: the paper's, by Adam's method",
    )
    parser.add_argument("--envelope", help="gaussian, matern52 (default), matern72; first order: matern32")
    parser.add_argument("--scale", type=float, help="of the kernel over the length of an axis (not of map)")
    parser.add_argument("--steps", type=int, help="of map, 1000 by default (the authors took 100000 to 3000000)")
    parser.add_argument("--output", type=Path, help="folder of the picture of a problem, outputs/gp by default")
    asked = parser.parse_args(argv)
    listing, joint = not (asked.all or asked.problem), asked.method == "map"
    for name, idle, wanted in (
        *((name, listing, "--problem or --all") for name in ("method", "envelope", "scale", "steps", "output")),
        ("steps", not joint, "--method map"),
        ("scale", joint, "another method: map fits its scale"),
        ("output", asked.all, "--problem"),
    ):
        if idle and getattr(asked, name) is not None:
            parser.error(f"--{name}: got {getattr(asked, name)}, wanted it beside {wanted}, or not at all")
    return asked


def main(argv: list[str] | None = None) -> None:
    """Lists, or solves and prints; an unknown name or a refused kernel ends it with one line."""
    arguments = _arguments(argv)
    # JAX starts here: --help answers at once.
    import jax

    jax.config.update("jax_enable_x64", True)
    from .problems import PROBLEMS
    from .report import HEADER, Options, plot, row, solve_problem

    given = {name: getattr(arguments, name) for name in ("envelope", "scale", "steps")}
    method = arguments.method or "direct"
    again = method != "map"  # whose steps are compiled anew, and are what takes the time
    try:
        options = Options(**{name: value for name, value in given.items() if value is not None})
    except ValueError as error:
        sys.exit(f"error: {error}")
    if arguments.all:
        print(f"{method}: relative L2 errors; theirs: the best of 20 checkpoints against the truth, one GPU")
        print(HEADER)
        for name in PROBLEMS:
            try:
                print(row(solve_problem(name, method, options, again)), flush=True)
            except (ValueError, FloatingPointError) as error:
                print(f"{name:4}{error}", flush=True)
    elif arguments.problem:
        try:
            outcome = solve_problem(arguments.problem, method, options, again)
        except (ValueError, FloatingPointError) as error:
            sys.exit(f"error: {error}")
        picture = (arguments.output or Path("outputs/gp")) / f"{arguments.problem}_{method}.png"
        plot(outcome, picture)
        print(f"{HEADER}\n{row(outcome)}\n{outcome.note}\n{picture}")
    else:
        for problem in PROBLEMS.values():
            note = f"   (authors: {problem.published.error:.1e})" if problem.published else ""
            print(f"{problem.name:4}{'x'.join(map(str, problem.shape)):>12}  {problem.title}{note}")


if __name__ == "__main__":
    main()
