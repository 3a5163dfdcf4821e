"""Single photographs as pixels of one size, without building a set from them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing, nullcontext
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
    """Yield pictures at `resolution` pixels, path by path: from files, or any source that `data build` accepts.

    crop: the part that is used, as in `Framing`; None: a source's own, else the centre square. Yields `Skipped` for
    anything that is not a picture. Raises `DataError` for a path that does not exist, or an invalid crop.
    """
    with strict_pillow():
        for path in paths:
            source = _open(path)
            records = source if source is not None else [Record(path.name, path.read_bytes)]
            own = source.framing if source is not None else None
            framing = Framing(crop=crop) if crop is not None else own or Framing()
            transform = Transform(resolution=resolution, channels=channels, framing=framing, upscale=True)

            def make(record: Record | Skipped, transform: Transform = transform) -> Photograph | Skipped:
                if isinstance(record, Skipped):
                    return record
                try:
                    return record.name, to_array(transform.picture(record.read()))
                except Exception as error:  # archives have errors of their own
                    return Skipped(record.name, explain(error))

            # The source is closed last: pictures are read ahead of those being yielded.
            with source or nullcontext(), closing(map_ordered(make, records, weigh)) as made:
                yield from made


def _open(path: Path) -> Source | None:
    """Return the source at a path; None for a single file, which is reported in its turn if it is not a picture."""
    if path.is_file() and is_picture_name(path.name):
        return None
    try:
        return open_source(path)
    except DataError:
        if not path.is_file():
            raise
        return None
