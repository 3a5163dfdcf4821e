"""Places that pictures come from. A new kind is one file here and one line in FORMATS."""

from __future__ import annotations

import importlib
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self, cast

from growgan.core.errors import DataError

LARGEST_MEMBER = 512 * 2**20
"""Bytes beyond which a file is no picture."""

SIDECAR = "dataset.json"

# name -> "module:attribute", a Source; asked in this order, imported only when a path is to be opened.
FORMATS = {
    "folder": "growgan.data.sources.folder:FolderSource",
    "zip": "growgan.data.sources.archive:ZipSource",
}


class Entry(NamedTuple):
    """One file of a source: ``name`` with forward slashes, ``size`` in bytes, and a stamp that tells a change."""

    name: str
    size: int
    stamp: int


class Skipped(NamedTuple):
    """A file that is left out, and why."""

    name: str
    reason: str


class Source(ABC):
    """Files by name, in sorted order; nothing but the list is read at opening. Reading works from several threads."""

    path: Path
    entries: Sequence[Entry]
    skipped: Sequence[Skipped]

    @abstractmethod
    def __init__(self, path: Path) -> None: ...

    @staticmethod
    @abstractmethod
    def accepts(path: Path) -> bool:
        """Say whether ``path``, which exists, is of this kind."""

    @abstractmethod
    def read(self, entry: Entry) -> bytes:
        """Return one file's bytes; raises OSError or the format's own error."""

    @abstractmethod
    def read_sidecar(self) -> bytes | None:
        """Return the bytes of dataset.json at the root, None where there is none."""

    def close(self) -> None:  # noqa: B027 (a folder has nothing to close)
        """Let go of open files."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def open_source(path: str | Path) -> Source:
    """Open whatever lies at ``path``; DataError where nothing does or no format takes it."""
    path = Path(path)
    if not path.exists():
        raise DataError(f"{path}: there is no such file or folder")
    for target in FORMATS.values():
        module, attribute = target.split(":")
        kind = cast("type[Source]", getattr(importlib.import_module(module), attribute))
        if kind.accepts(path):
            return kind(path)
    raise DataError(f"{path}: not a set of pictures (known kinds: {', '.join(FORMATS)})")


def is_hidden(name: str) -> bool:
    """Say whether a part of the name is hidden or a Mac's resource folder."""
    return any((part.startswith(".") and part.strip(".")) or part == "__MACOSX" for part in name.split("/"))
