"""Sources of pictures. A new kind is one file here and one line in `FORMATS`."""

from __future__ import annotations

import hashlib
import importlib
import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from types import ModuleType, TracebackType
from typing import NamedTuple, Self, cast

import numpy as np
from numpy.typing import NDArray

from growgan.core.errors import DataError
from growgan.core.shipped import shipped
from growgan.data.framing import Framing
from growgan.data.pictures import is_picture_name

LARGEST_MEMBER = 512 * 2**20
"""Bytes above which a file is not taken for a picture."""

SIDECAR = "dataset.json"

DRIVE = re.compile(r"[A-Za-z]:")
"""Beginning of a path with a Windows drive letter."""

# name -> "module:attribute", a `Source`; tried in this order, imported only when a path is to be opened.
FORMATS = {
    "lmdb": "growgan.data.sources.lmdb:LmdbSource",
    "cifar": "growgan.data.sources.cifar:CifarSource",
    "mnist": "growgan.data.sources.mnist:MnistSource",
    "mnist-rgb": "growgan.data.sources.mnist:MnistRgbSource",
    "svhn": "growgan.data.sources.svhn:SvhnSource",
    "celeba": "growgan.data.sources.celeba:CelebaSource",
    "hdf5": "growgan.data.sources.hdf5:Hdf5Source",
    "tfrecord": "growgan.data.sources.tfrecord:TfrecordSource",
    "parquet": "growgan.data.sources.parquet:ParquetSource",
    "tar": "growgan.data.sources.tar:TarSource",
    "zip": "growgan.data.sources.archive:ZipSource",
    "folder": "growgan.data.sources.folder:FolderSource",
}

Content = bytes | NDArray[np.uint8]
"""A picture as the bytes of its file, or as pixels, uint8 [C, H, W]."""

Label = int | list[float] | str
"""The number of a class, K numbers from 0 to 1, or the name of a class."""


class Record(NamedTuple):
    """One picture of a source: its name, with forward slashes; how to read it, in any thread; and its label.

    `size`: the bytes that it holds or that reading it will take; 0 if few.
    """

    name: str
    read: Callable[[], Content]
    label: Label | None = None
    size: int = 0


class Skipped(NamedTuple):
    """A file that is left out, and why."""

    name: str
    reason: str


def weigh(item: Record | Skipped) -> int:
    """Return the bytes that an item of a source takes in memory, for `map_ordered`."""
    return item.size if isinstance(item, Record) else 0


class Entry(NamedTuple):
    """One file of a source: `name` with forward slashes, `size` in bytes, and a `stamp` that changes with it."""

    name: str
    size: int
    stamp: int


@dataclass(frozen=True, slots=True)
class Wishes:
    """What may be requested of a source.

    split: such as train or test, or all (None: train, as in the release, if there is one). labels: the name of one of
    the source's `label_sets`.
    """

    split: str | None = None
    labels: str | None = None


