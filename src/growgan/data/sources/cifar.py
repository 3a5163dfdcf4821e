"""CIFAR-10 and CIFAR-100, the "python version": a folder of pickled batches, or the archive as it was downloaded."""

from __future__ import annotations

import tarfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from growgan.core.errors import DataError
from growgan.data.pickles import load_plain
from growgan.data.sources import LARGEST_MEMBER, Place, Record, Skipped, Source, Wishes, choose_split
from growgan.data.sources.tar import COMPRESSED, is_tar, read_members

TEN = {"train": tuple(f"data_batch_{number}" for number in range(1, 6)), "test": ("test_batch",)}
HUNDRED = {"train": ("train",), "test": ("test",)}
TEN_META, HUNDRED_META = "batches.meta", "meta"
WANTED = (TEN_META, HUNDRED_META, *(name for splits in (TEN, HUNDRED) for part in splits.values() for name in part))
ARCHIVE_FOLDERS = ("cifar-10-batches-py", "cifar-100-python")
ARCHIVES = ("cifar-10-python.tar.gz", "cifar-100-python.tar.gz")
SHAPE = (3, 32, 32)


class CifarSource(Source):
    """The pictures of the training split, or of the one requested, in the order of the batches.

    CIFAR-100 has 100 ``fine`` labels, the default, and 20 ``coarse`` ones.
    """

    has_splits = True
    reads_apart = True
    has_labels = True

    def __init__(self, path: Path, wishes: Wishes) -> None:
        self.path = path
        archive = next((path / name for name in ARCHIVES if (path / name).is_file()), path)
        files = _read_folder(path) if archive.is_dir() else _read_archive(archive)
        is_ten = TEN_META in files
        if not is_ten and HUNDRED_META not in files:
            raise DataError(f"{path}: neither CIFAR-10 nor CIFAR-100 ({TEN_META} or {HUNDRED_META} is missing)")
        self.label_sets = () if is_ten else ("fine", "coarse")
        kind = wishes.labels if wishes.labels in self.label_sets else "fine"
        names_key, labels_key = ("label_names", "labels") if is_ten else (f"{kind}_label_names", f"{kind}_labels")
        meta = load_plain(files[TEN_META if is_ten else HUNDRED_META], f"{path}: meta data")
        self.class_names = tuple(_find(meta, names_key, path))
        splits = TEN if is_ten else HUNDRED
        batches = [name for split in choose_split(path, wishes.split, splits) for name in splits[split]]
        self._pixels, self._labels = _join(path, files, batches, labels_key, len(self.class_names))
        self.count = len(self._pixels)

    @staticmethod
    def accepts(place: Place) -> bool:
        """Say whether a folder holds the batches, or only their archive, or an archive begins with their folder."""
        if place.is_dir:
            names = set(place.names)
            unpacked = {TEN_META, *TEN["test"]} <= names or {HUNDRED_META, *HUNDRED["train"]} <= names
            return unpacked or (len(names) == 1 and names <= set(ARCHIVES))
        if not place.head.startswith(COMPRESSED) and not is_tar(place):
            return False
        try:
            with tarfile.open(place.path, "r|*") as archive:
                first = archive.next()
        except (tarfile.TarError, OSError, EOFError):
            return False
        return first is not None and first.name.removeprefix("./").split("/")[0] in ARCHIVE_FOLDERS

    def __iter__(self) -> Iterator[Record | Skipped]:
        for index, label in enumerate(self._labels):
            yield Record(f"{index:08d}", partial(self._pixels.__getitem__, index), label)


def _read_folder(path: Path) -> dict[str, bytes]:
    try:
        return {name: (path / name).read_bytes() for name in WANTED if (path / name).is_file()}
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror})") from error


def _read_archive(path: Path) -> dict[str, bytes]:
    named = ((PurePosixPath(item.name).name, item) for item in read_members(path) if not isinstance(item, Skipped))
    files = {name: member.data for name, member in named if name in WANTED}
    if sum(map(len, files.values())) > LARGEST_MEMBER:
        raise DataError(f"{path}: unpacks to more than {LARGEST_MEMBER >> 20} MiB")
    return files


def _join(
    path: Path, files: dict[str, bytes], batches: list[str], labels_key: str, num_classes: int
) -> tuple[NDArray[np.uint8], list[int]]:
    parts, labels = [], []
    for name in batches:
        if name not in files:
            raise DataError(f"{path}: {name} is missing")
        batch = load_plain(files[name], f"{path}: {name}")
        pixels, found = _find(batch, "data", path), _find(batch, labels_key, path)
        good = isinstance(pixels, np.ndarray) and pixels.dtype == np.uint8 and pixels.shape[1:] == (np.prod(SHAPE),)
        if not good or len(found) != len(pixels):
            raise DataError(f"{path}: {name} does not hold 32x32 pictures with a label each")
        if not all(isinstance(label, int) and 0 <= label < num_classes for label in found):
            raise DataError(f"{path}: {name} has labels outside 0 to {num_classes - 1}")
        parts.append(pixels.reshape(-1, *SHAPE))
        labels += found
    return np.concatenate(parts), labels


def _find(content: Any, key: str, path: Path) -> Any:
    if not isinstance(content, dict) or not isinstance(content.get(key), (list, np.ndarray)):
        raise DataError(f"{path}: a batch without {key}")
    return content[key]
