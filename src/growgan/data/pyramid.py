"""Every picture of a set at 4x4, 8x8, ... up to 256x256, as raw bytes next to the set: reading a batch is one gather.

A level is the 2x2 mean of the level above, computed in float from values that were never rounded; rounding (half to
even) happens only when writing to disk. The authors' TFRecords hold the same.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import shutil
import time
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from growgan.core.cache import cache_dir
from growgan.core.errors import DataError
from growgan.core.files import write_text
from growgan.data.partial import Hold, name_partial, remove_abandoned

LARGEST_LEVEL = 256
CLEARLY = 0.9
"""A disk with less than this share of the bytes needed is too full; compression or reserved blocks may supply more."""
META_FILE = "meta.json"

Levels = dict[int, NDArray[np.uint8]]


@dataclass(frozen=True, slots=True)
class PyramidMeta:
    """The contents of meta.json; a pyramid is used only if all of it is as expected."""

    content_hash: str
    count: int
    channels: int
    levels: tuple[int, ...]
    version: int = 2
    """How pictures are decoded: since 2, colours with a profile are converted to sRGB."""

    @property
    def size_bytes(self) -> int:
        """The total bytes of all levels."""
        return self.count * self.channels * sum(size**2 for size in self.levels)


def list_levels(resolution: int) -> tuple[int, ...]:
    """Return the sizes that the pyramid of a set of this resolution holds, largest first."""
    size = min(resolution, LARGEST_LEVEL)
    return tuple(size >> step for step in range(size.bit_length() - 2))


def halve(images: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the 2x2 means of float [..., H, W]; exact in float32 for eight halvings of 8-bit values."""
    rows = images[..., 0::2, :] + images[..., 1::2, :]
    return (rows[..., 0::2] + rows[..., 1::2]) * np.float32(0.25)


def shrink(images: NDArray[np.uint8], sizes: Iterable[int]) -> Levels:
    """Return uint8 [..., S, S] at each of the sizes, which must be given from largest to smallest."""
    values = images.astype(np.float32)
    levels: Levels = {}
    for size in sizes:
        while values.shape[-1] > size:
            values = halve(values)
        levels[size] = images if size == images.shape[-1] else np.rint(values).clip(0, 255).astype(np.uint8)
    return levels


def find_places(set_path: Path, content_hash: str) -> tuple[Path, Path]:
    """Return where a set's pyramid may be: next to the set, or in the user's cache if that is not writable."""
    set_path = set_path.resolve()
    beside = set_path.with_name(set_path.name + ".pyramid")
    return beside, cache_dir() / "pyramids" / f"{set_path.name}-{content_hash[:16]}.pyramid"


def open_levels(place: Path, meta: PyramidMeta) -> Levels | None:
    """Map the levels at `place`, each uint8 [N, C, S, S]; None if there are none or they belong to another set."""
    try:
        if json.loads((place / META_FILE).read_bytes()) != json.loads(_format_meta(meta)):
            return None
        levels: Levels = {}
        for size in meta.levels:
            file, shape = place / _name_level(size), (meta.count, meta.channels, size, size)
            if file.stat().st_size != meta.count * meta.channels * size * size:
                return None
            levels[size] = np.memmap(file, dtype=np.uint8, mode="r", shape=shape)
    except (OSError, ValueError):
        return None
    return levels


def write_levels(places: Iterable[Path], meta: PyramidMeta, chunks: Iterator[Levels]) -> Path:
    """Write a pyramid from chunks of pictures in order, each at every size, and return its place.

    It is written under another name and renamed when complete, so that whatever has the final name is complete; if two
    processes do so at once, both end up with a good one. Raises `DataError` if the disk is full, or clearly will be.
    """
    began = time.time()
    place, partial, hold = _make_partial(places, meta.size_bytes)
    try:
        _write_files(partial, meta, chunks)
        _move_into_place(partial, place, meta)
        remove_abandoned(place, began)
    except OSError as error:
        raise DataError(f"{place}: cannot be written ({error.strerror or error})") from error
    finally:
        hold.release()
        shutil.rmtree(partial, ignore_errors=True)
    return place


def rename_content(set_path: Path, old_hash: str, new_hash: str) -> None:
    """Keep the pyramid next to a set valid under a new content hash, since only the set's labels have changed."""
    place, _ = find_places(set_path, new_hash)
    with contextlib.suppress(OSError, ValueError, KeyError):
        content = json.loads((place / META_FILE).read_bytes())
        if content["content_hash"] == old_hash:
            write_text(place / META_FILE, json.dumps(content | {"content_hash": new_hash}))


def _make_partial(places: Iterable[Path], needed: int) -> tuple[Path, Path, Hold]:
    small = ""
    for place in places:
        partial = name_partial(place)
        try:
            place.parent.mkdir(parents=True, exist_ok=True)
            remove_abandoned(place)  # abandoned files may be what fills the disk
            partial.mkdir()
            free = _measure_free(place.parent)
            if free is not None and free < CLEARLY * needed:
                partial.rmdir()
                small += f"; {place.parent} has {free / 1e9:,.2f} GB free"
                continue
        except OSError as error:
            if error.errno not in (errno.EACCES, errno.EROFS, errno.EPERM):
                raise DataError(f"{place}: cannot be written ({error.strerror})") from error
            continue
        # Locked at once: another process may be finishing and cleaning up.
        return place, partial, Hold(partial)
    if small:
        raise DataError(
            f"{place}: the pyramid takes {needed / 1e9:,.2f} GB{small}; free some space, or set GROWGAN_CACHE to a"
            " folder with more"
        )
    raise DataError(f"{place}: not writable, and neither is the dataset's folder; set GROWGAN_CACHE to another folder")


def _measure_free(folder: Path) -> int | None:
    """Return the free bytes of a disk, None if the system does not report them."""
    try:
        return shutil.disk_usage(folder).free
    except OSError:
        return None


def _write_files(partial: Path, meta: PyramidMeta, chunks: Iterator[Levels]) -> None:
    files: dict[int, BinaryIO] = {}
    try:
        for size in meta.levels:
            files[size] = (partial / _name_level(size)).open("wb")
        for chunk in chunks:
            for size, images in chunk.items():
                files[size].write(np.ascontiguousarray(images).data)
        for file in files.values():
            file.flush()
            os.fsync(file.fileno())
    finally:
        for file in files.values():
            file.close()
    (partial / META_FILE).write_text(_format_meta(meta))


def _move_into_place(partial: Path, place: Path, meta: PyramidMeta) -> None:
    for _ in range(5):
        try:
            partial.rename(place)
            return
        except OSError as error:
            if error.errno not in (errno.ENOTEMPTY, errno.EEXIST, errno.EACCES, errno.ENOTDIR) or not place.exists():
                raise
        if open_levels(place, meta) is not None:
            return  # another process was first
        stale = name_partial(place)
        try:
            place.rename(stale)
        except FileNotFoundError:
            continue
        shutil.rmtree(stale, ignore_errors=True)
    raise OSError(errno.EBUSY, "other processes keep replacing it")


def _name_level(size: int) -> str:
    return f"{size}x{size}.u8"


def _format_meta(meta: PyramidMeta) -> str:
    return json.dumps(asdict(meta))
