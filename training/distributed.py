"""One run on several processes: start the cluster, agree on the run, put settings back afterwards."""

import contextlib
import hashlib
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar, cast

import jax
import numpy as np
from jax.experimental import multihost_utils

from .config import Distributed
from .errors import RunError

_T = TypeVar("_T")
_MESSAGE_BYTES = 4096
_SETTINGS = (
    "jax_default_matmul_precision",
    "jax_compilation_cache_dir",
    "jax_persistent_cache_min_compile_time_secs",
)


def start(settings: Distributed) -> None:
    """Join the processes of this run, before JAX starts a backend; nothing to do on a single host.

    Args:
        settings: mode `auto` joins where JAX detects a cluster (Cloud TPU, Slurm, Open MPI), `on` uses the
            coordinator's address and the process numbers given, `off` never joins.

    Raises:
        ValueError: for an unknown mode, or `on` with a field missing.
    """
    if settings.mode not in ("auto", "on", "off"):
        raise ValueError(f"distributed.mode: got {settings.mode!r}, wanted auto, on or off")
    if settings.mode == "off" or jax.distributed.is_initialized():
        return
    if settings.mode == "on":
        fields = (settings.coordinator, settings.num_processes, settings.process_id)
        if None in fields:
            raise ValueError(
                f"distributed: got coordinator, num_processes, process_id = {fields}, wanted all three with mode=on"
            )
        jax.distributed.initialize(*fields)
        return
    try:
        jax.distributed.initialize()
    except ValueError:
        pass  # no cluster detected: a run of one process
    except RuntimeError as error:
        # In a notebook or a test JAX is already up: one process too. Any other failure is that of a cluster.
        if "must be called before" not in str(error):
            raise


def is_main() -> bool:
    """Whether this process writes logs, plots and reports."""
    return jax.process_index() == 0


def agree(config: dict[str, Any]) -> None:
    """Stop at once where the processes of a run were started with different configs.

    Raises:
        ValueError: on every process, when any config differs from that of process 0.
    """
    if jax.process_count() == 1:
        return
    text = json.dumps({key: value for key, value in config.items() if key != "distributed"}, sort_keys=True)
    digest = np.frombuffer(hashlib.sha256(text.encode()).digest(), dtype=np.int32)
    first = np.asarray(multihost_utils.broadcast_one_to_all(digest))
    same = np.asarray(multihost_utils.process_allgather(np.array([np.array_equal(first, digest)])))
    if not same.all():
        raise ValueError(
            f"config: got one that differs from process 0 on processes {np.flatnonzero(~same.ravel()).tolist()}, "
            "wanted the same command on every host"
        )


def together(action: Callable[[], _T]) -> _T:
    """What an action gives on this process, once it is done on all of them.

    Where it fails on one, all of them raise: the others would wait for that one until the cluster gives up.

    Raises:
        Exception: whatever the action raised here.
        RunError: where it failed on other processes only, with the message of the first of them.
    """
    if jax.process_count() == 1:
        return action()
    result, error, text = None, None, np.zeros(_MESSAGE_BYTES, np.uint8)
    try:
        result = action()
    except Exception as caught:
        error, said = caught, f"{type(caught).__name__}: {caught}".encode()[:_MESSAGE_BYTES]
        text[: len(said)] = np.frombuffer(said, np.uint8)
    messages = np.asarray(multihost_utils.process_allgather(text))
    if error is not None:
        raise error
    failed = np.flatnonzero(messages.any(axis=1))
    if len(failed):
        said = messages[failed[0]].tobytes().rstrip(b"\0").decode(errors="replace")
        raise RunError(f"process {failed[0]} failed, so this one stops too: {said}")
    return cast(_T, result)


@contextlib.contextmanager
def run_settings(compile_cache: bool, matmul_precision: str) -> Iterator[None]:
    """JAX settings of one run, put back afterwards so that the jobs of a sweep do not leak into each other.

    Args:
        compile_cache: keep compiled programs in the user's cache folder, for the next start.
        matmul_precision: JAX's name for the precision of float32 products on accelerators.
    """
    before = {name: getattr(jax.config, name) for name in _SETTINGS}
    try:
        jax.config.update("jax_default_matmul_precision", matmul_precision)
        if compile_cache and before["jax_compilation_cache_dir"] is None:
            home = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache"))
            jax.config.update("jax_compilation_cache_dir", str(home / "spectral-operators" / "xla"))
            jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
        yield
    finally:
        for name, value in before.items():
            jax.config.update(name, value)
