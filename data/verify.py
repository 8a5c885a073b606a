"""Door: `python -m data.verify FILE [pde=ns_li pde.viscosity=1e-4]`: does the file solve the equation that it names?"""

import argparse
import sys

from .errors import DataError

_ABOUT = """Says of a data set whether its statistics are those of its samples, whether its states follow from each
other by the equation that it names, and whether its samples come again from their seed. Ends with status 0 where all
holds, 1 where something fails, 2 where nothing fails and the equation could not be decided on."""


def main() -> None:
    """Prints one line per check and a verdict."""
    parser = argparse.ArgumentParser(prog="python -m data.verify", description=_ABOUT)
    parser.add_argument("file", help="a data set of schema v1")
    parser.add_argument("pde", nargs="*", help="pde=NAME and pde.KEY=VALUE: an equation instead of the file's own")
    parser.add_argument("--samples", type=int, default=4, help="trajectories to look at, evenly spread (default 4)")
    parser.add_argument("--intervals", type=int, default=3, help="pairs of successive states of each (default 3)")
    parser.add_argument("--again", type=int, default=1, help="samples to make again from their seed (default 1)")
    parser.add_argument("--allow", nargs="*", default=[], help="prefixes of classes beyond this package's own")
    arguments = parser.parse_args()
    if min(arguments.samples, arguments.intervals) < 1 or arguments.again < 0:
        parser.error("--samples, --intervals: wanted at least 1, --again at least 0")
    try:
        verdicts = _verify(arguments)
    except (DataError, ValueError, ImportError, OSError, FloatingPointError) as error:
        sys.exit(f"error: {error}")
    sys.exit(verdicts)


def _verify(arguments: argparse.Namespace) -> int:
    # JAX starts here: --help answers at once.
    import itertools
    import math

    import numpy as np

    from . import verification
    from .equation_check import check_equation
    from .instantiate import instantiate
    from .schema import read_metadata

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
    samples = sorted({int(i) for i in np.linspace(0, metadata.samples - 1, arguments.samples).round()})
    checks = [
        verification.check_statistics(metadata),
        check_equation(metadata, generator, samples, arguments.intervals),
    ]
    if arguments.again and not arguments.pde:
        checks.append(verification.check_samples(metadata, generator, samples[: arguments.again]))
    print(
        f"{metadata.path}: {metadata.samples} samples of {generator.name}, {'x'.join(map(str, metadata.shape))} points"
    )
    found = []
    for finding in itertools.chain(*checks):
        found.append(finding)
        print(f"{finding.verdict:10}{finding.check}: {finding.detail}", flush=True)
    failed = [finding for finding in found if finding.verdict == verification.FAILS]
    about = [finding.verdict for finding in found if finding.check.startswith("equation")]
    solved = bool(about) and set(about) == {verification.HOLDS}
    if failed:
        print(f"the file is NOT what it says: {len(failed)} of {len(found)} checks fail")
        return 1
    print(f"the file {'solves' if solved else 'may solve, for all that can be said,'} {generator.name}")
    return 0 if solved else 2


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
