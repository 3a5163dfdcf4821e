"""A zip of pictures. Members are only ever read into memory, never written under their own names."""

from __future__ import annotations

import stat
import zipfile
import zlib
from pathlib import Path

from growgan.core.errors import DataError
from growgan.data.sources import LARGEST_MEMBER, Entry, Files, Place, Skipped, Wishes, find_name_fault, is_hidden

# Beginning of the first member, or of the directory of an empty zip.
ZIP_MAGIC = (b"PK\x03\x04", b"PK\x05\x06")


UNREADABLE = (OSError, zipfile.BadZipFile, zlib.error, NotImplementedError, UnicodeDecodeError, EOFError)
"""Errors from opening a zip or reading a member: damage, and unsupported features."""


class ZipSource(Files):
    """Members of a zip, sorted by name; an entry's stamp is its CRC-32. Names that point outside are skipped."""

    def __init__(self, path: Path, wishes: Wishes) -> None:
        self.path = path
        self.skipped: list[Skipped] = []
        try:
            self._zip = zipfile.ZipFile(path)
        except UNREADABLE as error:
            cut = isinstance(error, zipfile.BadZipFile) and Place(path).head.startswith(ZIP_MAGIC)
            why = "truncated or damaged: its directory, at the end, is missing" if cut else str(error)
            raise DataError(f"{path}: not a readable zip ({why})") from error
        self._members: dict[str, zipfile.ZipInfo] = {}
        for member in self._zip.infolist():
            if member.is_dir() or is_hidden(member.filename):
                continue
            if reason := _find_fault(member) or ("twice in the zip" if member.filename in self._members else None):
                self.skipped.append(Skipped(member.filename, reason))
            else:
                self._members[member.filename] = member
        self._hold(Entry(name, member.file_size, member.CRC) for name, member in self._members.items())

    @staticmethod
    def accepts(place: Place) -> bool:
        """Say whether it begins like a zip or is named as one."""
        return place.head.startswith(ZIP_MAGIC) or (not place.is_dir and place.path.suffix.lower() == ".zip")

    def read(self, entry: Entry, size: int = -1) -> bytes:
        """Return the member's bytes, its CRC checked, or the first `size`."""
        member = self._members[entry.name]
        with self._zip.open(member) as file:
            return file.read(min(size, member.file_size) if size >= 0 else member.file_size)  # the directory may lie

    def close(self) -> None:
        """Close the zip."""
        self._zip.close()


def _find_fault(member: zipfile.ZipInfo) -> str | None:
    if fault := find_name_fault(member.filename):
        return fault
    if stat.S_ISLNK(member.external_attr >> 16):
        return "symbolic link"
    if member.flag_bits & 1:
        return "encrypted"
    if member.file_size > LARGEST_MEMBER:
        return f"unpacks to more than {LARGEST_MEMBER >> 20} MiB"
    return None
