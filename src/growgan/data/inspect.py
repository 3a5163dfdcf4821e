"""What a finished set holds, told without reading its pictures; and, on request, whether every one of them is sound."""

from __future__ import annotations

import hashlib
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from growgan.core.errors import DataError
from growgan.core.progress import MakeProgress
from growgan.data.dataset import ImageSet
from growgan.data.parallel import map_ordered
from growgan.data.pictures import to_picture


@dataclass(frozen=True, slots=True)
class SetInfo:
    """What ``growgan data info`` tells."""

    path: str
    count: int
    resolution: int
    channels: int
    multi_label: bool
    labels: dict[str, int]
    content_hash: str
    size_bytes: int
    pyramid: bool

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class CheckResult:
    """What ``growgan data info --check`` found: messages on broken pictures, and groups of names with equal pixels."""

    broken: list[str]
    duplicates: list[list[str]]


def describe_set(dataset: ImageSet) -> SetInfo:
    """Tell what a set holds; ``labels`` counts the pictures of each class."""
    return SetInfo(
        path=str(dataset.path),
        count=len(dataset),
        resolution=dataset.resolution,
        channels=dataset.channels,
        multi_label=dataset.multi_label,
        labels=count_labels(dataset),
        content_hash=dataset.content_hash,
        size_bytes=_measure(dataset.path),
        pyramid=dataset.has_pyramid(),
    )


def count_labels(dataset: ImageSet) -> dict[str, int]:
    """Return the number of pictures of each class; where a picture may have several, each counts once for every one."""
    if dataset.labels is None:
        return {}
    names = dataset.class_names or tuple(str(number) for number in range(dataset.num_labels))
    if dataset.multi_label:
        counts = (dataset.labels > 0).sum(axis=0)
    else:
        counts = np.bincount(dataset.labels, minlength=dataset.num_labels)
    return dict(zip(names, counts.tolist()))


def check_set(dataset: ImageSet, progress: MakeProgress | None = None) -> CheckResult:
    """Decode every picture; list the broken ones and those whose pixels are the same."""

    def digest(index: int) -> bytes | str:
        try:
            return hashlib.blake2b(dataset.read(index).tobytes(), digest_size=16).digest()
        except DataError as error:
            return str(error)

    bar = progress(len(dataset), "checking pictures") if progress else None
    broken: list[str] = []
    alike: dict[bytes, list[str]] = {}
    for name, found in zip(dataset.names, map_ordered(digest, range(len(dataset)))):
        if isinstance(found, str):
            broken.append(found)
        else:
            alike.setdefault(found, []).append(name)
        if bar:
            bar.advance()
    if bar:
        bar.close()
    return CheckResult(broken, [names for names in alike.values() if len(names) > 1])


def draw_sheet(dataset: ImageSet, columns: int, rows: int) -> Image.Image:
    """Return a contact sheet of pictures taken at even distances through the set, in their own size."""
    count = min(columns * rows, len(dataset))
    indices = np.linspace(0, len(dataset) - 1, count).round().astype(np.int64)
    size = dataset.resolution
    sheet = Image.new(
        "RGBA" if dataset.channels == 4 else "RGB", (columns * size, -(-count // columns) * size), "white"
    )
    for position, index in enumerate(indices.tolist()):
        row, column = divmod(position, columns)
        sheet.paste(to_picture(dataset.read(index)), (column * size, row * size))
    return sheet


def _measure(path: Path) -> int:
    files = path.rglob("*") if path.is_dir() else [path]
    return sum(file.stat().st_size for file in files if file.is_file())
