"""NumPy arrays, types and scalars as a pickle describes them, validated only when they are needed."""

from __future__ import annotations

import math
import re
import sys
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor

from growgan.models.foreign.machine import Refused

MOST_AXES = 16


@dataclass(eq=False)
class Type:
    """A number type, such as f4, and its byte order."""

    code: str
    order: str = "<"

    def build(self, state: Any) -> None:
        """Take the byte order from the pickled state of a NumPy dtype."""
        if not isinstance(state, tuple) or len(state) < 2 or state[1] not in ("<", ">", "=", "|"):
            raise Refused("it has a number type of unknown byte order")
        self.order = "<" if state[1] in ("=", "|") and sys.byteorder == "little" else str(state[1])

    def numpy(self) -> np.dtype[Any]:
        """The NumPy dtype, if it is one of plain numbers."""
        if not re.fullmatch(r"[fiub][1248]", self.code):
            raise Refused(f"it has an array of type {self.code[:20]!r}, not of numbers")
        return np.dtype(self.code).newbyteorder(self.order)  # type: ignore[arg-type]


@dataclass(eq=False)
class Array:
    """An array, rebuilt as `numpy.ndarray` is: empty first, then with its state."""

    dimensions: Any = ()
    type: Any = None
    axes: Any = None
    """C, F, or the order of the axes in memory, slowest first."""
    raw: Any = field(default=None, repr=False)

    def build(self, state: Any) -> None:
        """Take the pickled state of a NumPy array: version, shape, type, whether in Fortran order, bytes."""
        if not isinstance(state, tuple) or len(state) not in (4, 5):
            raise Refused("it has an array with an invalid state")
        self.dimensions, self.type, columns_first, self.raw = state[-4:]
        self.axes = "F" if columns_first else "C"

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape, validated."""
        sizes = self.dimensions
        if not isinstance(sizes, tuple | list) or len(sizes) > MOST_AXES:
            raise Refused("it has an array with an invalid shape")
        if not all(isinstance(n, int) and 0 <= n < 2**48 for n in sizes):
            raise Refused("it has an array of impossible size")
        return tuple(sizes)

    def numpy(self) -> np.ndarray:
        """The values."""
        if not isinstance(self.type, Type):
            raise Refused("it has an array without a type")
        kind, shape = self.type.numpy(), self.shape
        raw = as_bytes(self.raw)
        if math.prod(shape) * kind.itemsize != len(raw):
            raise Refused(f"it has an array {list(shape)} of {kind.itemsize}-byte numbers in {len(raw):,} bytes")
        flat = np.frombuffer(raw, kind)
        if self.axes in ("C", "F"):
            return flat.reshape(shape, order=self.axes)
        order = self.axes
        if not isinstance(order, tuple | list) or sorted(order) != list(range(len(shape))):
            raise Refused("it has an array with invalid axes")
        return flat.reshape([shape[axis] for axis in order]).transpose(np.argsort(order))

    def tensor(self) -> Tensor:
        """The values as a float32 tensor with its own memory."""
        return float_tensor(self.numpy())


def float_tensor(values: np.ndarray) -> Tensor:
    """Values as a float32 tensor with its own memory; those beyond its range become infinite."""
    with np.errstate(all="ignore"):
        return torch.from_numpy(np.ascontiguousarray(values, dtype=np.float32).copy())


def as_bytes(raw: Any) -> bytes | bytearray:
    """Bytes; Python 2 pickles hold them as the characters of the same numbers."""
    if isinstance(raw, bytes | bytearray):
        return raw
    if isinstance(raw, Latin):
        raw = raw.text
    if isinstance(raw, str):
        return raw.encode("latin-1")
    raise Refused("it has an array without bytes")


@dataclass(frozen=True)
class Latin:
    """Bytes that a pickle writes as text; encoded only when they are needed, so that a small file stays small."""

    text: str


def encode(text: Any, encoding: Any = "latin1") -> Latin:
    """`_codecs.encode`, with which pickles before protocol 3 write bytes."""
    if not isinstance(text, str) or encoding not in ("latin1", "latin-1"):
        raise Refused("it encodes something that is not text")
    return Latin(text)


def make_type(code: Any, *_: Any) -> Type:
    """`numpy.dtype`."""
    if not isinstance(code, str):
        raise Refused("it has an invalid number type")
    return Type(code)


def make_scalar(kind: Any, raw: Any = None) -> Any:
    """`numpy.core.multiarray.scalar`: a Python number."""
    if not isinstance(kind, Type) or raw is None:
        raise Refused("it has a number without a type")
    if not re.fullmatch(r"[fiub][1248]", kind.code):
        return Array((), kind, "C", raw)  # a text, say: refused only if something needs it
    return Array((), kind, "C", raw).numpy().item()


def from_buffer(raw: Any, kind: Any, shape: Any, order: Any, axes: Any = None) -> Array:
    """`numpy._core.numeric._frombuffer`, with which protocol 5 writes arrays."""
    return Array(shape, kind, axes if order == "K" else order, raw)
