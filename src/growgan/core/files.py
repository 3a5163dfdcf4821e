"""Files that are written completely or not at all, and locks on files."""

from __future__ import annotations

import contextlib
import errno
import mmap
import os
from collections.abc import Iterator
from pathlib import Path

from growgan.core.errors import ConfigError, RunError

OWN = b"growgan"
"""A marker that occurs somewhere in every file that growgan writes."""


@contextlib.contextmanager
def whole(path: Path) -> Iterator[Path]:
    """Yield a temporary path to write to; on success, the file is synced to disk and renamed to `path`.

    A failed write leaves no partial file and `path` unchanged; an `OSError` becomes a `RunError` that names `path`.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        with temporary.open("rb+") as file:
            os.fsync(file.fileno())
        temporary.replace(path)
        sync_folder(path.parent)
    except OSError as error:
        raise RunError(f"cannot write {path}: {error.strerror or error}") from error
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)


def check_own(path: Path, flag: str = "--out") -> None:
    """Raise `ConfigError` if `path` is a file that growgan did not write: a mistyped name must not cost a photograph.

    flag: the option that sets another path, for the message.
    """
    if not path.is_file() or not path.stat().st_size:
        return
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        if content.find(OWN) < 0:
            raise ConfigError(f"{path} exists and was not made by growgan: choose another {flag}")


def sync_folder(folder: Path) -> None:
    """Sync a folder's entries to disk, where the system can."""
    if os.name != "posix":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def write_text(path: Path, text: str) -> None:
    """Write a text file completely or not at all."""
    with whole(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


FAR = 2**30
"""Offset of the byte that is locked on Windows."""


def take_lock(handle: int) -> bool | None:
    """Take a lock that lasts as long as the file is open; False if another process holds it.

    None if the file system does not support locks: then there is none to wait for, and none to rely on.
    """
    try:
        if os.name == "nt":
            import msvcrt

            # Others cannot read the locked byte, so it must lie beyond what is written.
            place = os.lseek(handle, 0, os.SEEK_CUR)
            os.lseek(handle, FAR, os.SEEK_SET)
            try:
                msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined]
            finally:
                os.lseek(handle, place, os.SEEK_SET)
        else:
            import fcntl

            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        return None if error.errno in (errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP) else False
    return True
