"""A tar of pictures, plain or compressed, read once from front to back; or a folder of tars (WebDataset).

Members are only ever read into memory. Consecutive members with the same stem form one sample, as in WebDataset:
``0001.jpg`` is the picture and ``0001.cls`` the number of its class. A single tar may have a dataset.json.
"""

from __future__ import annotations

import lzma
import tarfile
import zlib
from collections.abc import Iterable, Iterator
from itertools import groupby
from pathlib import Path
from typing import NamedTuple

from growgan.core.errors import DataError
from growgan.data.labels import Sidecar, parse_sidecar
from growgan.data.pictures import is_picture_name
from growgan.data.sources import (
    LARGEST_MEMBER,
    SIDECAR,
    Place,
    Record,
    Skipped,
    Source,
    Wishes,
    find_name_fault,
    is_hidden,
)

COMPRESSED = (b"\x1f\x8b", b"BZh", b"\xfd7zXZ\x00")
SUFFIXES = (".tar", ".tgz", ".tbz2", ".txz", ".tar.gz", ".tar.bz2", ".tar.xz")
CLASS_SUFFIX = ".cls"

DAMAGE = (tarfile.TarError, EOFError, OSError, zlib.error, lzma.LZMAError)


class _Member(NamedTuple):
    name: str
    data: bytes

    @property
    def stem(self) -> str:
        """The name up to the first dot after the last slash."""
        folder, slash, file = self.name.rpartition("/")
        return folder + slash + file.partition(".")[0]


class TarSource(Source):
    """Members in the order of the tar."""

    is_named = True
    holds_others = True

    def __init__(self, path: Path, wishes: Wishes) -> None:
        self.path = path
        self._shards = _list_shards(Place(path))
        self._sidecar = Sidecar()
        first = next((item for item in self._read_all() if isinstance(item, Record)), None)
        self.has_labels = first is not None and first.label is not None
        if not self.has_labels and not self._shards:
            self._sidecar = parse_sidecar(_read_sidecar(path), f"{path}: {SIDECAR}")
            self.has_labels, self.class_names = self._sidecar.labels is not None, self._sidecar.class_names

    @staticmethod
    def accepts(place: Place) -> bool:
        """Say whether it is a tar, compressed or not, or a folder of nothing but tars."""
        return is_tar(place) or bool(_list_shards(place))

    def __iter__(self) -> Iterator[Record | Skipped]:
        for item in self._read_all():
            if self._sidecar.labels is not None and isinstance(item, Record):
                yield item._replace(label=self._sidecar.labels.get(item.name))
            else:
                yield item

    def _read_all(self) -> Iterator[Record | Skipped]:
        seen: set[str] = set()
        for file in self._shards or [self.path]:
            prefix = f"{file.name}/" if self._shards else ""
            for sample in _gather(item for item in read_members(file, prefix, seen) if item.name != SIDECAR):
                yield from _find_pictures(sample)


def is_tar(place: Place) -> bool:
    """Say whether a file begins like a tar, is named as one, or is a compressed one."""
    if place.head[257:262] == b"ustar":
        return True
    if not place.is_dir and place.path.name.lower().endswith(SUFFIXES):
        return True
    return place.head.startswith(COMPRESSED) and tarfile.is_tarfile(place.path)


def read_members(file: Path, prefix: str = "", seen: set[str] | None = None) -> Iterator[_Member | Skipped]:
    """Yield a tar's files with their bytes, and what is skipped. Raises `DataError` if the tar is truncated or damaged.

    prefix: put before every name. seen: names read so far, which are skipped if they occur again.
    """
    seen = set() if seen is None else seen
    count = 0
    try:
        with tarfile.open(file, "r|*") as archive:
            for member in archive:
                if member.isdir() or is_hidden(member.name):
                    continue
                name = prefix + member.name.removeprefix("./")
                if reason := _find_fault(member) or ("twice in the archive" if name in seen else None):
                    yield Skipped(name, reason)
                    continue
                seen.add(name)
                opened = archive.extractfile(member)
                assert opened is not None  # it is a regular file
                data = opened.read()
                if len(data) != member.size:
                    raise EOFError("unexpected end of data")
                count += 1
                yield _Member(name, data)
            # Zeros end a tar; Python's reader accepts any end between two members.
            if archive.fileobj is not None and archive.fileobj.tell() <= archive.offset:
                raise EOFError("unexpected end of data")
    except DAMAGE as error:
        reason = f"damaged or truncated after {count:,} files" if count else "not a readable tar"
        raise DataError(f"{file}: {reason} ({error})") from error


def _read_sidecar(file: Path) -> bytes | None:
    """Return the dataset.json at the root, wherever it is; a plain tar is searched without reading its files."""
    try:
        with tarfile.open(file) as archive:
            for member in archive:
                archive.members.clear()  # type: ignore[attr-defined] # the reader would remember them all
                if member.name.removeprefix("./") == SIDECAR and _find_fault(member) is None:
                    opened = archive.extractfile(member)
                    return None if opened is None else opened.read()
    except DAMAGE:
        return None  # reported when the pictures are read
    return None


def _find_fault(member: tarfile.TarInfo) -> str | None:
    if fault := find_name_fault(member.name):
        return fault
    if member.issym() or member.islnk():
        return "link"
    if not member.isreg() or member.issparse():
        return "not a regular file"
    if member.size > LARGEST_MEMBER:
        return f"larger than {LARGEST_MEMBER >> 20} MiB"
    return None


def _gather(members: Iterable[_Member | Skipped]) -> Iterator[list[_Member | Skipped]]:
    """Yield the members of each sample; one that outgrows the largest picture is yielded in parts.

    Frames named shot.0001.png, shot.0002.png ... share a stem without being a sample: there may be any number.
    """
    for _, group in groupby(members, key=lambda item: item.stem if isinstance(item, _Member) else ""):
        sample: list[_Member | Skipped] = []
        size = 0
        for item in group:
            taken = len(item.data) if isinstance(item, _Member) else 0
            if size + taken > LARGEST_MEMBER:
                yield sample
                sample, size = [], 0
            sample.append(item)
            size += taken
        yield sample


def _find_pictures(group: list[_Member | Skipped]) -> Iterator[Record | Skipped]:
    members = [item for item in group if isinstance(item, _Member)]
    yield from (item for item in group if isinstance(item, Skipped))
    pictures = [member for member in members if is_picture_name(member.name)]
    label = next((_parse_class(item.data) for item in members if item.name.lower().endswith(CLASS_SUFFIX)), None)
    for member in pictures or members:  # if none is named as a picture, each may be one under a wrong name
        yield Record(member.name, lambda data=member.data: data, label, len(member.data))  # type: ignore[misc]


def _parse_class(data: bytes) -> int | None:
    text = data[:20].strip()
    return int(text) if text.isdigit() else None


def _list_shards(place: Place) -> list[Path]:
    shards = [name for name in place.names if name.lower().endswith(SUFFIXES)]
    return [place.path / name for name in shards] if shards and len(shards) == len(place.names) else []
