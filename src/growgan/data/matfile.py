"""Read numeric arrays from MATLAB's level 5 files (v5 to v7), compressed or not, from front to back.

MathWorks, "MAT-File Format": a header of 128 bytes, then tagged elements; a matrix is an element of flags, sizes, name
and values, in Fortran order, so that a file [H, W, C, N] holds one picture after another.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from growgan.core.errors import DataError

HEADER_BYTES = 128
MATRIX, COMPRESSED = 14, 15
VALUES = {1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8", 12: "i8", 13: "u8"}
LARGEST_SMALL = 2**16

Read = Callable[[int], bytes]


@dataclass(slots=True)
class Matrix:
    """One variable: its name, its shape, the type of its values, and the values still to be read, in Fortran order.

    `read` returns as many bytes of them as requested, and raises `DataError` if they are damaged.
    """

    name: str
    shape: tuple[int, ...]
    dtype: np.dtype[np.generic]
    read: Read

    def read_all(self) -> NDArray[np.generic]:
        """Return all values at once."""
        size = self.dtype.itemsize * int(np.prod(self.shape, dtype=np.int64))
        return np.frombuffer(self.read(size), self.dtype).reshape(self.shape, order="F")


def iterate_matrices(path: Path) -> Iterator[Matrix]:
    """Yield the numeric arrays of a file; each may be read or skipped. Raises `DataError` if the file is damaged."""
    try:
        with path.open("rb") as file:
            order = _read_order(file.read(HEADER_BYTES), path)
            while tag := file.read(8):
                kind, size = np.frombuffer(tag, order + "u4").tolist()
                start = file.tell()
                read = _read_exactly(file.read if kind == MATRIX else _inflate(file, size), path)
                if kind == COMPRESSED:
                    kind, _ = np.frombuffer(read(8), order + "u4").tolist()
                matrix = _read_matrix(read, order) if kind == MATRIX else None
                if matrix is not None:
                    yield matrix
                file.seek(start + size)
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: not a readable MAT file ({error})") from error


def is_matfile(head: bytes) -> bool:
    """Say whether a file begins like a level 5 MAT file."""
    return head[:6] == b"MATLAB" and head[126:128] in (b"IM", b"MI")


def _read_exactly(read: Read, path: Path) -> Read:
    """Return a `read` that returns exactly as many bytes as requested, or raises `DataError`."""

    def read_exactly(size: int) -> bytes:
        try:
            data = read(size)
        except (OSError, zlib.error) as error:
            raise DataError(f"{path}: damaged ({error})") from error
        if len(data) != size:
            raise DataError(f"{path}: truncated")
        return data

    return read_exactly


def _read_order(header: bytes, path: Path) -> str:
    if not is_matfile(header):
        raise DataError(f"{path}: not a level 5 MAT file")
    return "<" if header[126:128] == b"IM" else ">"


def _inflate(file: BinaryIO, size: int) -> Read:
    """Return a `read` over the contents of a compressed element."""
    inflate = zlib.decompressobj()
    left = size
    ready = bytearray()

    def read(wanted: int) -> bytes:
        nonlocal left
        while len(ready) < wanted and not inflate.eof:
            packed = inflate.unconsumed_tail or file.read(min(left, 2**16))
            if packed is not inflate.unconsumed_tail:
                left -= len(packed)
            if not packed:
                break
            ready.extend(inflate.decompress(packed, max(2**20, wanted - len(ready))))
        data = bytes(ready[:wanted])
        del ready[:wanted]
        return data

    return read


def _read_matrix(read: Read, order: str) -> Matrix | None:
    """Read a matrix up to its values; None if it is not a plain array of numbers."""
    flags = np.frombuffer(_read_small(read, order)[1], order + "u4")
    shape = tuple(np.frombuffer(_read_small(read, order)[1], order + "i4").tolist())
    name = _read_small(read, order)[1].decode("ascii")
    is_complex, kind = bool(flags[0] & 0x0800), int(flags[0] & 0xFF)
    if is_complex or not 6 <= kind <= 15 or not shape or min(shape) < 0:
        return None
    tag = read(8)
    stored, size = np.frombuffer(tag, order + "u4").tolist()
    rest = None
    if stored >> 16:  # a small element: its few values are in the tag itself
        stored, size, rest = stored & 0xFFFF, stored >> 16, tag[4:]
    dtype = np.dtype(order + VALUES[stored]) if stored in VALUES else None
    if dtype is None or size != dtype.itemsize * int(np.prod(shape, dtype=np.float64)):
        raise ValueError(f"{name} is damaged")
    return Matrix(name, shape, dtype, read if rest is None else lambda wanted: rest[:wanted])


def _read_small(read: Read, order: str) -> tuple[int, bytes]:
    tag = read(8)
    kind, size = np.frombuffer(tag, order + "u4").tolist()
    if kind >> 16:
        return kind & 0xFFFF, tag[4 : 4 + (kind >> 16)]
    if size > LARGEST_SMALL:
        raise ValueError("damaged")
    return kind, read(-(-size // 8) * 8)[:size]
