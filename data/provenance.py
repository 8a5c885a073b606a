"""Which code made a file."""

import functools
import importlib.metadata
import subprocess
from pathlib import Path


@functools.cache
def revision() -> str:
    """Git hash of the source tree ("-dirty" when it has changes), or the version of the installed package."""
    folder = Path(__file__).resolve().parent.parent
    if (folder / ".git").exists():
        command = ["git", "-C", str(folder), "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode == 0:
            return done.stdout.strip()
    try:
        return importlib.metadata.version("spectral-operators")
    except importlib.metadata.PackageNotFoundError:
        return "unknown"
