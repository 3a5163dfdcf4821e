"""core/files: locks."""

from __future__ import annotations

import errno
import os
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from growgan.core import files
from growgan.data import partial


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


@pytest.mark.skipif(files.os.name != "posix", reason="file locks")
@pytest.mark.parametrize(("number", "answer"), [(errno.ENOLCK, None), (errno.EWOULDBLOCK, False)])
def test_no_locks_and_somebody_elses_are_told_apart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, answer: bool | None
) -> None:
    """Without locks a run may begin, but nothing may be taken for abandoned."""
    import fcntl

    def flock(handle: int, operation: int) -> None:
        raise OSError(number, "no")

    left = partial.name_partial(tmp_path / "set")
    left.mkdir()
    os.utime(left, (time.time() - 60,) * 2)
    with monkeypatch.context() as patch, (tmp_path / "lock").open("a+") as file:
        patch.setattr(fcntl, "flock", flock)
        assert files.take_lock(file.fileno()) is answer
        partial.remove_abandoned(tmp_path / "set")
    assert left.exists()
    partial.remove_abandoned(tmp_path / "set")
    assert not left.exists()
