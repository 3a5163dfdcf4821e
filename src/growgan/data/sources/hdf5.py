"""The authors' older format: an HDF5 with uint8 [N, C, S, S] in ``data{S}x{S}`` for each size, and NAME-labels.npy.

The largest size is read; the others follow from it. A file with a single array under another name is accepted too.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from growgan.core.errors import DataError
from growgan.data.labels import read_label_array
from growgan.data.sources import LARGEST_MEMBER, Place, Record, Skipped, Source, Wishes, require

MAGIC = b"\x89HDF\r\n\x1a\n"
LEVEL = re.compile(r"data(\d+)x\1")
BLOCK_BYTES = 16 * 2**20


class Hdf5Source(Source):
    """Pictures in the order of the array."""

    def __init__(self, path: Path, wishes: Wishes) -> None:
        self.path = path
        h5py = require("h5py", path)
        with ExitStack() as stack:
            try:
                self._file = stack.enter_context(h5py.File(path, "r"))
                self._data, self._is_last = _find_pictures(self._file, path)
                self.count = int(self._data.shape[0])
            except DataError:
                raise
            except Exception as error:  # a damaged file makes h5py raise anything
                raise DataError(f"{path}: not a readable HDF5 file ({' '.join(str(error).split())})") from error
            beside = path.with_name(f"{path.stem}-labels.npy")
            self.beside = [beside] if beside.is_file() else []
            self._labels = read_label_array(beside, self.count) if beside.is_file() else None
            stack.pop_all()
        self.has_labels = self._labels is not None

    @staticmethod
    def accepts(place: Place) -> bool:
        """Say whether it begins like an HDF5 file."""
        return place.head.startswith(MAGIC)

    def __iter__(self) -> Iterator[Record | Skipped]:
        row = int(np.prod(self._data.shape[1:]))
        chunk = self._data.chunks[0] if self._data.chunks else 1
        if row * chunk > LARGEST_MEMBER:
            raise DataError(f"{self.path}: unpacks to more than {LARGEST_MEMBER >> 20} MiB at once")
        step = chunk * max(1, BLOCK_BYTES // max(1, row * chunk))  # whole chunks: each is unpacked once
        for start in range(0, len(self._data), step):
            try:
                block = self._data[start : start + step]
            except Exception as error:
                raise DataError(f"{self.path}: damaged after {start:,} pictures ({error})") from error
            for index, pixels in enumerate(block, start):
                label = None if self._labels is None else self._labels[index]
                yield Record(f"{index:08d}", partial(self._turn, pixels), label, pixels.nbytes)

    def _turn(self, pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
        return pixels.transpose(2, 0, 1) if self._is_last else pixels

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def _find_pictures(file: Any, path: Path) -> tuple[Any, bool]:
    """Return the array of pictures, and whether its channels come last."""
    arrays = {name: item for name, item in file.items() if hasattr(item, "shape")}
    levels = {int(match[1]): name for name in arrays if (match := LEVEL.fullmatch(name))}
    found = [arrays[levels[max(levels)]]] if levels else [item for item in arrays.values() if len(item.shape) == 4]
    if len(found) != 1 or len(found[0].shape) != 4 or found[0].dtype != np.uint8:
        raise DataError(f"{path}: has no data1024x1024 or other uint8 array [N, C, S, S]")
    if found[0].shape[1] in (1, 3, 4):
        return found[0], False
    if found[0].shape[3] in (1, 3, 4):
        return found[0], True
    raise DataError(f"{path}: pictures of shape {list(found[0].shape[1:])} have neither 1, 3 nor 4 channels")
