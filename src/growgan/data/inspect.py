"""Describe a finished set without reading its pictures, or any other source by their headers.

On request every picture is decoded, to find broken ones and duplicates.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from growgan.core.errors import DataError
from growgan.core.progress import MakeProgress, Silent
from growgan.data.compare import hash_pictures, hash_pixels
from growgan.data.dataset import ImageSet
from growgan.data.framing import Framing
from growgan.data.parallel import map_ordered
from growgan.data.pictures import convert, decode_whole, to_picture
from growgan.data.sources import Skipped, Source
from growgan.data.survey import Shape, survey


@dataclass(frozen=True, slots=True)
class SetInfo:
    """What ``growgan data info`` reports on a finished set."""

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
        return {"finished": True} | asdict(self)


@dataclass(frozen=True, slots=True)
class SourceInfo:
    """What ``growgan data info`` reports on pictures that are not a finished set yet.

    `formats`, `sizes` (WIDTHxHEIGHT) and `channels` count the pictures of each kind, `labels` those of each class;
    `resolution` is the default for a set built from them, None without a usable picture; `unusable` holds names and
    reasons.
    """

    path: str
    count: int
    formats: dict[str, int]
    sizes: dict[str, int]
    channels: dict[str, int]
    framing: str
    resolution: int | None
    labels: dict[str, int]
    size_bytes: int
    unusable: list[tuple[str, str]]

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return {"finished": False} | asdict(self)


@dataclass(frozen=True, slots=True)
class CheckResult:
    """What ``growgan data info --check`` found: messages about broken pictures, groups of names with equal pixels."""

    broken: list[str]
    duplicates: list[list[str]]


def describe_set(dataset: ImageSet) -> SetInfo:
    """Describe a set; `labels` counts the pictures of each class."""
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


def describe_source(source: Source, progress: MakeProgress = Silent) -> SourceInfo:
    """Describe a source by the headers of all its pictures."""
    found = survey(source, None, progress)
    framing = source.framing or Framing()

    def count(words: Callable[[Shape], str]) -> dict[str, int]:
        counts: Counter[str] = Counter()
        for shape, number in found.shapes.items():
            counts[words(shape)] += number
        return dict(counts.most_common())

    return SourceInfo(
        path=str(source.path),
        count=found.shapes.total(),
        formats=count(lambda shape: shape.format),
        sizes=count(lambda shape: f"{shape.width}x{shape.height}"),
        channels=count(lambda shape: str(shape.channels)),
        framing=framing.describe(),
        resolution=found.choose_resolution(framing),
        labels=dict(sorted(found.labels.items())),
        size_bytes=_measure(source.path),
        unusable=[(item.name, item.reason) for item in found.skipped],
    )


def check_source(source: Source, progress: MakeProgress = Silent) -> CheckResult:
    """Decode every picture; list the broken ones and those whose pixels are the same."""
    broken: list[str] = []
    alike: dict[bytes, list[str]] = {}
    for found in hash_pictures(source, progress):
        if isinstance(found, Skipped):
            broken.append(f"{found.name}: {found.reason}")
        else:
            alike.setdefault(found.digest, []).append(found.name)
    return CheckResult(broken, [names for names in alike.values() if len(names) > 1])


def count_labels(dataset: ImageSet) -> dict[str, int]:
    """Return the number of pictures of each class; a picture with several labels counts once for each."""
    if dataset.labels is None:
        return {}
    names = dataset.class_names or tuple(str(number) for number in range(dataset.num_labels))
    if dataset.multi_label:
        counts = (dataset.labels > 0).sum(axis=0)
    else:
        counts = np.bincount(dataset.labels, minlength=dataset.num_labels)
    return dict(zip(names, counts.tolist()))


def check_set(dataset: ImageSet, progress: MakeProgress = Silent) -> CheckResult:
    """Decode every picture; list the broken ones and those whose pixels are the same."""

    def digest(index: int) -> bytes | str:
        try:
            return hash_pixels(dataset.read(index))
        except DataError as error:
            return str(error)

    broken: list[str] = []
    alike: dict[bytes, list[str]] = {}
    with progress(len(dataset), "checking pictures") as bar:
        for name, found in zip(dataset.names, map_ordered(digest, range(len(dataset)))):
            if isinstance(found, str):
                broken.append(found)
            else:
                alike.setdefault(found, []).append(name)
            bar.advance()
    return CheckResult(broken, [names for names in alike.values() if len(names) > 1])


def draw_sheet(dataset: ImageSet, columns: int, rows: int) -> Image.Image:
    """Return a contact sheet of pictures spaced evenly through the set, at their own size."""
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


def draw_source_sheet(source: Source, columns: int, rows: int, cell: int = 128) -> Image.Image:
    """Return a contact sheet of a source's pictures, whole, each fitted into a square of `cell` pixels.

    They are spaced evenly through the source if that does not require reading those in between, else they are the
    first.
    """
    wanted = columns * rows
    step = max(1, (source.count or 0) // wanted) if source.reads_apart else 1
    sheet = Image.new("RGB", (columns * cell, rows * cell), "white")
    position = 0
    for item in islice(iter(source), 0, None, step):
        if isinstance(item, Skipped):
            continue
        try:
            image = convert(to_picture(decode_whole(item.read())), 3)
        except Exception:
            continue  # `data info --check` names it
        image.thumbnail((cell, cell), Image.Resampling.LANCZOS)
        row, column = divmod(position, columns)
        sheet.paste(image, (column * cell + (cell - image.width) // 2, row * cell + (cell - image.height) // 2))
        position += 1
        if position == wanted:
            break
    if not position:
        raise DataError(f"{source.path}: no usable picture found")
    return sheet.crop((0, 0, columns * cell if position > columns else position * cell, -(-position // columns) * cell))


def _measure(path: Path) -> int:
    files = path.rglob("*") if path.is_dir() else [path]
    return sum(file.stat().st_size for file in files if file.is_file())
