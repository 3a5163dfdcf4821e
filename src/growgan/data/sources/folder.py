"""A folder of pictures, with all the folders in it."""

from __future__ import annotations

import os
from pathlib import Path

from growgan.core.errors import DataError
from growgan.data.sources import LARGEST_MEMBER, SIDECAR, Entry, Files, Place, Skipped, Wishes, is_hidden


class FolderSource(Files):
    """Files below a folder, sorted by name; hidden ones are ignored, links followed but never in a circle.

    An entry's stamp is its time of change in nanoseconds.
    """

    def __init__(self, path: Path, wishes: Wishes) -> None:
        self.path = path
        self.skipped: list[Skipped] = []
        if not path.is_dir():
            raise DataError(f"{path}: not a folder")
        try:
            self._hold(self._list_files())
        except OSError as error:
            raise DataError(f"{path}: cannot be read ({error.strerror})") from error

    @staticmethod
    def accepts(place: Place) -> bool:
        """Say whether it is a folder."""
        return place.is_dir

    def read(self, entry: Entry) -> bytes:
        """Return the file's bytes."""
        return (self.path / entry.name).read_bytes()

    def _list_files(self) -> list[Entry]:
        found: list[Entry] = []
        pending = [("", frozenset({os.path.realpath(self.path)}))]
        while pending:
            prefix, above = pending.pop()
            with os.scandir(self.path / prefix) as listing:
                items = list(listing)
            for item in items:
                name = prefix + item.name
                if is_hidden(item.name):
                    continue
                if item.is_dir():
                    real = os.path.realpath(item.path) if item.is_symlink() else item.path
                    if real not in above:
                        pending.append((f"{name}/", above | {os.path.realpath(real)}))
                elif item.is_file():
                    status = item.stat()
                    if status.st_size > LARGEST_MEMBER and name != SIDECAR:
                        self.skipped.append(Skipped(name, f"larger than {LARGEST_MEMBER >> 20} MiB"))
                        continue
                    found.append(Entry(name, status.st_size, status.st_mtime_ns))
                elif item.is_symlink():
                    self.skipped.append(Skipped(name, "broken link"))
                else:
                    self.skipped.append(Skipped(name, "not a regular file"))
        return found
