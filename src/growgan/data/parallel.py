"""Work on many pictures at once: threads suffice, since Pillow, zlib and numpy release the interpreter lock."""

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


MOST_BYTES = 2**30
"""Limit on the data being worked on: four items per core may each be as large as a hostile archive makes them."""


def map_ordered(
    work: Callable[[T], R], items: Iterable[T], weigh: Callable[[T], int] | None = None
) -> Generator[R, None, None]:
    """Yield `work(item)` in the order of `items`, using all cores and holding at most a few results per core.

    weigh: an item's bytes in memory; only a single item alone may exceed `MOST_BYTES`. The first exception of `work` is
    raised in its turn; leaving the iterator early drops items that were not begun.
    """
    cores = count_cores()
    waiting: deque[tuple[Future[R], int]] = deque()
    held = 0
    with ThreadPoolExecutor(cores, thread_name_prefix="growgan-pictures") as pool:
        try:
            for item in items:
                weight = weigh(item) if weigh else 0
                while waiting and (len(waiting) >= 4 * cores or held + weight > MOST_BYTES):
                    yield waiting[0][0].result()
                    held -= waiting.popleft()[1]
                waiting.append((pool.submit(work, item), weight))
                held += weight
            while waiting:
                yield waiting.popleft()[0].result()
        finally:
            for future, _ in waiting:
                future.cancel()
