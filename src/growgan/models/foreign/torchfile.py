"""Files of `torch.save` in both formats: a pickle, and next to it the values of its tensors.

A zip since PyTorch 1.6; before that, four pickles followed by the values. Tensors are read only when they are needed,
and are never larger than their data in the file.
"""

from __future__ import annotations

import math
import mmap
import re
import struct
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from growgan.models.foreign import names, pickled
from growgan.models.foreign.arrays import MOST_AXES
from growgan.models.foreign.machine import Machine, Name, Refused

MAGIC = 0x1950A86A20F9469CFC6C
PROTOCOL = 1001
MOST_ENTRIES = 20_000
"""Most entries of a zip, which has one per storage; the largest genuine ones have about two thousand."""
TYPES = {
    "HalfStorage": torch.float16,
    "BFloat16Storage": torch.bfloat16,
    "FloatStorage": torch.float32,
    "DoubleStorage": torch.float64,
    "CharStorage": torch.int8,
    "ByteStorage": torch.uint8,
    "ShortStorage": torch.int16,
    "IntStorage": torch.int32,
    "LongStorage": torch.int64,
    "BoolStorage": torch.bool,
}


@dataclass(eq=False)
class Storage:
    """The values of one or more tensors, one after another."""

    type: torch.dtype
    count: int
    read: Callable[[int, int], bytes] | None = field(default=None, repr=False)
    """Bytes from .. to; None until they are located in the file."""


@dataclass(eq=False)
class Stored:
    """A tensor: the location of its values in a storage."""

    storage: Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]

    def build(self, state: Any) -> None:
        """Ignore a parameter's attributes: none is needed."""

    def tensor(self) -> Tensor:
        """The values as a float32 tensor with its own memory."""
        last = self.offset + sum((n - 1) * stride for n, stride in zip(self.shape, self.strides))
        empty = 0 in self.shape
        if self.storage.read is None or not (empty or last < self.storage.count):
            raise Refused("it has a tensor that reaches beyond its storage")
        if math.prod(self.shape) > self.storage.count:
            raise Refused("it has a tensor larger than its storage")
        if empty:
            return torch.zeros(self.shape)
        size = self.storage.type.itemsize
        raw = bytearray(self.storage.read(self.offset * size, (last + 1) * size))
        if len(raw) != (last + 1 - self.offset) * size:
            raise Refused("it lacks a tensor's data")
        flat = torch.frombuffer(raw, dtype=self.storage.type)
        return flat.as_strided(self.shape, self.strides).to(torch.float32).clone()


def _sizes(values: Any) -> tuple[int, ...]:
    if not isinstance(values, tuple | list) or len(values) > MOST_AXES:
        raise Refused("it has a tensor with an invalid shape")
    if not all(isinstance(n, int) and 0 <= n < 2**48 for n in values):
        raise Refused("it has a tensor of impossible size")
    return tuple(values)


def _rebuilt(storage: Any, offset: Any, shape: Any, strides: Any, *_: Any) -> Stored:
    """`torch._utils._rebuild_tensor_v2` and its older form."""
    if not isinstance(storage, Storage) or not isinstance(offset, int) or not 0 <= offset < 2**48:
        raise Refused("it has a tensor without data")
    made = Stored(storage, offset, _sizes(shape), _sizes(strides))
    if len(made.shape) != len(made.strides):
        raise Refused("it has a tensor whose strides do not fit its shape")
    return made


def _parameter(tensor: Any, *_: Any) -> Any:
    """`torch._utils._rebuild_parameter`: the tensor."""
    if not isinstance(tensor, Stored):
        raise Refused("it has a parameter without data")
    return tensor


def _with_type(function: Any, kind: Any, arguments: Any, *_: Any) -> Any:
    """`torch._tensor._rebuild_from_type_v2`: a tensor that had attributes."""
    if not isinstance(function, Name) or function.make not in (_rebuilt, _parameter):
        raise Refused("it has a tensor without data")
    return function.call(arguments)  # only these two, which do not copy their arguments


AS_TEXT = re.compile(r"\('storage', <class '([\w.]+)'>, '(\d{1,20})', '[\w:]+', (\d{1,15})(?:, None)?\)", re.ASCII)
"""A reference to a storage in pickle protocol 0, where it is a line of text."""
KNOWN: dict[str, Callable[..., Any] | None] = {
    "torch._utils._rebuild_tensor": _rebuilt,
    "torch._utils._rebuild_tensor_v2": _rebuilt,
    "torch._utils._rebuild_parameter": _parameter,
    "torch._utils._rebuild_parameter_with_state": _parameter,
    "torch._tensor._rebuild_from_type_v2": _with_type,
    "torch.Tensor": None,
    "torch.nn.parameter.Parameter": None,
    "torch.Size": lambda values=(): tuple(values) if isinstance(values, tuple | list) else (),
    "torch.device": lambda *_: None,
    "torch.serialization._get_layout": lambda *_: None,
}
KNOWN |= {f"{module}.{name}": None for module in ("torch", "torch.cuda", "torch.storage") for name in TYPES}
KNOWN |= {str(kind): None for kind in TYPES.values()}


def find(module: str, name: str) -> Name:
    """What a module and a name resolve to in a PyTorch file."""
    path = f"{module}.{name}"
    return Name(path, KNOWN[path]) if path in KNOWN else names.find(module, name)


