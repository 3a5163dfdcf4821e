"""Number the pictures of a set as they come, and complete it with its dataset.json."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from PIL import Image

from growgan.data.labelling import number_labels
from growgan.data.labels import format_sidecar
from growgan.data.sources import SIDECAR, Label
from growgan.data.transform import SUFFIXES, encode
from growgan.data.writer import SetWriter

Number = Callable[[Sequence[Label], Sequence[str]], tuple[list[int | list[float]], tuple[str, ...]]]


class Collection:
    """The pictures of a set that is being written; `class_names` are known once it is finished."""

    def __init__(self, writer: SetWriter, format: str = "png", quality: int | None = None) -> None:
        self._writer = writer
        self._format, self._quality = format, quality
        self._names: list[str] = []
        self._origins: list[str] = []
        self._labels: list[Label] = []
        self.class_names: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self._names)

    def encode(self, picture: Image.Image) -> bytes:
        """Return the encoded file of a picture; callable from any thread."""
        return encode(picture, self._format, self._quality)

    def add(self, data: bytes, origin: str, label: Label | None = None) -> str:
        """Write one picture's file and return its name; either all pictures have a label or none has."""
        name = self.count(origin, label)
        self._writer.add(name, data)
        return name

    def count(self, origin: str, label: Label | None = None) -> str:
        """Count a picture whose file exists already, and return its name."""
        index = f"{len(self._names):08d}"
        self._names.append(f"{index[:5]}/img{index}{SUFFIXES[self._format]}")
        self._origins.append(origin)
        self._labels += [] if label is None else [label]
        return self._names[-1]

    def finish(self, number: Number | None = None) -> None:
        """Write dataset.json and give the set its name. number: turns labels into numbers and names the classes."""
        numbers, self.class_names = number(self._labels, self._origins) if number else number_labels(self._labels)
        labels = numbers or None
        self._writer.add(SIDECAR, format_sidecar(self._names, labels, self.class_names, self._origins))
        self._writer.finish()
