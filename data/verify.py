"""Door: `python -m data.verify FILE [pde=ns_li pde.viscosity=1e-4]`: does the file solve the equation that it names?"""

import argparse
import sys
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, NoReturn

from .errors import DataError

if TYPE_CHECKING:
    from pdes.generators import Generator

    from .metadata import Metadata
    from .verification import Finding

_ABOUT = """Says of a data set whether its header agrees with itself and with the generator that it names, whether its
statistics are those of its samples and none is there twice, whether its states follow from each other by the equation,
and whether its samples come again from their seed."""
_STATUS = """Ends with status 0 where everything that was looked at holds, 1 where something fails, 2 where nothing
fails and something could not be decided on, 3 where nothing could be said: a wrong argument, no file, a damaged one."""
_ERROR = 3
# States that equal the ones before them, so many of which are looked at beside the others.
_MOST_STILL = 8


class _Parser(argparse.ArgumentParser):
    """One whose errors are not taken for verdicts."""

    def error(self, message: str) -> NoReturn:
        self.exit(_ERROR, f"error: {message}\n")


def main() -> None:
    """Prints one line per check and a verdict."""
    parser = _Parser(prog="python -m data.verify", description=_ABOUT, epilog=_STATUS)
    parser.add_argument("file", help="a data set of schema v1")
    parser.add_argument("pde", nargs="*", help="pde=NAME and pde.KEY=VALUE: an equation instead of the file's own")
    parser.add_argument("--samples", type=int, default=4, help="trajectories to look at, evenly spread (default 4)")
    parser.add_argument("--intervals", type=int, default=3, help="pairs of successive states of each (default 3)")
    parser.add_argument("--again", type=int, default=1, help="samples to make again from their seed (default 1)")
    parser.add_argument("--all", action="store_true", help="look at every sample and interval, and make all again")
    parser.add_argument("--allow", nargs="*", default=[], help="prefixes of classes beyond this package's own")
    arguments = parser.parse_args()
    if min(arguments.samples, arguments.intervals) < 1 or arguments.again < 0:
        parser.error("--samples, --intervals: wanted at least 1, --again at least 0")
    try:
        status = _verify(arguments)
    except (DataError, ValueError, ImportError, OSError, FloatingPointError) as error:
        parser.error(str(error))
    sys.exit(status)


def _verify(arguments: argparse.Namespace) -> int:
    # JAX starts here: --help answers at once.
    import math

    from .header_check import check_header
    from .instantiate import instantiate
    from .schema import read_metadata
    from .verification import FAILS, UNDECIDED

    metadata = read_metadata(arguments.file)
    config = _config(arguments.pde) if arguments.pde else metadata.generator
    if not config:
        raise DataError(f"{metadata.path}: got a file that names no generator, wanted an equation: add pde=NAME")
    generator = instantiate(config, allow=arguments.allow, where="pde" if arguments.pde else str(metadata.path))
    if generator.grid.size > 4096 * math.prod(metadata.shape):
        raise DataError(
            f"{metadata.path}: got a generator on {generator.grid.size:,} points for a file on {metadata.shape}, "
            "wanted one of its size; the header may have been changed"
        )
    size = "x".join(map(str, metadata.shape))
    print(f"{metadata.path}: {metadata.samples} samples of {metadata.equation}, {size} points")
    found = []

    def say(findings: "Iterable[Finding]") -> None:
        for finding in findings:
            found.append(finding)
            print(f"{finding.verdict:10}{finding.check}: {finding.detail}", flush=True)

    say(check_header(metadata, None if arguments.pde else generator))
    looked = _look(metadata, generator, arguments, say)
    count = {verdict: sum(finding.verdict == verdict for finding in found) for verdict in (FAILS, UNDECIDED)}
    if count[FAILS]:
        print(f"the file is NOT what it says: {count[FAILS]} of {len(found)} checks fail; looked at {looked}")
        return 1
    if count[UNDECIDED]:
        print(
            f"the file may solve {generator.name}, for all that can be said: {count[UNDECIDED]} of {len(found)} checks "
            f"undecided; looked at {looked}"
        )
        return 2
    print(f"the file solves {generator.name}: looked at {looked}")
    return 0


def _look(
    metadata: "Metadata",
    generator: "Generator",
    arguments: argparse.Namespace,
    say: "Callable[[Iterable[Finding]], None]",
) -> str:
    """Everything but the header; says what was looked at."""
    from .equation_check import Plan, check_equation
    from .inspection import spread
    from .statistics_check import judge_still, survey
    from .verification import HOLDS, check_samples

    everything = list(range(metadata.samples))
    surveyed = survey(metadata)
    say(surveyed.findings)
    chosen = everything if arguments.all else spread(metadata.samples, arguments.samples)
    still = surveyed.still[:_MOST_STILL]
    plan = Plan.of(
        metadata,
        generator,
        sorted({*chosen, *(state.sample for state in still)}),
        None if arguments.all else arguments.intervals,
        [state.before for state in still],
    )
    about = list(check_equation(metadata, generator, plan))
    say(about)
    say(judge_still(surveyed.still, all(finding.verdict == HOLDS for finding in about), plan))
    again = [] if arguments.pde else everything if arguments.all else chosen[: arguments.again]
    if again:
        say(check_samples(metadata, generator, again))
    if generator.version != metadata.generator_version:
        again = []
    intervals = f", {len(plan.intervals)} of {plan.possible} intervals" if plan.possible else ""
    return f"{len(plan.samples)} of {metadata.samples} samples{intervals}, {len(again)} made again"


def _config(overrides: list[str]) -> dict:
    """The `pde` group of the overrides."""
    from typing import Any

    from hydra import compose, initialize_config_module
    from hydra.errors import HydraException
    from omegaconf import OmegaConf

    wrong = [text for text in overrides if not text.startswith(("pde=", "pde.", "+pde."))]
    if wrong or not any(text.startswith("pde=") for text in overrides):
        raise ValueError(f"got {wrong or overrides}, wanted pde=NAME, and pde.KEY=VALUE after it")
    try:
        with initialize_config_module("configs", version_base="1.3"):
            found: Any = OmegaConf.to_container(compose("generate", overrides=overrides), resolve=True)
    except HydraException as error:
        reason = str(error).partition("\n")[0]
        raise ValueError(f"{' '.join(overrides)}: {reason}; the names are those of configs/pde") from error
    return found["pde"]


if __name__ == "__main__":
    main()
