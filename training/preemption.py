"""Asking the loop to save and stop when the machine is about to be taken away."""

import contextlib
import logging
import signal
import threading
from collections.abc import Callable, Iterator
from types import FrameType

import jax
from jax.experimental import multihost_utils

log = logging.getLogger(__name__)


@contextlib.contextmanager
def stop_on_signal() -> Iterator[Callable[[int], bool]]:
    """Turn SIGTERM into a question that the loop asks after each dispatch: `stop_requested(step)`.

    With `jax.distributed` up, its own notice is used: whichever process gets the signal, all of them answer
    True after the same dispatch, so that they can save together; every process must ask, with the same rising
    steps. Alone, a second SIGTERM kills as usual. Outside the main thread, where Python allows no handler, the
    answer stays False.
    """
    if jax.distributed.is_initialized():
        yield _agreed_stop()
        return
    if threading.current_thread() is not threading.main_thread():
        yield lambda step: False
        return
    requested = threading.Event()
    previous = signal.getsignal(signal.SIGTERM)

    def notice(number: int, frame: FrameType | None) -> None:
        requested.set()
        log.warning("SIGTERM: saving a checkpoint and stopping after this step.")
        signal.signal(signal.SIGTERM, previous)

    signal.signal(signal.SIGTERM, notice)
    try:
        yield lambda step: requested.is_set()
    finally:
        signal.signal(signal.SIGTERM, previous)


def _agreed_stop() -> Callable[[int], bool]:
    asked: int | None = None
    stop = False

    def stop_requested(step: int) -> bool:
        nonlocal asked, stop
        # The processes agree on one step number, compared for equality: ask for each step of a long dispatch.
        for number in range(step if asked is None else asked + 1, step + 1):
            stop = stop or multihost_utils.reached_preemption_sync_point(number)
        asked = step
        return stop

    return stop_requested
