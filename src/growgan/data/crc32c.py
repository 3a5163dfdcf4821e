"""CRC-32C (Castagnoli), the checksum in TFRecords, with numpy: many blocks at once, then combined.

CRCs are linear over GF(2): the checksum of two consecutive blocks is that of the first, advanced by as many zero bytes
as the second has, xor that of the second.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

POLYNOMIAL = 0x82F63B78  # bits reversed
ALL = np.uint32(0xFFFFFFFF)
SMALL = 512

Table = NDArray[np.uint32]


@cache
def _byte_table() -> Table:
    """Return the checksum that each byte value produces from zero."""
    values = np.arange(256, dtype=np.uint32)
    for _ in range(8):
        values = np.where(values & 1, (values >> 1) ^ np.uint32(POLYNOMIAL), values >> 1).astype(np.uint32)
    return values


@cache
def _zeros_tables(size: int) -> Table:
    """Return uint32 [4, 256]: what `size` zero bytes (a power of two) make of each byte of a checksum."""
    if size == 1:
        table = _byte_table()
        places = np.arange(256, dtype=np.uint32)[None] << np.array([0, 8, 16, 24], np.uint32)[:, None]
        return np.asarray(table[places & 0xFF] ^ (places >> 8))
    half = _zeros_tables(size // 2)
    return _send(half, half)


def _send(values: Table, tables: Table) -> Table:
    """Advance checksums by the zero bytes that `tables` stand for."""
    return np.asarray(
        tables[0][values & 0xFF]
        ^ tables[1][(values >> 8) & 0xFF]
        ^ tables[2][(values >> 16) & 0xFF]
        ^ tables[3][values >> 24]
    )


def crc32c(data: bytes) -> int:
    """Return the CRC-32C of `data`."""
    table = _byte_table()
    if len(data) < SMALL:
        return _plain(data, int(ALL), table.tolist()) ^ int(ALL)
    # Leading zeros do not change a checksum that starts at zero, so the data are padded at the front. The usual start
    # at all ones is equivalent to inverting the first four bytes, which is done in the data.
    size = 32 if len(data) < 2**15 else 256
    blocks = 1 << (-(-len(data) // size) - 1).bit_length()
    filled = np.zeros(blocks * size, np.uint8)
    filled[-len(data) :] = np.frombuffer(data, np.uint8)
    filled[-len(data) :][:4] ^= 0xFF
    columns = filled.reshape(blocks, size).T.copy()
    values = np.zeros(blocks, np.uint32)
    for column in columns:
        values = table[(values ^ column) & 0xFF] ^ (values >> 8)
    while len(values) > 1:
        values = _send(values[0::2], _zeros_tables(size)) ^ values[1::2]
        size *= 2
    return int(values[0]) ^ int(ALL)


def masked_crc32c(data: bytes) -> int:
    """Return the checksum as TFRecords store it: rotated and offset, as the data may contain checksums themselves."""
    value = crc32c(data)
    return (((value >> 15) | (value << 17)) + 0xA282EAD8) & 0xFFFFFFFF


def _plain(data: bytes, value: int, table: list[int]) -> int:
    for byte in data:
        value = table[(value ^ byte) & 0xFF] ^ (value >> 8)
    return value
