"""Problems solved, measured and drawn: what the door prints."""

import dataclasses
import time
from collections.abc import Callable
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from .direct import DirectSolution, mixtures_from_data, solve
from .gram import solve_gram
from .joint import JointModel, fit
from .kernels import SpectralMixture
from .problems import PROBLEMS, Problem
from .selection import select_by_agreement

SCALES = (0.25, 0.5, 1.0, 2.0)  # of the ladder that `select` tries, over the default one


@dataclasses.dataclass(frozen=True)
class Options:
    """Of a method: envelope of the kernels, their scale over the axis (None: the longest that rounding bears; the joint
    solver fits its own), steps of the joint solver."""

    envelope: str = "matern52"
    scale: float | None = None
    steps: int = 1000


@dataclasses.dataclass(frozen=True)
class Outcome:
    """A problem solved.

    Args:
        problem: which.
        values: at its test points.
        error: relative L2, against the truth, which nothing but this number has seen.
        mixtures: kernels of the axes.
        first, again: seconds, with and without compilation.
        note: what the solver says of itself.
    """

    problem: Problem
    values: Float[Array, "*points"]
    error: float
    mixtures: tuple[SpectralMixture, ...]
    first: float
    again: float
    note: str

    @property
    def frequencies(self) -> str:
        """Of every axis, angular, strongest component first, without the one at zero."""
        return "; ".join(_frequencies(mixture) for mixture in self.mixtures)


def _frequencies(mixture: SpectralMixture) -> str:
    order = np.argsort(-np.asarray(mixture.log_weight), kind="stable")
    waves = 2 * np.pi * np.abs(np.asarray(mixture.frequency))[order]
    return " ".join(f"{wave:.2f}" for wave in waves[waves > 0][:6]) or "-"


def solve_problem(name: str, method: str, options: Options = Options(), again: bool = True) -> Outcome:
    """Solves a problem by a method of `METHODS`, twice where `again`: the second time nothing is compiled.

    Raises:
        ValueError: for an unknown problem or method, and what the method refuses.
    """
    for what, given, known in (("problem", name, PROBLEMS), ("method", method, METHODS)):
        if given not in known:
            raise ValueError(f"{what}: got {given!r}, wanted one of {', '.join(known)}")
    problem, seconds = PROBLEMS[name], []
    for _ in range(1 + again):
        start = time.perf_counter()
        values, mixtures, note = METHODS[method](problem, options)
        jax.block_until_ready(values)
        seconds.append(time.perf_counter() - start)
    return Outcome(problem, values, problem.error(values), mixtures, seconds[0], seconds[-1], note)


def _direct(problem: Problem, options: Options):
    told = problem.collocate()
    return _of_direct(problem, solve(told, mixtures_from_data(told, options.envelope, options.scale)))


def _of_direct(problem: Problem, solution: DirectSolution, note: str = ""):
    nugget = max(float(model.nugget) for model in solution.models)
    note = f"residual {solution.residual:.0e}, {solution.steps} Newton steps, nugget {nugget:.0e}{note}"
    return solution(problem.test_points), tuple(model.mixture for model in solution.models), note


def _select(problem: Problem, options: Options):
    told = problem.collocate()
    default = mixtures_from_data(told, options.envelope, options.scale)
    shrink = [jnp.log(scale) * (2 if options.envelope == "gaussian" else 1) for scale in SCALES]
    ladder = [tuple(dataclasses.replace(m, log_scale=m.log_scale - by) for m in default) for by in shrink]
    solution, distance = select_by_agreement(told, ladder)
    return _of_direct(problem, solution, f", two scales agree to {distance:.0e}")


def _gram(problem: Problem, options: Options):
    told = problem.collocate()
    found = solve_gram(told, mixtures_from_data(told, options.envelope, options.scale))
    middle = [np.linspace(axis.lower, axis.upper, 9) for axis in told.axes]
    note = f"log likelihood {found.log_likelihood:.0f}, deviation {float(found.deviation(middle).max()):.0e}"
    return found(problem.test_points), found.mixtures, note


def _joint(problem: Problem, options: Options):
    model = JointModel(problem.collocate(), problem.boundary_weight)
    found = fit(model, model.start(problem.highest, envelope=options.envelope), options.steps)
    note = f"{options.steps} steps, objective {found.objective.min():.6g}, state of the smallest"
    return model.predict(found.best, problem.test_points), found.best.mixtures, note


METHODS: dict[str, Callable[[Problem, Options], tuple[Array, tuple[SpectralMixture, ...], str]]] = {
    "direct": _direct,
    "select": _select,
    "gram": _gram,
    "map": _joint,
}
HEADER = (
    f"{'':4}{'points':>12}{'error':>10}{'theirs':>10}{'seconds':>9}{'theirs':>8}{'compile':>9}  "
    "frequencies, rad per length"
)


def row(outcome: Outcome) -> str:
    """One line of the table: error and time, beside the authors' best."""
    published = outcome.problem.published
    theirs = (f"{published.error:.1e}", f"{published.seconds:.0f}") if published else ("-", "-")
    points = "x".join(map(str, outcome.problem.shape))
    compiling = max(outcome.first - outcome.again, 0.0)
    return (
        f"{outcome.problem.name:4}{points:>12}{outcome.error:>10.1e}{theirs[0]:>10}{outcome.again:>9.3f}{theirs[1]:>8}"
        f"{compiling:>9.2f}  {outcome.frequencies}"
    )


def plot(outcome: Outcome, path: Path) -> None:
    """Solution and error at the test points, of a cut through the middle in three dimensions; and the spectra."""
    import matplotlib.pyplot as plt

    problem = outcome.problem
    points = problem.test_points[:2]
    truth = np.asarray(problem.solution(*(jnp.asarray(x) for x in np.meshgrid(*problem.test_points, indexing="ij"))))
    values = np.asarray(outcome.values)
    if values.ndim == 3:
        values, truth = values[..., values.shape[2] // 2], truth[..., truth.shape[2] // 2]
    figure, (left, middle, right) = plt.subplots(1, 3, figsize=(13, 3.6), layout="constrained")
    if values.ndim == 1:
        left.plot(points[0], values, lw=0.8)
        middle.semilogy(points[0], np.abs(values - truth) + 1e-16, lw=0.8)
    else:
        for axes, field in ((left, values), (middle, np.log10(np.abs(values - truth) + 1e-16))):
            shown = axes.imshow(field.T, origin="lower", extent=(*problem.box[0], *problem.box[1]), aspect="auto")
            figure.colorbar(shown, ax=axes)
    for axis, mixture in enumerate(outcome.mixtures):
        highest = 1.3 * float(jnp.max(jnp.abs(mixture.frequency))) + 1
        s = jnp.linspace(0, highest, 2000)
        right.semilogy(2 * np.pi * s, mixture.power_spectral_density(s), label=f"axis {axis}")
    right.set(title="power spectra of the kernels", xlabel="rad per length")
    right.legend()
    left.set(title=f"{problem.name}: {problem.title}")
    middle.set(title=f"error, relative L2 {outcome.error:.1e}" + (" (log10)" if values.ndim > 1 else ""))
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=120)
    plt.close(figure)
