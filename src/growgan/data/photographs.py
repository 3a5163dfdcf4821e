"""Single photographs as pixels of one size, without a set being made of them."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from growgan.data.pictures import Rejected, is_picture_name, strict_pillow, to_array
from growgan.data.sources import Record, Skipped, open_source
from growgan.data.transform import Transform


def read_photographs(paths: Sequence[Path], transform: Transform) -> Iterator[tuple[str, NDArray[np.uint8]] | Skipped]:
    """Name and pixels uint8 [C, S, S] of pictures: files, or whatever `data build` takes.

    Yields `Skipped` for what is no picture. Raises `DataError` for a path where nothing is.
    """
    with strict_pillow():
        for path in paths:
            for record in _records(path):
                if isinstance(record, Skipped):
                    yield record
                    continue
                try:
                    made = transform.apply(record.read())
                    yield record.name, to_array(Image.open(io.BytesIO(made.data)))
                except (Rejected, OSError) as error:
                    yield Skipped(record.name, str(error))


def _records(path: Path) -> Iterator[Record | Skipped]:
    if path.is_file() and is_picture_name(path.name):
        yield Record(path.name, path.read_bytes)
        return
    with open_source(path) as source:
        yield from source
