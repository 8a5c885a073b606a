"""Problems solved, measured and drawn: what the door prints."""

import dataclasses
import math
import operator
import time
from collections.abc import Callable
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from .collocation import Collocation
from .direct import DirectSolution, mixtures_from_data, solve
from .envelopes import highest_order
from .gram import GramSolution, solve_gram
from .joint import JointModel, fit
from .kernels import SpectralMixture
from .problems import PROBLEMS, Problem
from .selection import select_by_agreement, select_by_likelihood

SCALES = (0.25, 0.5, 1.0, 2.0)  # of the ladder that `select` and `likelihood` try, over the default one


@dataclasses.dataclass(frozen=True)
class Options:
    """Of a method: envelope of the kernels, their scale over the axis (None: the longest that rounding bears; the joint
    solver fits its own), steps of the joint solver.

    Raises:
        ValueError: for an unknown envelope, a scale that is no positive number, and less than one step.
    """

    envelope: str = "matern52"
    scale: float | None = None
    steps: int = 1000

    def __post_init__(self) -> None:
        highest_order(self.envelope)
        if self.scale is not None and not 0 < self.scale < math.inf:
            raise ValueError(
                f"scale: got {self.scale}, wanted a positive number, such as 0.5; leave it out if in doubt"
            )
        if operator.index(self.steps) < 1:
            raise ValueError(f"steps: got {self.steps}, wanted one or more, such as 1000")


@dataclasses.dataclass(frozen=True)
class Outcome:
    """A problem solved.

    Args:
        problem: which.
        values: at its test points.
        error: relative L2, against the truth, which nothing but this number has seen.
        mixtures: kernels of the axes.
        first, again: seconds, with and without compilation; the latter None where it was solved once.
        note: what the solver says of itself.
    """

    problem: Problem
    values: Float[Array, "*points"]
    error: float
    mixtures: tuple[SpectralMixture, ...]
    first: float
    again: float | None
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
    return Outcome(problem, values, problem.error(values), mixtures, seconds[0], seconds[1] if again else None, note)


def _direct(problem: Problem, options: Options):
    told = problem.collocate()
    return _of_direct(problem, solve(told, mixtures_from_data(told, options.envelope, options.scale)))


def _of_direct(problem: Problem, solution: DirectSolution, note: str = ""):
    nugget = max(float(model.nugget) for model in solution.models)
    note = f"residual {solution.residual:.0e}, {solution.steps} Newton steps, nugget {nugget:.0e}{note}"
    return solution(problem.test_points), tuple(model.mixture for model in solution.models), note


def _select(problem: Problem, options: Options):
    told = problem.collocate()
    solution, distance = select_by_agreement(told, _ladder(told, options))
    return _of_direct(problem, solution, f", two scales agree to {distance:.0e}")


def _ladder(told: Collocation, options: Options) -> list[tuple[SpectralMixture, ...]]:
    """Kernels of `SCALES` times the scale."""
    default = mixtures_from_data(told, options.envelope, options.scale)
    shrink = [jnp.log(scale) * (2 if options.envelope == "gaussian" else 1) for scale in SCALES]
    return [tuple(dataclasses.replace(m, log_scale=m.log_scale - by) for m in default) for by in shrink]


def _gram(problem: Problem, options: Options):
    told = problem.collocate()
    return _of_gram(problem, solve_gram(told, mixtures_from_data(told, options.envelope, options.scale)))


def _of_gram(problem: Problem, found: GramSolution):
    middle = [np.linspace(axis.lower, axis.upper, 9) for axis in found.problem.axes]
    deviation = float(found.deviation(middle).max())
    note = f"log likelihood {found.log_likelihood:.0f}, nugget {found.nugget:.0e}, deviation {deviation:.0e}"
    return found(problem.test_points), found.mixtures, note


def _likelihood(problem: Problem, options: Options):
    told = problem.collocate()
    return _of_gram(problem, select_by_likelihood(told, _ladder(told, options)))


def _joint(problem: Problem, options: Options):
    model = JointModel(problem.collocate(), problem.boundary_weight)
    found = fit(model, model.start(problem.highest, envelope=options.envelope), options.steps)
    note = f"{options.steps} steps, objective {found.objective.min():.6g}, state of the smallest"
    return model.predict(found.best, problem.test_points), found.best.mixtures, note


METHODS: dict[str, Callable[[Problem, Options], tuple[Array, tuple[SpectralMixture, ...], str]]] = {
    "direct": _direct,
    "select": _select,
    "gram": _gram,
    "likelihood": _likelihood,
    "map": _joint,
}
HEADER = (
    f"{'':4}{'points':>12}{'error':>10}{'theirs':>10}{'seconds':>9}{'theirs':>8}{'compile':>9}  "
    "frequencies, rad per length"
)


def row(outcome: Outcome) -> str:
    """One line of the table: error and time, beside the authors' best; of what was solved once compilation included."""
    published = outcome.problem.published
    theirs = (f"{published.error:.1e}", f"{published.seconds:.0f}") if published else ("-", "-")
    points = "x".join(map(str, outcome.problem.shape))
    seconds, compiling = outcome.first, "included"
    if outcome.again is not None:
        seconds, compiling = outcome.again, f"{max(outcome.first - outcome.again, 0.0):.2f}"
    return (
        f"{outcome.problem.name:4}{points:>12}{outcome.error:>10.1e}{theirs[0]:>10}{seconds:>9.3f}{theirs[1]:>8}"
        f"{compiling:>9}  {outcome.frequencies}"
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
