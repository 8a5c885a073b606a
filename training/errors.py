"""How a door speaks of what can go wrong."""

import contextlib
import os
import sys
import traceback
from collections.abc import Iterator
from pathlib import Path

from omegaconf.errors import OmegaConfBaseException

_ROOT = Path(__file__).resolve().parents[1]
_PACKAGES = ("spectral", "operators", "pdes", "data", "training")


class RunError(RuntimeError):
    """Base of errors that a run may end with through no fault of the code; the message says what to do."""


@contextlib.contextmanager
def friendly_errors(enabled: bool = True) -> Iterator[None]:
    """End the program with the message of an expected error instead of its trace.

    Expected are bad settings, files and disks, a training that diverged and a damaged checkpoint: our own types, what
    the config library and the operating system report, and ValueError, ImportError and FloatingPointError where a
    `raise` of this project made them, with what was got, wanted and what to change. Everything else is a mistake in
    the code and shows its trace, as `HYDRA_FULL_ERROR=1` does for all.

    Args:
        enabled: False passes every error on, for the jobs of a sweep: one that fails must not end the others.
    """
    try:
        yield
    except Exception as error:
        if not enabled or os.environ.get("HYDRA_FULL_ERROR") == "1" or not _expected(error):
            raise
        sys.exit(f"error: {error}\n(HYDRA_FULL_ERROR=1 shows where)")


def _expected(error: Exception) -> bool:
    if isinstance(error, (RunError, OSError, OmegaConfBaseException)):
        return True
    return isinstance(error, (ValueError, ImportError, FloatingPointError)) and _raised_here(error)


def _raised_here(error: Exception) -> bool:
    """Whether a `raise` statement of this project made the error, rather than a call that got nonsense from it."""
    # JAX cuts its own frames out of a trace, so the file of the last one does not suffice.
    last = traceback.extract_tb(error.__traceback__)[-1]
    inside = any(Path(last.filename).is_relative_to(_ROOT / package) for package in _PACKAGES)
    return inside and (last.line or "").startswith("raise")
