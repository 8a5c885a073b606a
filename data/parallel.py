"""Work for several cores in one process: compiled programs and reads run outside Python's lock."""

import itertools
import os
from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

_T = TypeVar("_T")


def cores() -> int:
    """The CPU cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def in_order(function: Callable[[int], _T], arguments: Iterable[int], threads: int) -> Generator[_T, None, None]:
    """The results in the order of the arguments, computed by so many threads, never far ahead of what was taken.

    Close it (`contextlib.closing`) where it may not be taken to its end: what was not begun is then dropped.
    """
    waiting = iter(arguments)
    with ThreadPoolExecutor(threads) as pool:
        pending = deque(pool.submit(function, argument) for argument in itertools.islice(waiting, threads + 1))
        try:
            while pending:
                yield pending.popleft().result()
                pending.extend(pool.submit(function, argument) for argument in itertools.islice(waiting, 1))
        finally:
            for future in pending:
                future.cancel()
