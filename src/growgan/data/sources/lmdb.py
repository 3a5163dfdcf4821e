"""An LMDB whose values are picture files, as in LSUN, in the order of its keys."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

from growgan.core.errors import DataError
from growgan.data.pictures import Rejected
from growgan.data.sources import LARGEST_MEMBER, Place, Record, Skipped, Source, Wishes, require

DATA_FILE = "data.mdb"
MAGIC = b"\xde\xc0\xef\xbe"
MAGIC_OFFSETS = (16, 24)
"""Where a meta page holds it, after the page header of 32- and 64-bit versions."""


class LmdbSource(Source):
    """Values by key; a key that is not printable text is named in hexadecimal."""

    is_named = True
    reads_apart = True

    def __init__(self, path: Path, wishes: Wishes) -> None:
        self.path = path
        self._lmdb = require("lmdb", path)
        file = path / DATA_FILE if path.is_dir() else path
        try:
            self._env = self._lmdb.open(str(path), subdir=path.is_dir(), readonly=True, lock=False, readahead=False)
            self.count = int(self._env.stat()["entries"])
            # Reading beyond the end of a mapped file would kill the process without a message.
            last = (self._env.info()["last_pgno"] + 1) * self._env.stat()["psize"]
        except self._lmdb.Error as error:
            raise DataError(f"{path}: not a readable LMDB ({error})") from error
        if file.stat().st_size < last:
            self._env.close()
            raise DataError(f"{path}: truncated ({file.stat().st_size:,} of {last:,} bytes)")

    @staticmethod
    def accepts(place: Place) -> bool:
        """Say whether it is an LMDB's folder or data file."""
        if place.is_dir:
            return DATA_FILE in place.names
        return any(place.head[offset : offset + 4] in (MAGIC, MAGIC[::-1]) for offset in MAGIC_OFFSETS)

    def __iter__(self) -> Iterator[Record | Skipped]:
        try:
            # With buffers, only the sizes of values are read until they are accessed.
            with self._env.begin(buffers=True) as transaction, transaction.cursor() as cursor:
                for key, value in cursor.iternext():
                    name = bytes(key)
                    yield Record(_name(name), partial(self._read, name), size=len(value))
        except self._lmdb.Error as error:
            raise DataError(f"{self.path}: damaged ({error})") from error

    def _read(self, key: bytes) -> bytes:
        with self._env.begin(buffers=True) as transaction:
            value = transaction.get(key)
            if len(value) > LARGEST_MEMBER:
                raise Rejected(f"larger than {LARGEST_MEMBER >> 20} MiB")
            return bytes(value)

    def close(self) -> None:
        """Close the database."""
        self._env.close()


def _name(key: bytes) -> str:
    try:
        name = key.decode()
    except UnicodeDecodeError:
        return key.hex()
    return name if name.isprintable() else key.hex()
