"""SVHN's cropped digits (train_32x32.mat and the like): X uint8 [32, 32, 3, N], y [N, 1] with 10 for the digit 0."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from growgan.core.errors import DataError
from growgan.data.matfile import is_matfile, iterate_matrices
from growgan.data.sources import LARGEST_MEMBER, Place, Record, Skipped, Source, Wishes, choose_split

FILE = re.compile(r"(?P<split>train|test|extra)_32x32\.mat")


class SvhnSource(Source):
    """The pictures of the training split, or of the one requested: train, test, extra or all."""

    has_splits = True
    class_names = tuple("0123456789")

    def __init__(self, path: Path, wishes: Wishes) -> None:
        self.path = path
        files = _list_files(path)
        self._files = [files[split] for split in choose_split(path, wishes.split, files)]
        self._labels = [_read_labels(file) for file in self._files]
        self.has_labels = all(labels is not None for labels in self._labels)
        self.count = sum(len(labels) for labels in self._labels if labels is not None) or None

    @staticmethod
    def accepts(place: Place) -> bool:
        """Say whether a folder has such files, or a file is a MAT file."""
        if place.is_dir:
            return any(FILE.fullmatch(name) for name in place.names)
        return is_matfile(place.head)

    def __iter__(self) -> Iterator[Record | Skipped]:
        count = 0
        for file, labels in zip(self._files, self._labels):
            matrices = iterate_matrices(file)  # closes its file when it is released
            pictures = next((matrix for matrix in matrices if matrix.name == "X"), None)
            if pictures is None or len(pictures.shape) != 4 or pictures.dtype != np.uint8 or pictures.shape[2] != 3:
                raise DataError(f"{file}: has no X of uint8 [H, W, 3, N]")
            height, width, channels, number = pictures.shape
            if not 0 < height * width * channels <= LARGEST_MEMBER:
                raise DataError(f"{file}: {width}x{height} is not a picture size")
            if labels is not None and len(labels) != number:
                raise DataError(f"{file}: {len(labels):,} labels for {number:,} pictures")
            for index in range(number):
                data = pictures.read(height * width * channels)
                pixels = np.frombuffer(data, np.uint8).reshape(channels, width, height)
                label = labels[index] if labels is not None and self.has_labels else None
                yield Record(f"{count:08d}", partial(_turn, pixels), label)
                count += 1


def _turn(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return pixels.transpose(0, 2, 1)


def _list_files(path: Path) -> dict[str, Path]:
    found = {}
    for split in ("train", "test", "extra"):
        file = path / f"{split}_32x32.mat"
        if path.is_dir() and file.is_file():
            found[split] = file
    if path.is_file():
        match = FILE.fullmatch(path.name)
        found[match["split"] if match else "train"] = path
    if not found:
        raise DataError(f"{path}: has no file such as train_32x32.mat")
    return found


def _read_labels(file: Path) -> list[int] | None:
    for matrix in iterate_matrices(file):
        if matrix.name == "y":
            digits = np.asarray(matrix.read_all()).astype(np.int64).ravel()
            if digits.min(initial=1) < 0 or digits.max(initial=1) > 10:
                raise DataError(f"{file}: has labels that are not digits")
            labels: list[int] = (digits % 10).tolist()
            return labels
    return None
