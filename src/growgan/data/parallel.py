"""Work on many pictures at once: threads suffice, since Pillow, zlib and numpy let go of the interpreter lock."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")


def count_cores() -> int:
    """Return the number of cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def map_ordered(work: Callable[[T], R], items: Iterable[T]) -> Generator[R, None, None]:
    """Yield ``work(item)`` in the order of ``items``, with all cores, holding a few results a core at most.

    The first exception of ``work`` is raised in its turn; leaving the iterator early drops what was not begun.
    """
    cores = count_cores()
    waiting: deque[Future[R]] = deque()
    with ThreadPoolExecutor(cores, thread_name_prefix="growgan-pictures") as pool:
        try:
            for item in items:
                waiting.append(pool.submit(work, item))
                if len(waiting) >= 4 * cores:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()
