"""Names for what is still being written: it takes its own name only when it is whole and on disk."""

from __future__ import annotations

import contextlib
import glob
import os
import re
import shutil
import time
import uuid
from pathlib import Path

from growgan.core.files import take_lock

# One at work writes all the time; what has been still for so long was left by a killed process.
ABANDONED_SECONDS = 600.0

# Where a lock can tell, it tells; this is for the moment between making and locking.
UNLOCKED_SECONDS = 5.0


# What name_partial adds to a name; whatever else begins alike is not ours to remove.
PARTIAL = re.compile(r"\.partial-[0-9a-f]{12}")


class Hold:
    """A lock on a partial file or folder that goes with its process, however that ends; where there are locks."""

    def __init__(self, partial: Path) -> None:
        self._handle = _lock(partial)

    def release(self) -> None:
        """Let go; calling it again does nothing."""
        handle, self._handle = self._handle, None
        if handle is not None:
            os.close(handle)


def name_partial(path: Path) -> Path:
    """Return a new name beside ``path`` for its making, shared with no other process."""
    return path.with_name(f"{path.name}.partial-{uuid.uuid4().hex[:12]}")


def remove_abandoned(path: Path, since: float | None = None) -> None:
    """Remove what killed processes left of making ``path``.

    ``since``: the time at which this process began to make it. Called again at the end with that, it needs no longer
    guess of what was young at the beginning: whoever had just made it then has locked it by now.
    """
    still = UNLOCKED_SECONDS if since is None else time.time() - since
    for partial in path.parent.glob(f"{glob.escape(path.name)}.partial-*"):
        if not PARTIAL.fullmatch(partial.name[len(path.name) :]):
            continue
        try:
            parts = [partial, *partial.rglob("*")] if partial.is_dir() else [partial]
            age = time.time() - max(part.stat().st_mtime for part in parts)
        except OSError:
            continue
        if age > ABANDONED_SECONDS or (age > still and _is_let_go(partial)):
            remove(partial)


def remove(path: Path) -> None:
    """Remove a file or folder as far as possible."""
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        with contextlib.suppress(OSError):
            path.unlink(missing_ok=True)


def _is_let_go(partial: Path) -> bool:
    """Say whether nobody holds a partial; False where that cannot be told."""
    handle = _lock(partial)
    if handle is None:
        return False
    os.close(handle)
    return True


def _lock(partial: Path) -> int | None:
    """Return a handle that holds a lock, None where another has it or there are no locks.

    On Windows there are none: what is open cannot be renamed there, and no folder can be opened.
    """
    if os.name != "posix":
        return None
    try:
        handle = os.open(partial, os.O_RDONLY)
    except OSError:
        return None
    if take_lock(handle):
        return handle
    os.close(handle)
    return None
