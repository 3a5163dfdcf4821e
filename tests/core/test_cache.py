"""Where the cache lies, by environment and platform."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from growgan.core.cache import cache_dir


def test_order_of_places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GROWGAN_CACHE", str(tmp_path / "own"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert cache_dir() == tmp_path / "own"
    monkeypatch.delenv("GROWGAN_CACHE")
    assert cache_dir() == tmp_path / "xdg" / "growgan"


@pytest.mark.parametrize(
    ("platform", "place"),
    [("linux", ".cache/growgan"), ("darwin", "Library/Caches/growgan"), ("win32", "Local/growgan/Cache")],
)
def test_platforms(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, platform: str, place: str) -> None:
    for name in ("GROWGAN_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("LOCALAPPDATA", str(tmp_path / "Local"))
    monkeypatch.setattr(Path, "home", lambda: tmp_path)
    monkeypatch.setattr(sys, "platform", platform)
    assert cache_dir() == tmp_path / place
