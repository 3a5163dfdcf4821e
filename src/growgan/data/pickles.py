"""Read pickles of plain data without running what they name.

Every class or function that a pickle may name is replaced by a harmless one of ours; anything else is refused. Arrays
are assembled from their bytes afterwards.
"""

from __future__ import annotations

import io
import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from growgan.core.errors import DataError
from growgan.core.trees import show, unfold

MOST_VALUES = 1_000_000
"""Limit on the values of a small pickle; a larger one may hold as many as it has bytes."""
ALLOWED = ("numpy.core.multiarray", "numpy._core.multiarray", "numpy.core.numeric", "numpy._core.numeric")
DTYPES = {"u1": np.uint8, "i1": np.int8, "i4": np.int32, "i8": np.int64, "f4": np.float32, "f8": np.float64}


def load_plain(data: bytes, name: object) -> Any:
    """Return the contents of a pickle: dicts, lists, strings, numbers and arrays. Raises `DataError` for anything else.

    Byte strings, which are Python 2's strings, are decoded as Latin-1.
    """
    try:
        value = _Unpickler(data).load()
        if unfold(value) > max(MOST_VALUES, len(data)):
            raise DataError("unfolds to far more values than it has bytes")
        return _settle(value, {})
    except DataError as error:
        raise DataError(f"{name}: {error}") from error
    except Exception as error:  # a damaged pickle may raise anything
        reason = " ".join(str(error).split())
        raise DataError(f"{name}: not a readable pickle ({reason or type(error).__name__})") from error


class _Dtype:
    def __init__(self, text: str, *_: object) -> None:
        self.text = text
        self.order = "|"

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        self.order = state[1]

    def resolve(self) -> np.dtype[Any]:
        if not isinstance(self.text, str) or self.text not in DTYPES:
            raise DataError(f"an array of {show(self.text)}")
        dtype = np.dtype(DTYPES[self.text])
        return dtype.newbyteorder(">") if self.order == ">" else dtype


class _Array:
    """Stands in for numpy.ndarray; its state is (version, shape, dtype, is_fortran, bytes)."""

    def __init__(self, *_: object) -> None:
        self.state: tuple[Any, ...] = ()

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        self.state = state

    def build(self) -> NDArray[Any]:
        _, shape, dtype, is_fortran, data = self.state
        data = data.encode("latin1") if isinstance(data, str) else data
        values = np.frombuffer(data, dtype.resolve())
        return values.reshape(shape, order="F" if is_fortran else "C")


def _reconstruct(*_: object) -> _Array:
    return _Array()


class _Unpickler(pickle._Unpickler):
    """Python's own unpickler: the one in C allocates as many memo entries as a pickle claims to have."""

    def __init__(self, data: bytes) -> None:
        super().__init__(io.BytesIO(data), encoding="latin1")
        self._left = len(data)

    def _encode(self, text: str, *_: object) -> bytes:
        """How protocol 2 stores bytes; limited, as a memoised string could be passed again and again."""
        self._left -= len(text)
        if self._left < 0:
            raise DataError("creates more bytes than it holds")
        return text.encode("latin1")

    def find_class(self, module: str, name: str) -> Any:
        if module in ALLOWED and name == "_reconstruct":
            return _reconstruct
        if (module, name) == ("numpy", "ndarray"):
            return _Array
        if (module, name) == ("numpy", "dtype"):
            return _Dtype
        if (module, name) == ("_codecs", "encode"):
            return self._encode
        raise DataError(f"refers to {f'{module}.{name}'[:100]}, which plain data never needs; not loaded")

    def persistent_load(self, pid: object) -> Any:
        raise DataError("refers to something outside itself")


def _checking(code: bytes, hashed: slice) -> Callable[[Any], None]:
    """Return the handler of an opcode, preceded by a check of the part of the stack that it will hash."""
    load = pickle._Unpickler.dispatch[code[0]]

    def check_and_load(unpickler: Any) -> None:
        _check_keys(unpickler.stack[hashed])
        load(unpickler)

    return check_and_load


def _build(unpickler: Any) -> None:
    if len(unpickler.stack) < 2 or not isinstance(unpickler.stack[-2], _Array | _Dtype):
        raise DataError("sets the state of what has none")
    pickle._Unpickler.dispatch[pickle.BUILD[0]](unpickler)


KEYS, LAST_KEY, ALL = slice(None, None, 2), slice(-2, -1), slice(None)
_Unpickler.dispatch = pickle._Unpickler.dispatch | {
    pickle.DICT[0]: _checking(pickle.DICT, KEYS),
    pickle.SETITEMS[0]: _checking(pickle.SETITEMS, KEYS),
    pickle.SETITEM[0]: _checking(pickle.SETITEM, LAST_KEY),
    pickle.ADDITEMS[0]: _checking(pickle.ADDITEMS, ALL),
    pickle.FROZENSET[0]: _checking(pickle.FROZENSET, ALL),
    pickle.BUILD[0]: _build,
}


def _check_keys(keys: list[Any]) -> None:
    """Raise `DataError` for keys that are slow to hash, such as tuples of tuples."""
    if not all(key is None or isinstance(key, str | bytes | int | float) for key in keys):
        raise DataError("has a dictionary whose keys are neither texts nor numbers")


def _settle(value: Any, made: dict[int, Any]) -> Any:
    """Return a value in plain types. made: the results so far, for values that occur again."""
    if id(value) not in made:
        made[id(value)] = _make_plain(value, made)
    return made[id(value)]


def _make_plain(value: Any, made: dict[int, Any]) -> Any:
    if isinstance(value, _Array):
        return value.build()
    if isinstance(value, dict):
        return {_settle(key, made): _settle(item, made) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_settle(item, made) for item in value]
    if isinstance(value, bytes):
        return value.decode("latin1")
    if value is None or isinstance(value, (str, int, float)):
        return value
    raise DataError(f"holds a {type(value).__name__}")
