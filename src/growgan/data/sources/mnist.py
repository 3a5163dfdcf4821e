"""MNIST and its relatives (Fashion-MNIST, Kuzushiji-MNIST ...): idx files, gzipped or not; and MNIST-RGB.

28x28 become 32x32 with two black pixels on each side, as in the release.
"""

from __future__ import annotations

import gzip
import re
import zlib
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from growgan.core.errors import DataError
from growgan.data.sources import Place, Record, Skipped, Source, Wishes, choose_split

IMAGES = re.compile(r"(?P<split>\w+)-images[-.]idx3-ubyte(\.gz)?")
SPLITS = {"t10k": "test"}
IDX_UINT8 = b"\x00\x00\x08"

LARGEST_IDX = 2**30
"""Bytes; the largest relative, EMNIST with 814,255 pictures, has 0.64 GB."""

RGB_COUNT = 1_000_000
RGB_SEED = 123

# The two sets share their files' names; the first labels of a file tell them apart.
FASHION_BEGINS = ([9, 0, 0, 3, 0, 2, 7, 2, 5, 5], [9, 2, 1, 1, 6, 1, 4, 6, 5, 7])
FASHION_NAMES = (
    *("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat"),
    *("Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"),
)


class MnistSource(Source):
    """The pictures of the training split, or of the one requested, in the order of the file."""

    has_splits = True
    reads_apart = True

    def __init__(self, path: Path, wishes: Wishes) -> None:
        self.path = path
        files = _list_files(path)
        chosen = choose_split(path, wishes.split, files)
        self._pixels = _pad(np.concatenate([read_idx(files[split], 3) for split in chosen]))
        labels = [_find_labels(files[split]) for split in chosen]
        self.count = len(self._pixels)
        self._labels: list[int | None] = [None] * self.count
        self.beside = [file for file in labels if file and not path.is_dir()]
        if all(labels):
            found = np.concatenate([read_idx(file, 1) for file in labels if file])
            if len(found) != self.count:
                raise DataError(f"{path}: {len(found):,} labels for {self.count:,} pictures")
            self._labels = found.tolist()
            self.has_labels = True
            names = FASHION_NAMES if self._labels[:10] in FASHION_BEGINS else map(str, range(int(found.max()) + 1))
            self.class_names = tuple(names)

    @staticmethod
    def accepts(place: Place) -> bool:
        """Say whether a folder has image files of the usual names, or a file is one."""
        if place.is_dir:
            return any(IMAGES.fullmatch(name) for name in place.names)
        return place.head.startswith(IDX_UINT8) or IMAGES.fullmatch(place.path.name) is not None

    def __iter__(self) -> Iterator[Record | Skipped]:
        for index, label in enumerate(self._labels):
            yield Record(f"{index:08d}", partial(self._read, index), label)

    def _read(self, index: int) -> NDArray[np.uint8]:
        return self._pixels[index, None]


class MnistRgbSource(MnistSource):
    """A million pictures whose red, green and blue are three random digits each: 1,000 modes of equal weight.

    The draws are the release's (RandomState(123)), so that picture i is its picture i. The class, 000 to 999, consists
    of the three digits; the paper trains without labels.
    """

    def __init__(self, path: Path, wishes: Wishes) -> None:
        super().__init__(path, wishes)
        if self.has_labels:
            self.class_names = tuple(f"{number:03d}" for number in range(1000))
        self.count = RGB_COUNT

    @staticmethod
    def accepts(place: Place) -> bool:
        """Never: it must be requested by name."""
        return False

    def __iter__(self) -> Iterator[Record | Skipped]:
        random = np.random.RandomState(RGB_SEED)
        for index in range(RGB_COUNT):
            digits = random.randint(len(self._pixels), size=3)
            label = None
            if self.has_labels:
                red, green, blue = (self._labels[digit] or 0 for digit in digits.tolist())
                label = 100 * red + 10 * green + blue
            yield Record(f"{index:08d}", partial(self._pixels.__getitem__, digits), label)


def read_idx(file: Path, dimensions: int) -> NDArray[np.uint8]:
    """Read an idx file of uint8 with this many dimensions, gzipped or not. Raises `DataError` if it is damaged."""
    try:
        with file.open("rb") as opened:
            is_packed = opened.read(2) == b"\x1f\x8b"
            opened.seek(0)
            with gzip.open(opened) if is_packed else opened as plain:
                data = plain.read(LARGEST_IDX + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{file}: cannot be read ({error})") from error
    if len(data) > LARGEST_IDX:
        raise DataError(f"{file}: unpacks to more than {LARGEST_IDX >> 20} MiB")
    begin = 4 + 4 * dimensions
    if data[:4] != IDX_UINT8 + bytes([dimensions]) or len(data) < begin:
        raise DataError(f"{file}: not an idx file of bytes with {dimensions} dimensions")
    shape = [int.from_bytes(data[at : at + 4], "big") for at in range(4, begin, 4)]
    size = 1
    for edge in shape:
        size *= edge
    if size != len(data) - begin or size == 0:
        raise DataError(f"{file}: damaged ({len(data) - begin:,} bytes of data, not the {size:,} it declares)")
    return np.frombuffer(data, np.uint8, offset=begin).reshape(shape)


def _list_files(path: Path) -> dict[str, Path]:
    """Return the image files by split, train first."""
    files = sorted(path.iterdir()) if path.is_dir() else [path]
    found: dict[str, Path] = {}
    for file in files:
        match = IMAGES.fullmatch(file.name)
        if match or not path.is_dir():
            split = match["split"] if match else "train"
            found.setdefault(SPLITS.get(split, split), file)
    if not found:
        raise DataError(f"{path}: has no file such as train-images-idx3-ubyte.gz")
    return dict(sorted(found.items(), key=lambda item: (item[0] != "train", item[0])))


def _find_labels(images: Path) -> Path | None:
    plain = images.name.removesuffix(".gz").replace("images", "labels").replace("idx3", "idx1")
    return next((file for name in (plain, f"{plain}.gz") if (file := images.with_name(name)).is_file()), None)


def _pad(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Centre small pictures in the next power of two."""
    height, width = pixels.shape[1:]
    side = 1 << (max(height, width) - 1).bit_length()
    top, left = (side - height) // 2, (side - width) // 2
    return np.pad(pixels, [(0, 0), (top, side - height - top), (left, side - width - left)])