def _storage(reference: Any) -> tuple[Storage, str, Any]:
    """The storage that a reference stands for, its key, and whatever follows the key."""
    if isinstance(reference, str) and (text := AS_TEXT.fullmatch(reference)):
        reference = ("storage", Name(text[1]), text[2], "", int(text[3]))
    if not isinstance(reference, tuple) or len(reference) < 5 or reference[0] != "storage":
        raise Refused("it refers to something outside itself that is not a storage")
    kind, key, count = reference[1], reference[2], reference[4]
    name = kind.path.rpartition(".")[2] if isinstance(kind, Name) else ""
    if name not in TYPES or not isinstance(key, str) or not isinstance(count, int) or not 0 <= count < 2**48:
        raise Refused("it refers to a storage of unknown kind")
    return Storage(TYPES[name], count), key, reference[5] if len(reference) > 5 else None


class Zip:
    """The entries of a zip, read in place. PyTorch compresses none, so nothing can grow when read."""

    def __init__(self, file: mmap.mmap) -> None:
        self.data = memoryview(file)
        found = -1
        for _ in range(MOST_ENTRIES + 1):  # before listing them, which takes ten times the file's memory
            found = file.find(b"PK\x01\x02", found + 1)
            if found < 0:
                break
        else:
            raise Refused(f"it has more than {MOST_ENTRIES:,} entries, which no genuine file has")
        with zipfile.ZipFile(file) as archive:  # type: ignore[call-overload]
            self.entries = {entry.filename: entry for entry in archive.infolist()}

    def read(self, name: str) -> memoryview:
        """The bytes of an entry, verified if it has a checksum."""
        entry = self.entries.get(name)
        if entry is None:
            raise Refused(f"it lacks the entry {name[:60]}")
        if entry.compress_type != zipfile.ZIP_STORED or entry.file_size != entry.compress_size:
            raise Refused(f"its entry {name[:60]} is compressed, which PyTorch never does")
        head = self.data[entry.header_offset : entry.header_offset + 30]
        if len(head) < 30 or head[:4].tobytes() != b"PK\x03\x04":
            raise Refused(f"its entry {name[:60]} is not where the directory says")
        start = entry.header_offset + 30 + sum(struct.unpack("<HH", head[26:30]))
        if start + entry.file_size > len(self.data):
            raise Refused(f"its entry {name[:60]} is larger than the file")
        found = self.data[start : start + entry.file_size]
        if entry.CRC and zlib.crc32(found) != entry.CRC:  # PyTorch can be configured to write none
            raise Refused(f"its entry {name[:60]} is damaged")
        return found


PROGRAMS = ("/models/model.json", "serialized_exported_program.json")
"""Entries that mark a torch.export program rather than tensors: its graph, under its current and its former name."""


def read_zip(file: mmap.mmap) -> Any:
    """The content of a PyTorch zip."""
    archive = Zip(file)
    if any(name.endswith(PROGRAMS) for name in archive.entries):
        raise Refused(
            "it is a torch.export program (.pt2), which torch.export.load runs and growgan does not; pass the"
            " model or run folder it was exported from"
        )
    pickles = [name for name in archive.entries if name == "data.pkl" or name.endswith("/data.pkl")]
    if len(pickles) != 1:
        raise Refused("it is a zip, but not one from PyTorch; if it holds pictures, try `growgan data info`")
    folder = pickles[0].removesuffix("data.pkl")
    if folder + "byteorder" in archive.entries and archive.read(folder + "byteorder").tobytes() != b"little":
        raise Refused("its numbers are in an unsupported byte order")
    storages: dict[str, Storage] = {}

    def persistent(reference: Any) -> Storage:
        storage, key, _ = _storage(reference)
        if key not in storages:
            name = f"{folder}data/{key}"
            entry = archive.entries.get(name)
            if entry is None or entry.file_size != storage.count * storage.type.itemsize:
                raise Refused(f"it lacks data of the storage {key[:20]}")
            storage.read = lambda first, last: archive.read(name)[first:last].tobytes()
            storages[key] = storage
        return storages[key]

    return pickled.run(Machine(archive.read(pickles[0]), find, persistent))


def read_legacy(data: memoryview) -> Any:
    """The content of a PyTorch file from before 1.6."""
    storages: dict[str, Storage] = {}

    def persistent(reference: Any) -> Storage:
        storage, key, view = _storage(reference)
        root = storages.setdefault(key, storage)
        if root.type != storage.type:
            raise Refused(f"it has the storage {key[:20]} with two types")
        if view is None:
            return root
        if not isinstance(view, tuple) or len(view) != 3 or not all(isinstance(n, int) and n >= 0 for n in view[1:]):
            raise Refused("it has an invalid view of a storage")
        start = view[1] * root.type.itemsize

        def read(first: int, last: int) -> bytes:
            if root.read is None or view[1] + view[2] > root.count:
                raise Refused("it has a view that reaches beyond its storage")
            return root.read(start + first, start + last)

        return Storage(root.type, view[2], read)

    position, parts = 0, []
    for _ in range(5):  # magic number, version, machine, content, storage keys
        machine = Machine(data, find, persistent, position)
        parts.append(pickled.run(machine))
        position = machine.position
    magic, version, system, content, keys = parts
    if magic != MAGIC or version != PROTOCOL or not isinstance(system, dict) or not isinstance(keys, list):
        raise Refused("it is not a PyTorch file")
    if system.get("little_endian") is not True:
        raise Refused("its numbers are in an unsupported byte order")
    for key in keys:
        storage = storages.get(key) if isinstance(key, str) else None
        if storage is None or storage.read is not None or position + 8 > len(data):
            raise Refused("it lacks a storage's data")
        (count,) = struct.unpack("<q", data[position : position + 8])
        start = position + 8
        position = start + storage.count * storage.type.itemsize
        if count != storage.count or position > len(data):
            raise Refused("it lacks a storage's data")
        storage.read = lambda first, last, start=start: data[start + first : start + last].tobytes()
    return content