class Source(ABC):
    """Pictures in an order that never changes; may be iterated several times.

    Attributes: `count`, roughly how many there will be, None if unknown beforehand; `has_labels` and `class_names` of
    the records' labels; `label_sets`, the names of the kinds of labels to choose from; `framing`, the part of the
    pictures that is used by default; `has_splits`: there may be parts for training and testing to choose from;
    `is_named`: the names are those of files, not generated; `reads_apart`: iterating over the records reads nothing
    yet, each is read by itself; `holds_others`: other files may lie among the pictures; `beside`: files outside `path`
    that were read too, such as labels.
    """

    path: Path
    count: int | None = None
    has_labels: bool = False
    class_names: tuple[str, ...] = ()
    label_sets: tuple[str, ...] = ()
    framing: Framing | None = None
    has_splits: bool = False
    is_named: bool = False
    reads_apart: bool = False
    holds_others: bool = False
    beside: Sequence[Path] = ()

    @abstractmethod
    def __init__(self, path: Path, wishes: Wishes) -> None: ...

    @staticmethod
    @abstractmethod
    def accepts(place: Place) -> bool:
        """Say whether `place` is of this kind, by its content as far as that is quick."""

    @abstractmethod
    def __iter__(self) -> Iterator[Record | Skipped]:
        """Yield the pictures, and what is skipped, in order. Raises `DataError` if the source itself is damaged."""

    def fingerprint(self) -> str:
        """Return a hex digest of the files' names, sizes and times, which changes with the source."""
        files = sorted(self.path.rglob("*")) if self.path.is_dir() else [self.path]
        digest = hash_files((str(file.relative_to(self.path)), file) for file in files)
        if self.beside:
            digest.update(hash_files((file.name, file) for file in self.beside).digest())
        return digest.hexdigest()

    def close(self) -> None:  # noqa: B027 (most have nothing to close)
        """Close open files."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class Files(Source):
    """A source whose files can be read in any order; only such a source can be a finished set.

    The entries are sorted by name; opening reads nothing but the list. Reading works from several threads.
    """

    entries: Sequence[Entry]
    sidecar: Entry | None
    """The dataset.json at the root, which is not among the entries."""
    skipped: Sequence[Skipped]
    is_named = True
    reads_apart = True
    holds_others = True

    @abstractmethod
    def read(self, entry: Entry, size: int = -1) -> bytes:
        """Return one file's bytes, or its first `size`. Raises `OSError` or the format's own error."""

    def read_sidecar(self) -> bytes | None:
        """Return the bytes of dataset.json, None if there is none. Raises the same errors as `read`."""
        return None if self.sidecar is None else self.read(self.sidecar)

    def _hold(self, files: Iterable[Entry]) -> None:
        """Sort what was found into entries and dataset.json."""
        found = {file.name: file for file in files}
        self.sidecar = found.pop(SIDECAR, None)
        self.entries = sorted(found.values())
        self.count = len(self.entries)

    def __iter__(self) -> Iterator[Record | Skipped]:
        yield from self.skipped
        for entry in self.entries:
            yield Record(entry.name, partial(self.read, entry), size=entry.size)

    def fingerprint(self) -> str:
        """Return a hex digest of names, sizes and stamps."""
        return hash_entries([*self.entries, *([self.sidecar] if self.sidecar else [])]).hexdigest()


class Place:
    """An existing path, as the kinds of sources inspect it to decide whether they accept it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.is_dir = path.is_dir()

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The visible names in a folder, sorted; none for a file."""
        if not self.is_dir:
            return ()
        try:
            return tuple(sorted(item.name for item in self.path.iterdir() if not is_hidden(item.name)))
        except OSError as error:
            raise DataError(f"{self.path}: cannot be read ({error.strerror})") from error

    @cached_property
    def head(self) -> bytes:
        """The first bytes of a file; none for a folder."""
        if self.is_dir:
            return b""
        try:
            with self.path.open("rb") as file:
                return file.read(1024)
        except OSError as error:
            raise DataError(f"{self.path}: cannot be read ({error.strerror})") from error


def open_source(path: str | Path, kind: str | None = None, wishes: Wishes = Wishes()) -> Source:
    """Open whatever is at `path`, as a `kind` of `FORMATS` or as what it looks like.

    Raises `DataError` if nothing is there, no format accepts it, or the wishes cannot be met.
    """
    path = Path(path)
    if kind is not None and kind not in FORMATS:
        raise DataError(f"{kind}: unknown kind of source (choose from {', '.join(FORMATS)})")
    if not path.exists():
        hint = f"; {path} is a shipped model, not a dataset" if str(path) in shipped() else ""
        raise DataError(f"{path}: no such file or folder{hint}")
    place = Place(path)
    if kind is None and SIDECAR in place.names:
        kind = "folder"  # a finished set, whatever its folder is called
    name = kind or next((name for name in FORMATS if _load(name).accepts(place)), None)
    if name is None:
        if is_picture_name(path.name):
            raise DataError(f"{path}: a single picture; pass the folder or archive that holds the pictures")
        if path.suffix == ".safetensors":
            raise DataError(f"{path}: a model, not a dataset")
        raise DataError(f"{path}: not a dataset (known kinds: {', '.join(FORMATS)})")
    chosen = _load(name)
    if wishes.split is not None and not chosen.has_splits:
        raise DataError(f"{path}: a {name} has no splits")
    return chosen(path, wishes)


def open_files(path: str | Path) -> Files:
    """Open the files that may form a finished set: a folder's or a zip's. Raises `DataError` for anything else."""
    path = Path(path)
    kind = "folder" if path.is_dir() else "zip"
    if path.is_file() and not _load("zip").accepts(Place(path)):
        raise DataError(f"{path}: neither a folder nor a zip; `growgan data build` turns it into a finished dataset")
    return cast("Files", open_source(path, kind))


def _load(name: str) -> type[Source]:
    module, attribute = FORMATS[name].split(":")
    return cast("type[Source]", getattr(importlib.import_module(module), attribute))


def require(package: str, path: Path) -> ModuleType:
    """Import a package that only some sources need. Raises `DataError` saying how to install it."""
    try:
        return importlib.import_module(package)
    except ImportError as error:
        raise DataError(f"{path}: reading it needs {package}: pip install {package.partition('.')[0]}") from error


def choose_split(path: Path, wished: str | None, available: Iterable[str]) -> tuple[str, ...]:
    """Return the chosen splits; all of them for ``all``. Raises `DataError` if the requested one does not exist."""
    available = tuple(available)
    if wished == "all":
        return available
    if wished is None:
        return ("train",) if "train" in available else available
    if wished not in available:
        raise DataError(f"{path}: has no split {wished} (choose from {', '.join((*available, 'all'))})")
    return (wished,)


def hash_entries(entries: Iterable[Entry]) -> hashlib._Hash:
    """Return a SHA-256 of names, sizes and stamps."""
    digest = hashlib.sha256()
    for entry in entries:
        digest.update(f"{entry.name}\0{entry.size}\0{entry.stamp}\n".encode(errors="surrogateescape"))
    return digest


def hash_files(files: Iterable[tuple[str, Path]]) -> hashlib._Hash:
    """Return a SHA-256 of the given names, the sizes and the times of those that are files."""
    status = ((name, file.stat()) for name, file in files if file.is_file())
    return hash_entries(Entry(name, found.st_size, found.st_mtime_ns) for name, found in status)


def is_hidden(name: str) -> bool:
    """Say whether a part of the name is hidden or a Mac's resource folder."""
    return any((part.startswith(".") and part.strip(".")) or part == "__MACOSX" for part in name.split("/"))


def find_name_fault(name: str) -> str | None:
    """Say what is wrong with the name of an archive's member, None if nothing is."""
    parts = name.split("/")
    if parts[0] == "" or ".." in parts or DRIVE.match(name) or "\\" in name or "\0" in name:
        return "name points outside the archive"
    return None
