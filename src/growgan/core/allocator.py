"""How much freed memory the C library keeps: enough to be fast, and no more."""

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
"""Bytes that a process may occupy before freed memory is first returned to the system."""
ROOM = 1.25
"""From then on, the process may occupy this many times what was in use."""
RATE = 8 * 2**30
"""Upper bound on a process's growth in bytes per second, which says how long the next check can wait."""
SHORTEST, LONGEST = 0.01, 1.0
"""Bounds on the seconds between two checks."""

STATM = Path("/proc/self/statm")
_kept = threading.Lock()


def keep_memory(freely: int = FREELY) -> None:
    """Have the C library keep large freed blocks, instead of returning them and requesting new ones.

    The kernel zeroes every new block page by page, which takes a tenth of a step at 8x8. The price is holes: a freed
    block is hardly ever reused for one of the same size, which must be aligned to 64 bytes, and at 1024x1024 holes
    amount to twice what is in use. A process that occupies more than `freely` therefore returns holes once they exceed
    a quarter of the most that was in use. Does nothing without glibc, or when called again.

    The setting is permanent and process-wide. growgan's commands and training make it; a program that loads a model may
    call this itself, or leave its allocator alone.
    """
    if platform.libc_ver()[0] != "glibc" or not _kept.acquire(blocking=False):
        return
    libc = ctypes.CDLL(None)
    for option, value in ((M_MMAP_MAX, 0), (M_TRIM_THRESHOLD, 2**31 - 1), (M_TOP_PAD, 2**28)):
        libc.mallopt(option, value)
    if STATM.exists():
        threading.Thread(target=_give_back_holes, args=(libc, freely), name="memory", daemon=True).start()


def give_back() -> None:
    """Return the freed memory that the C library holds, so that it counts as free; without glibc, do nothing."""
    if platform.libc_ver()[0] == "glibc":
        ctypes.CDLL(None).malloc_trim(0)


def _give_back_holes(libc: ctypes.CDLL, most: float) -> None:
    """Check in a loop how much the process occupies. `most`, the limit, rises with what turns out to be in use."""
    while True:
        time.sleep(min(max((most - resident()) / RATE, SHORTEST), LONGEST))
        if resident() > most:
            libc.malloc_trim(0)
            most = max(most, ROOM * resident())


def resident() -> int:
    """Bytes of memory that this process occupies now, without mapped files (such as datasets). Linux only."""
    pages, of_files = map(int, STATM.read_bytes().split()[1:3])
    return (pages - of_files) * os.sysconf("SC_PAGE_SIZE")
