"""The authors' TFRecords, read without TensorFlow: NAME-r02.tfrecords (4x4) to NAME-r10.tfrecords, NAME-rxx.labels.

A record is its length (uint64), the length's checksum, the data and their checksum; the data are a tf.train.Example in
protocol buffers with the features `shape`, three int64 C, H, W, and `data`, uint8 in that order. The file of the
largest size is read; the others follow from it.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from growgan.core.errors import DataError
from growgan.data.crc32c import masked_crc32c
from growgan.data.labels import read_label_array
from growgan.data.pictures import Rejected
from growgan.data.protobuf import parse_example
from growgan.data.sources import LARGEST_MEMBER, Place, Record, Skipped, Source, Wishes

SUFFIX = ".tfrecords"
LEVEL = re.compile(r"(?P<name>.*)-r(?P<level>\d\d)\.tfrecords")
FRAME_BYTES = 16
"""Length and checksums around the data of a record."""


class TfrecordSource(Source):
    """Pictures in the order of the records; the labels are one-hot or multi-label rows."""

    def __init__(self, path: Path, wishes: Wishes) -> None:
        self.path = path
        self._file = _find_file(path)
        self.count = _count(self._file)
        match = LEVEL.fullmatch(self._file.name)
        beside = self._file.with_name(f"{match['name']}-rxx.labels") if match else self._file.with_suffix(".labels")
        self.beside = [beside] if beside.is_file() and not path.is_dir() else []
        self._labels = read_label_array(beside, self.count) if beside.is_file() else None
        self.has_labels = self._labels is not None

    @staticmethod
    def accepts(place: Place) -> bool:
        """Say whether a folder has such files, or a file begins with a record."""
        if place.is_dir:
            return any(name.endswith(SUFFIX) for name in place.names)
        head = place.head[:12]
        return len(head) == 12 and struct.unpack("<I", head[8:])[0] == masked_crc32c(head[:8])

    def __iter__(self) -> Iterator[Record | Skipped]:
        with self._file.open("rb") as file:
            for index, data in enumerate(_read_records(file, self._file)):
                if self._labels is not None and index >= len(self._labels):
                    raise DataError(f"{self._file}: more pictures than labels ({len(self._labels):,})")
                label = None if self._labels is None else self._labels[index]
                yield Record(f"{index:08d}", partial(_parse, *data), label, len(data[0]))


def _find_file(path: Path) -> Path:
    if not path.is_dir():
        return path
    files = sorted(path.glob(f"*{SUFFIX}"))
    levels = [(match["level"], file) for file in files if (match := LEVEL.fullmatch(file.name))]
    names = {file.name.rpartition("-r")[0] for _, file in levels}
    if not files:
        raise DataError(f"{path}: no {SUFFIX} file found")
    if len(names) > 1 or (not levels and len(files) != 1):
        raise DataError(f"{path}: holds several datasets ({', '.join(sorted(names) or map(str, files))}); pick a file")
    return max(levels)[1] if levels else files[0]


def _count(file: Path) -> int | None:
    """Return the number of records, if all are as long as the first."""
    with file.open("rb") as opened:
        head = opened.read(8)
    if len(head) < 8:
        raise DataError(f"{file}: not a TFRecord file")
    count, rest = divmod(file.stat().st_size, int.from_bytes(head, "little") + FRAME_BYTES)
    return None if rest else count


def _read_records(file: BinaryIO, path: Path) -> Iterator[tuple[bytes, int]]:
    """Yield the data of each record and their checksum."""
    count = 0
    while head := file.read(12):
        if len(head) < 12:
            raise DataError(f"{path}: truncated after {count:,} records")
        length, check = struct.unpack("<QI", head)
        if check != masked_crc32c(head[:8]) or length > LARGEST_MEMBER:
            raise DataError(f"{path}: damaged after {count:,} records (a length's checksum does not match)")
        data, tail = file.read(length), file.read(4)
        if len(data) < length or len(tail) < 4:
            raise DataError(f"{path}: truncated after {count:,} records")
        yield data, int.from_bytes(tail, "little")
        count += 1


def _parse(data: bytes, check: int) -> NDArray[np.uint8]:
    """Return a record's picture, uint8 [C, H, W]."""
    if masked_crc32c(data) != check:
        raise Rejected("damaged (the checksum does not match)")
    try:
        features = parse_example(data)
    except ValueError as error:
        raise Rejected(f"damaged ({error})") from error
    shape, pixels = features.get("shape"), features.get("data")
    if not isinstance(shape, list) or len(shape) != 3 or not isinstance(pixels, bytes):
        raise Rejected("lacks the shape and data fields of the authors' records")
    if shape[0] not in (1, 3, 4) or min(shape) < 1 or shape[0] * shape[1] * shape[2] != len(pixels):
        raise Rejected(f"{len(pixels):,} bytes of data for a shape of {shape}")
    return np.frombuffer(pixels, np.uint8).reshape(shape)
