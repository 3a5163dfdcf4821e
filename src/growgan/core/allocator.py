"""How the C library keeps the memory that tensors leave behind: enough of it to be fast, and no more than that."""

from __future__ import annotations

import ctypes
import os
import platform
import threading
import time
from pathlib import Path

M_TRIM_THRESHOLD, M_TOP_PAD, M_MMAP_MAX = -1, -2, -4
"""Options of mallopt(3)."""

FREELY = 4 * 2**30
"""Bytes that a process may occupy before what is free of them is looked at."""
ROOM = 1.25
"""How many times what was in use the process may occupy then."""
RATE = 8 * 2**30
"""Bytes a second that a process grows by at most: how long a look can wait."""
SHORTEST, LONGEST = 0.01, 1.0
"""Seconds from one look to the next."""

STATM = Path("/proc/self/statm")
_kept = threading.Lock()


def keep_memory(freely: int = FREELY) -> None:
    """Have the C library keep large blocks that were freed, instead of giving them back and asking for them again.

    Every fresh block is filled with zeros by the kernel, page by page: a tenth of a step at 8x8. The price is holes: a
    freed block is hardly ever used again for one as large, since that has to lie at a multiple of 64 bytes, and at
    1024x1024 they come to twice of what is in use. A process that occupies more than `freely` therefore gives holes
    back when they come to more than a quarter of the most that was in use. Does nothing where the C library is not
    glibc; once is enough.

    It holds for the whole process and for good. growgan's commands and its training do so; a program that loads a model
    calls it itself, or leaves its memory alone.
    """
    if platform.libc_ver()[0] != "glibc" or not _kept.acquire(blocking=False):
        return
    libc = ctypes.CDLL(None)
    for option, value in ((M_MMAP_MAX, 0), (M_TRIM_THRESHOLD, 2**31 - 1), (M_TOP_PAD, 2**28)):
        libc.mallopt(option, value)
    if STATM.exists():
        threading.Thread(target=_give_back_holes, args=(libc, freely), name="memory", daemon=True).start()


def give_back() -> None:
    """Give the system what the C library holds of freed memory, so that it counts as free; without glibc, nothing."""
    if platform.libc_ver()[0] == "glibc":
        ctypes.CDLL(None).malloc_trim(0)


def _give_back_holes(libc: ctypes.CDLL, most: float) -> None:
    """Look again and again at how much the process occupies. `most` rises with what is found to be in use."""
    while True:
        time.sleep(min(max((most - resident()) / RATE, SHORTEST), LONGEST))
        if resident() > most:
            libc.malloc_trim(0)
            most = max(most, ROOM * resident())


def resident() -> int:
    """Bytes of memory that this process occupies now, without files that it maps (a set may be one). Linux only."""
    pages, of_files = map(int, STATM.read_bytes().split()[1:3])
    return (pages - of_files) * os.sysconf("SC_PAGE_SIZE")
