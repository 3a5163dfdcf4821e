"""Reading pickles of plain data without running what they name.

Every class or function that a pickle may name stands for a harmless one of ours; anything else is refused. Arrays
are put together from their bytes afterwards.
"""

from __future__ import annotations

import io
import pickle
from typing import Any

import numpy as np
from numpy.typing import NDArray

from growgan.core.errors import DataError

ALLOWED = ("numpy.core.multiarray", "numpy._core.multiarray", "numpy.core.numeric", "numpy._core.numeric")
DTYPES = {"u1": np.uint8, "i1": np.int8, "i4": np.int32, "i8": np.int64, "f4": np.float32, "f8": np.float64}


def load_plain(data: bytes, name: object) -> Any:
    """Return what a pickle holds: dicts, lists, texts, numbers and arrays; DataError for anything else.

    Byte strings, which are Python 2's texts, come as texts in Latin-1.
    """
    try:
        return _settle(_Unpickler(data).load())
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
        if self.text not in DTYPES:
            raise DataError(f"an array of {self.text!r}")
        dtype = np.dtype(DTYPES[self.text])
        return dtype.newbyteorder(">") if self.order == ">" else dtype


class _Array:
    """What numpy.ndarray stands for; its state is (version, shape, dtype, is_fortran, bytes)."""

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
    """Python's own, not C's, which makes room for as many values as a pickle says it remembers."""

    def __init__(self, data: bytes) -> None:
        super().__init__(io.BytesIO(data), encoding="latin1")
        self._left = len(data)

    def _encode(self, text: str, *_: object) -> bytes:
        """How bytes are written in protocol 2; a text that is remembered could be handed over again and again."""
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
        raise DataError(f"refers to {module}.{name}, which plain data never needs; not loaded")

    def persistent_load(self, pid: object) -> Any:
        raise DataError("refers to something outside itself")


def _settle(value: Any) -> Any:
    if isinstance(value, _Array):
        return value.build()
    if isinstance(value, dict):
        return {_settle(key): _settle(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_settle(item) for item in value]
    if isinstance(value, bytes):
        return value.decode("latin1")
    if value is None or isinstance(value, (str, int, float)):
        return value
    raise DataError(f"holds a {type(value).__name__}")
