"""A trained interpolation in time beside the straight line between the two states that it is given.

    python -m benchmarks.interpolation outputs/<run id of globe_modafno>

Root mean square errors on the test set, in physical units, at every time between the two. Published for ModAFNO, on 73
fields of the weather between states six hours apart: about half of the error of the line.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

import jax
import numpy as np

from data.sets import ensure_set
from operators import Interpolation
from training import build
from training.errors import friendly_errors
from training.trained import load_run, read_settings

BATCH = 8


def main(options: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    run = parser.parse_args(options).run
    with friendly_errors():
        settings = read_settings(run)
        splits = build.build_splits(settings)
        if "test" not in splits:
            parser.error(f"run: got the sets {', '.join(splits)}, wanted one named test; train with data.splits.test")
        trained = load_run(run)
        operator = trained.operator
        if not isinstance(operator, Interpolation):
            parser.error(f"run: got one of {type(operator).__name__}, wanted one of operators.Interpolation")
        paths = ensure_set(*splits["test"], settings.data.get("root"))
        samples = build.read(settings, next(iter(paths.values())))
        call = jax.jit(trained.__call__)
        starts = range(0, len(samples), BATCH)
        v = np.concatenate([call(samples.x[start : start + BATCH]) for start in starts])
        print(table(samples.x, samples.y, v, operator.times))


def table(x: np.ndarray, y: np.ndarray, v: np.ndarray, times: tuple[float, ...]) -> str:
    """Errors at every time in Markdown.

    Args:
        x: both states of every field, [sample, *space, 2 fields], the states of a field next to each other.
        y: the true states between them, [sample, *space, fields times], the same.
        v: the predicted ones.
        times: of y and v, between 0 and 1.
    """
    frames = x.reshape(*x.shape[:-1], -1, 2)
    lines = ["| time | network | straight line | ratio |", "|---|---|---|---|"]
    for n, t in enumerate(times):
        straight = (1 - t) * frames[..., 0] + t * frames[..., 1]
        true = y[..., n :: len(times)]
        ours, line = (float(np.sqrt(np.mean((u - true) ** 2))) for u in (v[..., n :: len(times)], straight))
        lines.append(f"| {t:g} | {ours:.4g} | {line:.4g} | {ours / line:.2f} |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
