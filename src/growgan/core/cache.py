"""Where things that can be made again are kept: pyramids of read-only sets, prepared sets, measured plans."""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path


def cache_dir() -> Path:
    """Return the user's cache folder for growgan; it may not exist yet.

    ``GROWGAN_CACHE`` names it outright; else ``XDG_CACHE_HOME/growgan``; else the platform's own place, or one among
    temporary files for a user without a home, as services and containers may have.
    """
    try:
        return _chosen_dir()
    except RuntimeError:  # there is no home, nor a user of that name
        own = f"-{os.getuid()}" if sys.platform != "win32" else ""
        return Path(tempfile.gettempdir()) / f"growgan{own}"


def _chosen_dir() -> Path:
    if chosen := os.environ.get("GROWGAN_CACHE"):
        return Path(chosen).expanduser()
    if xdg := os.environ.get("XDG_CACHE_HOME"):
        return Path(xdg).expanduser() / "growgan"
    if sys.platform == "win32" and (local := os.environ.get("LOCALAPPDATA")):
        return Path(local) / "growgan" / "Cache"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "growgan"
    return Path.home() / ".cache" / "growgan"
