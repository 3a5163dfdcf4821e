"""Names for what is still being written: it takes its own name only when it is whole and on disk."""

from __future__ import annotations

import glob
import shutil
import time
import uuid
from pathlib import Path

# One at work writes all the time; what has been still for so long was left by a killed process.
ABANDONED_SECONDS = 600.0


def name_partial(path: Path) -> Path:
    """Return a new name beside ``path`` for its making, shared with no other process."""
    return path.with_name(f"{path.name}.partial-{uuid.uuid4().hex[:12]}")


def remove_abandoned(path: Path) -> None:
    """Remove what killed processes left of making ``path``."""
    for partial in path.parent.glob(f"{glob.escape(path.name)}.partial-*"):
        try:
            parts = [partial, *partial.rglob("*")] if partial.is_dir() else [partial]
            latest = max(part.stat().st_mtime for part in parts)
        except OSError:
            continue
        if time.time() - latest > ABANDONED_SECONDS:
            remove(partial)


def remove(path: Path) -> None:
    """Remove a file or folder as far as possible."""
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)
