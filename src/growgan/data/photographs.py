"""Single photographs as pixels of one size, without a set being made of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from growgan.core.errors import DataError
from growgan.data.framing import Framing
from growgan.data.parallel import map_ordered
from growgan.data.pictures import is_picture_name, strict_pillow, to_array
from growgan.data.sources import Record, Skipped, Source, open_source, weigh
from growgan.data.survey import explain
from growgan.data.transform import Transform

Photograph = tuple[str, NDArray[np.uint8]]
"""Name, and pixels uint8 [C, S, S]."""


def read_photographs(
    paths: Sequence[Path], resolution: int, channels: int, crop: tuple[float, float, float, float] | None = None
) -> Iterator[Photograph | Skipped]:
    """Pictures at `resolution` pixels: of files, or of whatever `data build` takes; of a path after the other.

    crop: the part that is used, as `Framing` has it; None: a source's own, else the middle square. Yields `Skipped` for
    what is no picture. Raises `DataError` for a path where nothing is, or a crop that makes no sense.
    """
    with strict_pillow():
        for path in paths:
            records, own = _records(path)
            framing = Framing(crop=crop) if crop is not None else own
            transform = Transform(resolution=resolution, channels=channels, framing=framing, upscale=True)

            def make(record: Record | Skipped, transform: Transform = transform) -> Photograph | Skipped:
                if isinstance(record, Skipped):
                    return record
                try:
                    return record.name, to_array(transform.picture(record.read()))
                except Exception as error:  # archives have errors of their own
                    return Skipped(record.name, explain(error))

            with closing(map_ordered(make, records, weigh)) as made:
                yield from made


def _records(path: Path) -> tuple[Iterator[Record | Skipped], Framing]:
    """What lies at a path, and the part of it that is used."""
    single = path.is_file() and is_picture_name(path.name)
    if not single:
        try:
            source = open_source(path)
            return _closing(source), source.framing or Framing()
        except DataError:
            if not path.is_file():
                raise
    return iter([Record(path.name, path.read_bytes)]), Framing()  # where it is no picture, that is said in its turn


def _closing(source: Source) -> Iterator[Record | Skipped]:
    with source:
        yield from source
