"""The part of protocol buffers that a tf.train.Example needs: features by name, each bytes or a list of int64."""

from __future__ import annotations

from collections.abc import Iterator

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5
# Field numbers: Example.features, Features.feature; a map entry's key and value; Feature's kinds; a list's values.
FEATURES, FEATURE, KEY, VALUE, BYTES_LIST, INT64_LIST, VALUES = 1, 1, 1, 2, 1, 3, 1


def parse_example(data: bytes) -> dict[str, bytes | list[int]]:
    """Return an Example's features: the first of a bytes list, or an int64 list. Raises `ValueError` if damaged."""
    found: dict[str, bytes | list[int]] = {}
    for features in _find(memoryview(data), FEATURES):
        for entry in _find(features, FEATURE):
            names, values = list(_find(entry, KEY)), list(_find(entry, VALUE))
            if names and values:
                value = _parse_feature(values[-1])
                if value is not None:
                    found[bytes(names[-1]).decode()] = value
    return found


def _parse_feature(data: memoryview) -> bytes | list[int] | None:
    for number, _, value in _fields(data):
        if number == BYTES_LIST and isinstance(value, memoryview):
            return next((bytes(item) for item in _find(value, VALUES)), b"")
        if number == INT64_LIST and isinstance(value, memoryview):
            return list(_read_integers(value))
    return None


def _read_integers(data: memoryview) -> Iterator[int]:
    for number, kind, value in _fields(data):
        if number == VALUES and isinstance(value, int):
            yield value
        elif number == VALUES and kind == BYTES and isinstance(value, memoryview):  # packed
            at = 0
            while at < len(value):
                item, at = _read_varint(value, at)
                yield item


def _find(data: memoryview, wanted: int) -> Iterator[memoryview]:
    return (value for number, _, value in _fields(data) if number == wanted and isinstance(value, memoryview))


def _fields(data: memoryview) -> Iterator[tuple[int, int, int | memoryview]]:
    """Yield number, kind and value of each field."""
    at = 0
    while at < len(data):
        key, at = _read_varint(data, at)
        number, kind = key >> 3, key & 7
        if kind == VARINT:
            value, at = _read_varint(data, at)
            yield number, kind, value
            continue
        if kind == BYTES:
            length, at = _read_varint(data, at)
        elif kind in (FIXED32, FIXED64):
            length = 4 if kind == FIXED32 else 8
        else:
            raise ValueError(f"a field of kind {kind}")
        if at + length > len(data):
            raise ValueError("a field is longer than the record")
        yield number, kind, data[at : at + length]
        at += length


def _read_varint(data: memoryview, at: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        if at >= len(data):
            break
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
    raise ValueError("an unterminated number")
