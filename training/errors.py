"""How a door speaks of what can go wrong."""

import contextlib
import os
import sys
from collections.abc import Iterator


@contextlib.contextmanager
def friendly_errors(enabled: bool = True) -> Iterator[None]:
    """End the program with the message of an expected error instead of its trace.

    Bad settings, files and disks raise ValueError or OSError with what was got, wanted and what to change; a training
    that diverged raises RuntimeError. `HYDRA_FULL_ERROR=1` shows the trace.

    Args:
        enabled: False passes every error on, for the jobs of a sweep: one that fails must not end the others.
    """
    try:
        yield
    except (ValueError, OSError, RuntimeError, FloatingPointError) as error:
        if not enabled or os.environ.get("HYDRA_FULL_ERROR") == "1":
            raise
        sys.exit(f"error: {error}\n(HYDRA_FULL_ERROR=1 shows where)")
