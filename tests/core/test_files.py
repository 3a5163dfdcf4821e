"""core/files: locks."""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from growgan.core import files


def test_on_windows_a_byte_is_locked_that_nobody_reads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the file's length and place are, it is the same byte, and the place stays."""
    locked = []

    def locking(handle: int, mode: int, count: int) -> None:
        locked.append((files.os.lseek(handle, 0, files.os.SEEK_CUR), mode, count))

    monkeypatch.setitem(sys.modules, "msvcrt", SimpleNamespace(LK_NBLCK=2, locking=locking))  # type: ignore[misc]
    with (tmp_path / "lock").open("a+") as file:
        with monkeypatch.context() as patch:
            patch.setattr(files.os, "name", "nt")
            assert files.take_lock(file.fileno())
        file.write("somebody")
        file.flush()
        with monkeypatch.context() as patch:
            patch.setattr(files.os, "name", "nt")
            assert files.take_lock(file.fileno())
        file.seek(0)
        assert file.read() == "somebody"
    assert locked == [(files.FAR, 2, 1)] * 2
