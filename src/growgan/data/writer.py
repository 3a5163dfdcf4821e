"""Write a finished set: it gets its name only once it is complete and on disk."""

from __future__ import annotations

import contextlib
import os
import re
import time
import zipfile
import zlib
from abc import ABC, abstractmethod
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self

from growgan.core.errors import DataError
from growgan.core.files import sync_folder
from growgan.data.partial import Hold, name_partial, remove, remove_abandoned
from growgan.data.sources import SIDECAR

# The same pictures must give the same bytes, so a zip dates every file to the first day it can express.
ZIP_TIME = (1980, 1, 1, 0, 0, 0)

# A folder set's hash covers file times, not contents, so a file's time comes from its content: whole even seconds that
# every file system and archive can store, over 34 years from 3 January 1980 UTC, which is 1980 in every time zone.
FOLDER_TIME = 315_532_800 + 2 * 86_400

# Concurrent syncs share a write of the file system's journal: 2,000 files took 0.2 s, one after the other 7 s.
SYNCING_THREADS = 16


class Stored(NamedTuple):
    """A file of a set: its name there, its size in bytes and its CRC-32."""

    name: str
    size: int
    crc: int


class SetWriter(ABC):
    """Takes files in order; leaving the `with` block without `finish` removes everything."""

    _hold: Hold

    def __init__(self, path: Path, partial: Path | None = None) -> None:
        """partial: the set's name until it is complete; one that exists is continued (None: a new name)."""
        self.path = path
        self.partial = partial or name_partial(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        self._began = time.time()
        remove_abandoned(path)

    @abstractmethod
    def add(self, name: str, data: bytes) -> None:
        """Write one file."""

    @abstractmethod
    def take_up(self, files: Iterable[Stored]) -> int:
        """Keep the leading `files` that a killed process completed, and return how many; remove everything else."""

    @abstractmethod
    def flush(self) -> None:
        """Hand what was added to the operating system, so that it survives the end of this process."""

    @abstractmethod
    def leave(self) -> None:
        """Close what was written without removing it."""

    @abstractmethod
    def finish(self) -> None:
        """Sync everything to disk and give the set its name, replacing one that may have it."""

    def _settle(self) -> None:
        """Make the set's name durable, and remove what killed processes left behind."""
        self._hold.release()
        sync_folder(self.path.parent)
        remove_abandoned(self.path, self._began)

    @abstractmethod
    def discard(self) -> None:
        """Remove what was written; does nothing after `finish`."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.discard()


class ZipWriter(SetWriter):
    """A zip whose files are stored uncompressed: pictures are compressed already, and reading needs no inflating."""

    def __init__(self, path: Path, partial: Path | None = None) -> None:
        super().__init__(path, partial)
        self._file = self.partial.open("r+b" if self.partial.exists() else "w+b")
        self._hold = Hold(self.partial)
        self._zip = zipfile.ZipFile(self._file, "w", zipfile.ZIP_STORED)

    def add(self, name: str, data: bytes) -> None:
        """Store one file."""
        self._zip.writestr(_describe_member(name), data)

    def take_up(self, files: Iterable[Stored]) -> int:
        """Read what is there: an incomplete zip has no directory, but a header before each file."""
        members = []
        end = 0
        self._file.seek(0)
        for name, size, crc in files:
            member = _describe_member(name)
            member.header_offset, member.file_size, member.compress_size, member.CRC = end, size, size, crc
            header = member.FileHeader(zip64=False)
            if self._file.read(len(header)) != header or zlib.crc32(self._file.read(size)) != crc:
                break
            members.append(member)
            end = self._file.tell()
        self._file.seek(end)
        self._file.truncate()
        self._zip.fp = None
        self._zip = zipfile.ZipFile(self._file, "w", zipfile.ZIP_STORED)
        self._zip.filelist += members
        self._zip.NameToInfo |= {member.filename: member for member in members}
        return len(members)

    def flush(self) -> None:
        """Empty the file's buffer."""
        self._file.flush()

    def leave(self) -> None:
        """Close the zip without its directory, so that nothing takes it for a complete one."""
        self._zip.fp = None
        try:
            self._file.close()
        finally:
            self._hold.release()

    def finish(self) -> None:
        """Write the zip's directory, sync to disk, rename."""
        self._zip.close()
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()
        self.partial.replace(self.path)
        self._settle()

    def discard(self) -> None:
        """Remove the partial zip without writing its directory; closing it may fail on a full disk, too."""
        with contextlib.suppress(OSError):
            self.leave()
        remove(self.partial)


BUILT_NAME = re.compile(r"[0-9]{5}/img[0-9]{8}\.(png|jpg|jpeg|webp)")
"""A picture's name in a built set; the folder is part of the numbering."""


class FolderWriter(SetWriter):
    """A folder of files."""

    def __init__(self, path: Path, partial: Path | None = None) -> None:
        super().__init__(path, partial)
        self.partial.mkdir(exist_ok=partial is not None)
        self._hold = Hold(self.partial)

    def add(self, name: str, data: bytes) -> None:
        """Write one file under the folder."""
        file = self.partial / name
        file.parent.mkdir(exist_ok=True)
        file.write_bytes(data)
        _set_time(file, zlib.crc32(data))

    def take_up(self, files: Iterable[Stored]) -> int:
        """Read the files; the first damaged one and everything after it are removed."""
        kept: set[Path] = set()
        for name, size, crc in files:
            file = self.partial / name
            if not (file.is_file() and file.stat().st_size == size and zlib.crc32(file.read_bytes()) == crc):
                break
            kept.add(file)
            _set_time(file, crc)
        for file in [file for file in self.partial.rglob("*") if file.is_file() and file not in kept]:
            file.unlink()
        return len(kept)

    def flush(self) -> None:
        """Do nothing: every file is closed already."""

    def leave(self) -> None:
        """Release the folder."""
        self._hold.release()

    def finish(self) -> None:
        """Sync all files to disk and rename the folder."""
        with ThreadPoolExecutor(SYNCING_THREADS) as pool:
            files = [file for file in self.partial.rglob("*") if file.is_file()]
            for _ in pool.map(_sync_file, files):
                pass
        if self.path.exists():
            old = name_partial(self.path)
            self.path.rename(old)
            self.partial.rename(self.path)
            remove(old)
        else:
            self.partial.rename(self.path)
        self._settle()

    def discard(self) -> None:
        """Remove the partial folder."""
        self._hold.release()
        remove(self.partial)


def check_place(path: Path, overwrite: bool = False) -> None:
    """Raise `DataError` if a set must not be made at `path`."""
    if path.exists() and not overwrite:
        raise DataError(f"{path}: already exists (use --overwrite to replace it)")
    path = path.resolve()
    is_zip = path.suffix.lower() == ".zip"
    if path.exists() and path.is_dir() == is_zip:
        raise DataError(f"{path}: is a {'folder' if is_zip else 'file'}, which the other kind of OUT cannot replace")
    if path.exists() and not _holds_a_set_alone(path):
        raise DataError(f"{path}: is not a dataset built by growgan, so it is not overwritten")


def open_writer(path: Path, overwrite: bool = False, partial: Path | None = None) -> SetWriter:
    """Begin a set at `path`: a zip if named .zip, else a folder. Raises `DataError` if it must not be there."""
    check_place(path, overwrite)
    path = path.resolve()
    try:
        return ZipWriter(path, partial) if path.suffix.lower() == ".zip" else FolderWriter(path, partial)
    except OSError as error:
        raise DataError(f"{path}: cannot be written ({error.strerror})") from error


def _describe_member(name: str) -> zipfile.ZipInfo:
    member = zipfile.ZipInfo(name, ZIP_TIME)
    member.create_system = 3
    member.external_attr = 0o644 << 16
    return member


def _holds_a_set_alone(path: Path) -> bool:
    """Whether replacing a zip or folder would lose nothing but a set that can be rebuilt; true for empty ones."""
    if path.is_dir():
        names = [file.relative_to(path).as_posix() for file in path.rglob("*") if not file.is_dir()]
    else:
        try:
            with zipfile.ZipFile(path) as archive:
                names = archive.namelist()
        except (OSError, zipfile.BadZipFile):
            return False
    return not names or (SIDECAR in names and all(name == SIDECAR or BUILT_NAME.fullmatch(name) for name in names))


def _set_time(file: Path, crc: int) -> None:
    seconds = FOLDER_TIME + 2 * (crc >> 3)
    os.utime(file, (seconds, seconds))


def _sync_file(file: Path) -> None:
    with file.open("rb+") as handle:
        os.fsync(handle.fileno())
