"""The run directory: one run, one folder, one config."""

import contextlib
import importlib.metadata
import io
import json
import math
import os
import platform
import warnings
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from omegaconf import OmegaConf
from yaml import YAMLError

from data.normalizer import Normalizer
from data.provenance import revision
from data.writer import exclusive
from spectral.plan import OVERRIDE

from .config import Run, difference
from .errors import RunError

_RESTORE = "restore it from a copy, or move the folder away and train anew"
_PACKAGES = ("spectral-operators", "jax", "jaxlib", "flax", "optax", "orbax-checkpoint", "numpy", "h5py")


def open_directory(run: Run, config: dict[str, Any], write: bool) -> Path:
    """The folder of a run, made if it is new.

    Args:
        run: settings; the folder is `output/run_id`.
        config: the whole config, kept as `config.yaml`.
        write: whether this process makes the folder.

    Raises:
        ValueError: where the folder holds a run of another config; the message shows what differs.
        OSError: where the folder cannot be written.
    """
    directory = Path(run.output).expanduser().resolve() / str(run.run_id)
    path = directory / "config.yaml"
    if path.exists():
        changed = difference(read_config(directory), config)
        if changed:
            raise ValueError(
                f"run_id: got {run.run_id}, whose folder holds another run ({path}), wanted the same config or a "
                f"new run_id. What differs (- there, + here):\n{changed}"
            )
    if write:
        try:
            (directory / "plots").mkdir(parents=True, exist_ok=True)
            write_text(path, OmegaConf.to_yaml(OmegaConf.create(config)))
        except OSError as error:
            raise OSError(
                f"output: cannot write to {directory} ({error.strerror or error}); wanted a writable folder, set "
                "output=..."
            ) from error
    return directory


@contextlib.contextmanager
def held(directory: Path) -> Iterator[None]:
    """Holds a run directory while a run goes on in it; a killed one frees it.

    Raises:
        RunError: where another process trains there.
    """
    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(exclusive(directory, wait=False))
        except BlockingIOError as error:
            raise RunError(
                f"run_id: got {directory.name}, which is training in another process, wanted one run a folder; wait "
                "for it, or choose another run_id"
            ) from error
        except OSError as error:
            reason = os.strerror(error.errno or 0)
            warnings.warn(f"two runs in {directory} would not notice each other, no lock: {reason}", stacklevel=3)
        yield


def read_config(directory: Path) -> dict[str, Any]:
    """The config that a run was made with.

    Raises:
        FileNotFoundError: where the folder is not that of a run.
        RunError: where the file is damaged.
    """
    path = directory / "config.yaml"
    if not path.is_file():
        raise FileNotFoundError(f"run: no config.yaml in {directory}, wanted a run directory such as outputs/<id>")
    try:
        tree = OmegaConf.to_container(OmegaConf.load(path))
    except (YAMLError, UnicodeDecodeError) as error:
        raise RunError(f"run: {path} cannot be read ({error}); {_RESTORE}") from error
    if not tree or not isinstance(tree, dict):
        raise RunError(f"run: got nothing in {path}, wanted the config of a run; {_RESTORE}")
    return {str(key): value for key, value in tree.items()}


def write_text(path: Path, text: str) -> None:
    """Write a file whole or not at all; see `write_bytes`."""
    write_bytes(path, text.encode())


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file whole or not at all.

    Raises:
        OSError: the file cannot be written.
    """
    temporary = path.with_name(path.name + ".partial")
    try:
        temporary.write_bytes(content)
        os.replace(temporary, path)
    except OSError as error:
        raise OSError(
            f"cannot write {path}: {error.strerror}; free space or make the folder writable, then start the same "
            "command again: it resumes"
        ) from error


def write_json(path: Path, value: Any) -> None:
    """Write a JSON file whole or not at all; numbers that are not finite become null, as JSON has no word for them."""
    write_text(path, json.dumps(_finite(value), indent=2, allow_nan=False) + "\n")


def read_json(path: Path) -> dict[str, Any]:
    """What a JSON file of a run holds; nothing where it is absent or damaged."""
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return value if isinstance(value, dict) else {}


def _finite(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _finite(v) for key, v in value.items()}
    return None if isinstance(value, float) and not math.isfinite(value) else value


def write_normalizers(directory: Path, inputs: Normalizer, targets: Normalizer) -> None:
    """Keep the statistics that a prediction needs beside the parameters."""
    archive = io.BytesIO()
    np.savez(
        archive,
        allow_pickle=False,
        **{
            f"{name}_{key}": np.asarray(getattr(normalizer, key))
            for name, normalizer in (("inputs", inputs), ("targets", targets))
            for key in ("mean", "std", "eps")
        },
    )
    write_bytes(directory / "normalizers.npz", archive.getvalue())


def read_normalizers(directory: Path) -> tuple[Normalizer, Normalizer]:
    """The normalisers of inputs and targets of a run.

    Raises:
        RunError: where the file is missing or damaged.
    """
    path = directory / "normalizers.npz"
    try:
        with np.load(path, allow_pickle=False) as file:

            def read(name: str) -> Normalizer:
                return Normalizer(file[f"{name}_mean"], file[f"{name}_std"], float(file[f"{name}_eps"]))

            return read("inputs"), read("targets")
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise RunError(
            f"run: {path} is missing or damaged; start the command of the run again, which writes it anew"
        ) from error


def environment() -> dict[str, Any]:
    """Versions and revision, for the record of a run."""
    versions = {"python": platform.python_version()}
    for package in _PACKAGES:
        try:
            versions[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            versions[package] = "not installed"
    return {"git_revision": revision(), "versions": versions, OVERRIDE: os.environ.get(OVERRIDE)}
