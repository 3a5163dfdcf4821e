"""A folder of pictures, including its subfolders."""

from __future__ import annotations

import os
from pathlib import Path

from growgan.core.errors import DataError
from growgan.data.sources import LARGEST_MEMBER, SIDECAR, Entry, Files, Place, Skipped, Wishes, is_hidden


class FolderSource(Files):
    """Files below a folder, sorted by name; hidden ones are ignored, links are followed but never in a circle.

    An entry's stamp is its modification time in nanoseconds.
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

    def read(self, entry: Entry, size: int = -1) -> bytes:
        """Return the file's bytes, or the first `size`. Raises `DataError` if it has changed since it was listed."""
        path = self.path / entry.name
        with path.open("rb") as file:
            status = os.fstat(file.fileno())
            if (status.st_size, status.st_mtime_ns) != (entry.size, entry.stamp):
                raise DataError(f"{path}: changed since it was opened")
            return file.read(size)

    def _list_files(self) -> list[Entry]:
        found: list[Entry] = []
        pending = [("", frozenset({os.path.realpath(self.path)}))]
        while pending:
            prefix, above = pending.pop()
            try:
                with os.scandir(self.path / prefix) as listing:
                    items = [item for item in listing if not is_hidden(item.name)]
            except OSError as error:
                if not prefix:
                    raise
                self.skipped.append(Skipped(prefix.removesuffix("/"), f"folder cannot be read ({error.strerror})"))
                continue
            for item in items:
                name = prefix + item.name
                try:
                    if item.is_dir():
                        real = os.path.realpath(item.path) if item.is_symlink() else item.path
                        if real not in above:
                            pending.append((f"{name}/", above | {os.path.realpath(real)}))
                    else:
                        found += self._look_at(item, name)
                except OSError as error:  # a link to itself, a folder that may be listed but not entered
                    self.skipped.append(Skipped(name, f"cannot be read ({error.strerror})"))
        return found

    def _look_at(self, item: os.DirEntry[str], name: str) -> list[Entry]:
        """Return the entry of a file, none if it is skipped."""
        if not item.is_file():
            self.skipped.append(Skipped(name, "broken link" if item.is_symlink() else "not a regular file"))
            return []
        status = item.stat()
        if status.st_size > LARGEST_MEMBER and name != SIDECAR:
            self.skipped.append(Skipped(name, f"larger than {LARGEST_MEMBER >> 20} MiB"))
            return []
        return [Entry(name, status.st_size, status.st_mtime_ns)]
