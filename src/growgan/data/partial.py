"""Names for files that are still being written: a file gets its own name only once it is complete and on disk."""

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

# A live process writes all the time; a file unchanged for this long was left by a killed one.
ABANDONED_SECONDS = 600.0

# Locks decide where they exist; this covers the moment between creating a file and locking it.
UNLOCKED_SECONDS = 5.0


# What `name_partial` adds to a name; other names with the same beginning are not ours to remove.
PARTIAL = re.compile(r"\.partial-[0-9a-f]{12}")


class Hold:
    """A lock on a partial file or folder that ends with its process, however that ends; a no-op without locks."""

    def __init__(self, partial: Path) -> None:
        self._handle = _lock(partial)

    def release(self) -> None:
        """Release the lock; calling it again does nothing."""
        handle, self._handle = self._handle, None
        if handle is not None:
            os.close(handle)


def name_partial(path: Path) -> Path:
    """Return a unique temporary name next to `path`."""
    return path.with_name(f"{path.name}.partial-{uuid.uuid4().hex[:12]}")


def remove_abandoned(path: Path, since: float | None = None) -> None:
    """Remove what killed processes left behind while writing `path`.

    since: when this process began to write it, passed in a second call at the end. Files that were too young to judge
    at the beginning can be judged then: a live process has locked its own by now.
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
    """Say whether no process holds a partial file; False if that cannot be determined."""
    handle = _lock(partial)
    if handle is None:
        return False
    os.close(handle)
    return True


def _lock(partial: Path) -> int | None:
    """Return a handle that holds a lock, None if another process has it or there are no locks.

    Windows has none: an open file cannot be renamed there, and a folder cannot be opened.
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
