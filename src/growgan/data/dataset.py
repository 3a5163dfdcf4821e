"""A finished set of pictures: one square power-of-two size, read at any smaller power of two."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Collection, Generator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from growgan.core.errors import DataError
from growgan.core.geometry import LOWEST, is_size
from growgan.core.progress import MakeProgress, Silent
from growgan.data import pyramid
from growgan.data.labels import collect_labels, read_sidecar
from growgan.data.parallel import count_cores, map_ordered
from growgan.data.pictures import MODES, Rejected, decode, is_picture_name, open_picture, read_header, strict_pillow
from growgan.data.sources import SIDECAR, Entry, Files, Source, hash_entries, open_files

CHUNK_BYTES = 8 * 2**20
HEAD_BYTES = 2**16
"""The part of a JPEG that usually holds its size, colours and orientation."""
DECODING_THREADS = 8


def open_dataset(path: str | Path, labelled: bool = True) -> ImageSet:
    """Open a finished set, a folder or a zip, reading only the header of its first picture.

    labelled: if False, the set is opened without its labels, whatever is wrong with them. Raises `DataError` if the
    path is missing or of an unknown kind, no picture is found, the first one is not square with a power of two of at
    least 4, or dataset.json is broken or does not match the pictures.
    """
    source = open_files(path)
    try:
        return ImageSet(source, labelled)
    except BaseException:
        source.close()
        raise


class ImageSet:
    """N pictures of one size with their labels. Made by `open_dataset`; may be used from several threads.

    Attributes: `path`; `resolution` in pixels; `channels` 1, 3 or 4; `names` [N], sorted; `labels` int64 [N], float32
    [N, K] or None; `num_labels` K, 0 without labels; `class_names` [K] or empty; `sources` [N], the pictures' original
    names, or empty; `content_hash`, hex, derived from names, sizes, labels and the zip's CRCs or the folder's
    modification times.
    """

    def __init__(self, source: Files, labelled: bool = True) -> None:
        self.path = source.path
        self._source = source
        self._entries = [entry for entry in source.entries if is_picture_name(entry.name)]
        if not self._entries:
            raise DataError(f"{self.path}: no pictures found")
        self.names = [entry.name for entry in self._entries]
        self.resolution, self.channels = _read_shape(source, self._entries[0])
        sidecar = read_sidecar(source, labelled)
        self.class_names = sidecar.class_names
        self.sources = sidecar.sources if len(sidecar.sources) == len(self.names) else ()
        self.labels, self.num_labels = collect_labels(sidecar, self.names, f"{self.path}: {SIDECAR}")
        self.content_hash = _hash_content(self._entries, self.labels)
        self._meta = _describe_pyramid(self.content_hash, len(self), self.channels, self.resolution)
        self._levels: pyramid.Levels | None = None
        self._lock = threading.Lock()
        self._pool: ThreadPoolExecutor | None = None

    def __len__(self) -> int:
        return len(self._entries)

    @property
    def multi_label(self) -> bool:
        """Whether a picture may have several labels; `labels` is then float [N, K]."""
        return self.labels is not None and self.labels.ndim == 2

    def images(self, indices: ArrayLike, resolution: int | None = None) -> NDArray[np.uint8]:
        """Return the pictures at `indices` as uint8 [n, C, r, r], r = `resolution` (None: the set's own).

        Up to 256 they come from the pyramid, which is built on first use; above that they are decoded.
        """
        resolution = self.check_resolution(resolution)
        indices = np.asarray(indices, dtype=np.int64)
        if resolution <= pyramid.LARGEST_LEVEL:
            return np.asarray(self._open_pyramid()[resolution][indices])
        decoded = self._decoders().map(self._decode, [self._entries[index] for index in indices.tolist()])
        images = [pyramid.shrink(image, [resolution])[resolution] for image in decoded]
        return np.stack(images) if images else np.empty((0, self.channels, resolution, resolution), np.uint8)

    def chunks(self, resolution: int, progress: MakeProgress = Silent) -> Generator[NDArray[np.uint8], None, None]:
        """Yield all pictures in order, a chunk at a time, as `images` returns them; all cores decode."""
        resolution = self.check_resolution(resolution)
        if resolution > pyramid.LARGEST_LEVEL:
            yield from (levels[resolution] for levels in self._decode_chunks([resolution], progress))
            return
        level = self._open_pyramid(progress)[resolution]
        step = max(1, CHUNK_BYTES // level[0].nbytes)
        with progress(len(self), "reading pictures") as bar:
            for start in range(0, len(self), step):
                yield np.array(level[start : start + step])
                bar.advance(min(step, len(self) - start))

    def fingerprint(self) -> dict[str, int | str]:
        """Return separate hashes of the parts of the content hash, so that a change can be named; JSON values."""
        parts = {
            "names": "\n".join(self.names).encode(errors="surrogateescape"),
            "contents": "\n".join(f"{entry.size} {entry.stamp}" for entry in self._entries).encode(),
            "labels": b"" if self.labels is None else f"{self.labels.dtype.str}".encode() + self.labels.tobytes(),
        }
        return {"pictures": len(self)} | {name: hashlib.sha256(part).hexdigest() for name, part in parts.items()}

    def check_resolution(self, resolution: int | None) -> int:
        """Return `resolution`, or the set's own for None. Raises `DataError` if the set cannot be read at that size."""
        if resolution is None:
            return self.resolution
        if not is_size(resolution) or resolution > self.resolution:
            own = f"{self.resolution}x{self.resolution}"
            raise DataError(
                f"{self.path}: {own} pictures cannot be read at {resolution}x{resolution}"
                f" (choose a power of two from {LOWEST} to {self.resolution})"
            )
        return resolution

    def has_pyramid(self) -> bool:
        """Say whether the pyramid exists."""
        return self._levels is not None or self._find_levels() is not None

    def ensure_pyramid(self, progress: MakeProgress = Silent) -> Path:
        """Build the pyramid unless it exists, and return its path.

        Every picture is decoded once, so a broken one, or one of another size, raises `DataError` here.
        """
        self._open_pyramid(progress)
        places = pyramid.find_places(self.path, self.content_hash)
        return next(place for place in places if pyramid.open_levels(place, self._meta) is not None)

    def read(self, index: int) -> NDArray[np.uint8]:
        """Decode one picture from the set itself: uint8 [C, R, R]. Raises `DataError` naming a broken one."""
        return self._decode(self._entries[index])

    def close(self) -> None:
        """Close the files; the set cannot be read afterwards."""
        if self._pool is not None:
            self._pool.shutdown()
        self._levels = None
        self._source.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _open_pyramid(self, progress: MakeProgress = Silent) -> pyramid.Levels:
        with self._lock:
            for _ in range(3):
                # Another process may replace a pyramid after it is written and before it is opened here: try again.
                self._levels = self._levels or self._find_levels()
                if self._levels is not None:
                    return self._levels
                places = pyramid.find_places(self.path, self.content_hash)
                with strict_pillow():
                    pyramid.write_levels(places, self._meta, self._decode_chunks(self._meta.levels, progress))
        raise DataError(f"{places[0]}: other processes keep replacing it")

    def _find_levels(self) -> pyramid.Levels | None:
        places = pyramid.find_places(self.path, self.content_hash)
        return next((levels for place in places if (levels := pyramid.open_levels(place, self._meta))), None)

    def _decode_chunks(self, sizes: Sequence[int], progress: MakeProgress) -> Iterator[pyramid.Levels]:
        step = max(1, CHUNK_BYTES // (self.channels * self.resolution**2))
        chunks = (self._entries[start : start + step] for start in range(0, len(self), step))
        with progress(len(self), "reading pictures") as bar:
            for levels in map_ordered(partial(self._decode_levels, sizes), chunks):
                yield levels
                bar.advance(len(levels[sizes[-1]]))

    def _decode_levels(self, sizes: Sequence[int], entries: Sequence[Entry]) -> pyramid.Levels:
        return pyramid.shrink(np.stack([self._decode(entry) for entry in entries]), sizes)

    def _decode(self, entry: Entry) -> NDArray[np.uint8]:
        try:
            return decode(self._source.read(entry), self.channels, self.resolution)
        except DataError:
            raise
        except Rejected as error:
            reason = str(error)
        except Exception as error:
            reason = f"cannot be read ({error})"
        raise DataError(f"{self.path}: {entry.name} {reason}; `growgan data build` leaves such pictures out")

    def _decoders(self) -> ThreadPoolExecutor:
        with self._lock:
            if self._pool is None:
                self._pool = ThreadPoolExecutor(min(DECODING_THREADS, count_cores()), "growgan-decoding")
            return self._pool


def is_finished(source: Source) -> bool:
    """Say whether a source is a finished set: its pictures have one suitable size; with a dataset.json, the first has.

    If there is a pyramid, all of them have been checked before.
    """
    if not isinstance(source, Files):
        return False
    pictures = [entry for entry in source.entries if is_picture_name(entry.name)]
    if not pictures:
        return False

    def parse(data: bytes, formats: Collection[str]) -> tuple[int, int, int, int] | None:
        image = open_picture(data)
        if formats and image.format not in formats:
            return None
        header = read_header(image)
        return *image.size, header.channels, header.orientation

    def read(entry: Entry) -> tuple[int, int, int, int] | None:
        if entry.size > HEAD_BYTES:
            with suppress(Exception):  # other formats may have their orientation at the end
                if found := parse(source.read(entry, HEAD_BYTES), ("JPEG", "MPO")):
                    return found
        try:
            return parse(source.read(entry), ())
        except Exception:  # a damaged zip may raise anything
            return None

    first = read(pictures[0])
    if first is None:
        return source.sidecar is not None  # a damaged picture in a set is reported as such
    if first[0] != first[1] or not is_size(first[0]):
        return False
    if source.sidecar is not None:
        return True
    if first[3] != 1:
        return False
    meta = _describe_pyramid(_hash_content(pictures, None), len(pictures), first[2], first[0])
    places = pyramid.find_places(source.path, meta.content_hash)
    if any(pyramid.open_levels(place, meta) is not None for place in places):
        return True
    return all(shape == first for shape in map_ordered(read, pictures))


def _describe_pyramid(content_hash: str, count: int, channels: int, resolution: int) -> pyramid.PyramidMeta:
    return pyramid.PyramidMeta(content_hash, count, channels, pyramid.list_levels(resolution))


def _hash_content(entries: Sequence[Entry], labels: NDArray[Any] | None) -> str:
    """Return a hex digest of names, sizes, stamps and labels."""
    digest = hash_entries(entries)
    if labels is not None:
        digest.update(f"{labels.dtype.str}{labels.shape}".encode() + labels.tobytes())
    return digest.hexdigest()


def _read_shape(source: Files, entry: Entry) -> tuple[int, int]:
    try:
        with strict_pillow():
            image = open_picture(source.read(entry))
            header = read_header(image)
    except DataError:
        raise
    except Rejected as error:
        raise DataError(f"{source.path}: {entry.name}: {error}") from error
    except Exception as error:
        raise DataError(f"{source.path}: {entry.name} cannot be read ({error})") from error
    width, height = image.size
    if width != height or not is_size(width):
        raise DataError(
            f"{source.path}: {entry.name} is {width}x{height}, not a square power of two of at least {LOWEST};"
            " `growgan data build` makes a dataset that is"
        )
    assert header.channels in MODES
    return width, header.channels
