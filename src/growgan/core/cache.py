"""The cache folder for what can be regenerated: pyramids of read-only datasets, prepared datasets, measured plans."""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path


def cache_dir() -> Path:
    """The user's cache folder for growgan, which may not exist yet.

    ``GROWGAN_CACHE`` names it outright; else it is ``XDG_CACHE_HOME/growgan``; else the platform's usual place, or a
    temporary folder for users without a home, as in services and containers.
    """
    try:
        return _chosen_dir()
    except RuntimeError:  # no home folder, or no such user
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
