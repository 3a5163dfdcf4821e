"""CelebA, "align and crop": the folder that holds img_align_celeba, itself a folder or a zip, and its lists.

The part used is the paper's 128x128 around (89, 121); list_attr_celeba gives 40 labels, several per picture.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

from growgan.core.errors import DataError
from growgan.data.framing import Framing
from growgan.data.label_files import read_label_file
from growgan.data.pictures import Rejected, is_picture_name, open_picture
from growgan.data.sources import Files, Place, Record, Skipped, Source, Wishes, hash_files, open_files
from growgan.data.sources.archive import UNREADABLE

PICTURES = ("img_align_celeba_png", "img_align_celeba")
"""Folders, or zips of these names. Of the two that its authors offer, the release uses the lossless one."""
PLACES = (".", "Img")
ATTRIBUTES = ("list_attr_celeba.txt", "list_attr_celeba.csv")
LISTS = (".", "Anno")
"""Where the lists are, relative to the pictures, in mirrors and in the official release."""

CROP = Framing((25, 57, 153, 185))
SIZE = (178, 218)


class CelebaSource(Source):
    """Pictures in the order of their numbers."""

    is_named = True
    reads_apart = True
    holds_others = True
    framing = CROP

    def __init__(self, path: Path, wishes: Wishes) -> None:
        self.path = path
        found = _find_pictures(path)
        if found is None:
            raise DataError(f"{path}: has no {PICTURES[1]}")
        self._files: Files = open_files(found)
        self.count = len(self._files.entries)
        around = (path, *path.absolute().parents[:2])
        lists = [folder / place / name for folder in around for place in LISTS for name in ATTRIBUTES]
        attributes = next((file for file in lists if file.is_file()), None)
        self.beside = [] if attributes is None else [attributes]
        self._labels = None if attributes is None else read_label_file(attributes)
        self.has_labels = self._labels is not None
        self.class_names = () if self._labels is None else self._labels.class_names

    @staticmethod
    def accepts(place: Place) -> bool:
        """Say whether pictures of the usual name and CelebA's size are there."""
        found = _find_pictures(place.path)
        return found is not None and _has_size(found)

    def __iter__(self) -> Iterator[Record | Skipped]:
        yield from self._files.skipped
        for entry in self._files.entries:
            label = None if self._labels is None else self._labels.find(entry.name)
            yield Record(entry.name, partial(self._files.read, entry), label, entry.size)

    def fingerprint(self) -> str:
        """Return the pictures' own fingerprint, and that of the attributes."""
        labels = hash_files((file.name, file) for file in self.beside).hexdigest() if self.beside else ""
        return f"{self._files.fingerprint()} {labels}"

    def close(self) -> None:
        """Close the zip."""
        self._files.close()


def _find_pictures(path: Path) -> Path | None:
    names = [name for picture in PICTURES for name in (picture, f"{picture}.zip")]
    candidates = (path, *(path / place / name for name in names for place in PLACES))
    return next((place for place in candidates if place.name in names and place.exists()), None)


def _has_size(found: Path) -> bool:
    try:
        with open_files(found) as files:
            pictures = (entry for entry in files.entries if is_picture_name(entry.name))
            first = next(pictures, None)
            return first is not None and open_picture(files.read(first)).size == SIZE
    except (DataError, Rejected, *UNREADABLE):
        return False
