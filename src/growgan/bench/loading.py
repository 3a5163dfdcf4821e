"""The data loader: pictures per second at each resolution, from memory and from disk."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from PIL import Image

from growgan.data.build import build
from growgan.data.dataset import ImageSet, open_dataset
from growgan.data.prepare import prepare
from growgan.data.sampler import Loader, Sampler

SEED = 1
MOST_BYTES = 2**31
"""Largest files, in total, that are read into memory before measuring from there."""


@dataclass(frozen=True, slots=True)
class LoaderRate:
    """The loader's rate at one resolution, with nothing else running."""

    resolution: int
    minibatch: int
    images_per_second: float
    """With the set's files in the system's cache."""
    cores: float
    """How many cores were busy meanwhile, on average."""
    cold_images_per_second: float | None
    """With none of the files in the cache; None if the system cannot be made to drop them."""
    consumed_per_second: float | None = None
    """Pictures per second that training takes; None if unknown."""
    estimated: bool = False
    """Whether that is extrapolated from another resolution's measured time."""

    ratio: float | None = None
    """How many times as fast as training the loader is, from memory."""


@contextmanager
def a_set(data: Path | None, resolution: int, count: int, say: Callable[[str], None]) -> Iterator[ImageSet]:
    """The user's pictures, or `count` made-up ones of `resolution` pixels, as a dataset with its pyramid."""
    if data is not None:
        with prepare(data, say=say) as found:
            yield found
        return
    with TemporaryDirectory(prefix="growgan-bench-", ignore_cleanup_errors=True) as folder:
        pictures = Path(folder) / "pictures"
        pictures.mkdir()
        draws = np.random.RandomState(SEED)
        for i in range(count):
            _picture(draws, resolution).save(pictures / f"{i:05d}.jpg", quality=90)
        build(pictures, Path(folder) / "set.zip")
        with open_dataset(Path(folder) / "set.zip") as made:
            made.ensure_pyramid()
            yield made


def rates(dataset: ImageSet, sizes: Iterable[tuple[int, int]], seconds: float) -> list[LoaderRate]:
    """Time the loader at each resolution with its minibatch: at most `seconds` from disk, and as long from memory.

    From disk, no picture is read twice, since the second time it would be in memory.
    """
    sizes = list(sizes)
    cold = [_timed(dataset, *size, seconds, once=True)[0] if evict(dataset) else None for size in sizes]
    _read_through(dataset)
    warm = [_timed(dataset, *size, seconds) for size in sizes]
    return [LoaderRate(*size, *found, from_disk) for size, found, from_disk in zip(sizes, warm, cold)]


def beside(rate: LoaderRate, consumed_per_second: float | None, estimated: bool) -> LoaderRate:
    """The rate with the training's consumption added for comparison."""
    if consumed_per_second is None:
        return rate
    ratio = rate.images_per_second / consumed_per_second
    return replace(rate, consumed_per_second=consumed_per_second, estimated=estimated, ratio=ratio)


def evict(dataset: ImageSet) -> bool:
    """Make the system drop the dataset's files from its cache; False if that is not possible."""
    if not hasattr(os, "posix_fadvise"):
        return False
    for path in _files(dataset):
        handle = os.open(path, os.O_RDONLY)
        try:
            os.fsync(handle)  # what is not yet written cannot be dropped
            os.posix_fadvise(handle, 0, 0, os.POSIX_FADV_DONTNEED)
        finally:
            os.close(handle)
    return True


def _files(dataset: ImageSet) -> Iterator[Path]:
    places = [dataset.path, dataset.ensure_pyramid()]
    for place in places:
        yield from (path for path in place.rglob("*") if path.is_file()) if place.is_dir() else [place]


def _read_through(dataset: ImageSet) -> None:
    """Read the dataset's files into memory, unless they are larger than may fit."""
    left = MOST_BYTES
    for path in _files(dataset):
        left -= path.stat().st_size
        if left < 0:
            return
        with path.open("rb") as file:
            while file.read(2**24):
                pass


def _timed(
    dataset: ImageSet, resolution: int, minibatch: int, seconds: float, once: bool = False
) -> tuple[float, float]:
    """Pictures per second, and the number of busy cores. once: at most one pass over the dataset."""
    most = len(dataset) if once else sys.maxsize
    # The dataset is opened again: the system does not drop files that a process has mapped.
    with open_dataset(dataset.path) as own, Loader(own, Sampler(len(own), SEED)) as loader:
        shown, began, busy = 0, time.perf_counter(), time.process_time()
        while shown == 0 or (time.perf_counter() - began < seconds and shown + 2 * minibatch <= most):
            loader.batch(shown, minibatch, resolution)
            shown += minibatch
        spent = time.perf_counter() - began
        return shown / spent, (time.process_time() - busy) / spent


def _picture(draws: np.random.RandomState, resolution: int) -> Image.Image:
    """A picture with the large shapes and the fine grain of a photograph, so that it decodes like one."""
    coarse = Image.fromarray(draws.randint(0, 256, (16, 16, 3), dtype=np.uint8))
    smooth = np.asarray(coarse.resize((resolution, resolution), Image.Resampling.BICUBIC), dtype=np.int16)
    grain = draws.randint(-6, 7, (resolution, resolution, 1)).astype(np.int16)
    return Image.fromarray((smooth + grain).clip(0, 255).astype(np.uint8))
