"""Files that are whole or not there."""

from __future__ import annotations

import contextlib
import errno
import mmap
import os
from collections.abc import Iterator
from pathlib import Path

from growgan.core.errors import ConfigError, RunError

OWN = b"growgan"
"""What every file that growgan writes says of itself somewhere."""


@contextlib.contextmanager
def whole(path: Path) -> Iterator[Path]:
    """A temporary name to write to; what was written gets the name `path` at the end, on the disk, or not at all.

    A write that fails leaves neither a part nor a change behind; an `OSError` becomes a `RunError` that names `path`.
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
    """Raise `ConfigError` if a file is there that growgan did not write: a mistyped name must not cost a photograph.

    flag: what names another place.
    """
    if not path.is_file() or not path.stat().st_size:
        return
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        if content.find(OWN) < 0:
            raise ConfigError(f"{path} exists and was not made by growgan: choose another {flag}")


def sync_folder(folder: Path) -> None:
    """Make the names in a folder last, where the system can."""
    if os.name != "posix":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def write_text(path: Path, text: str) -> None:
    """Write a whole text file, or none."""
    with whole(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


FAR = 2**30
"""The byte of a file that is locked on Windows."""


def take_lock(handle: int) -> bool | None:
    """Take a lock that lasts as long as the open file; False if somebody else has it.

    None where the file system knows no locks: there is none to wait for then, and none to trust.
    """
    try:
        if os.name == "nt":
            import msvcrt

            # One byte is locked, and nobody can read it then: it is to lie beyond what is written.
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
