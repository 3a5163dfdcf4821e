"""Features of pictures, computed once and kept in the user's cache by picture, network and protocol.

A file holds 256 pictures, so that interrupted work is resumed where it stopped, and 10,000 start from the 2,048 that
exist. The folder may be deleted, and several processes may fill it, at any time.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from growgan.core.cache import cache_dir
from growgan.core.errors import RunError
from growgan.core.files import whole
from growgan.core.progress import MakeProgress, Progress, Silent, warn
from growgan.metrics.fid import Statistics, statistics
from growgan.metrics.inception import FeatureNetwork
from growgan.metrics.streams import Sample, Source

PER_FILE = 256
FORMAT = 2
"""Version of what is kept; 2: the second round of a mirrored set shows the other side of every picture."""

Output = Literal["features", "probabilities"]


class FeatureStore:
    """The outputs of one network for pictures."""

    def __init__(self, network: FeatureNetwork, batch: int, progress: MakeProgress = Silent) -> None:
        self.network = network
        self.batch = batch
        self.progress = progress
        self._unwritten: dict[Path, NDArray[Any]] = {}
        """Rows that could not be written to the cache."""

    def rows(self, sample: Sample, output: Output = "features") -> Iterator[Tensor]:
        """Yield the network's outputs for a sample's pictures, [n, D] float32, from the cache where they are in it."""
        self._compute(sample, output)
        for k in _files(sample):
            path, wanted = self._folder(sample.source, output) / f"{k:06d}.npy", _wanted(sample, k)
            rows = self._read(path)
            if _count(rows) < wanted:  # the cache was emptied meanwhile
                self._compute(sample, output)
                rows = self._read(path)
            if rows is None or len(rows) < wanted:
                raise RunError(f"{path} does not return what was written to it")
            yield torch.from_numpy(rows[max(sample.start - k * PER_FILE, 0) : wanted])

    def all_rows(self, sample: Sample, output: Output = "features") -> Tensor:
        """Return `rows` as one tensor [N, D]."""
        return torch.cat(list(self.rows(sample, output)))

    def statistics(self, sample: Sample) -> Statistics:
        """Return mean and covariance of a sample's features; those of a set are cached too (33 MB)."""
        path = self._folder(sample.source, "features") / f"statistics-{sample.start}-{sample.stop}.npy"
        kept = self._read(path)  # the mean, stacked on the covariance
        if kept is not None and kept.ndim == 2 and len(kept) == kept.shape[1] + 1:
            return Statistics(torch.from_numpy(kept[0]), torch.from_numpy(kept[1:]), len(sample), self.network.name)
        found = statistics(self.rows(sample), self.network.name)
        assert found.count == len(sample), "rows gives all or raises"
        if sample.source.distinct is not None:
            self._write(path, np.vstack([found.mean[None].numpy(), found.covariance.numpy()]))
        return found

    def _folder(self, source: Source, output: Output) -> Path:
        about = "\n".join([str(FORMAT), output, self.network.name, self.network.hash, source.key])
        return cache_dir() / "features" / hashlib.sha256(about.encode()).hexdigest()[:32]

    def _compute(self, sample: Sample, output: Output) -> None:
        folder = self._folder(sample.source, output)
        work = []
        for k in _files(sample):
            path, wanted = folder / f"{k:06d}.npy", _wanted(sample, k)
            kept = self._read(path)
            if _count(kept) < wanted:
                first = k * PER_FILE
                work.append((path, kept, Sample(sample.source, first + _count(kept), first + wanted)))
        if not work:
            return
        total = sum(len(missing) for _, _, missing in work)
        look = self.network.features if output == "features" else self.network.probabilities
        with self.progress(total, f"features of {sample.source.name}") as bar:
            for path, kept, missing in work:
                self._look(look, path, kept, missing, bar)

    def _look(
        self,
        look: Callable[[NDArray[np.uint8]], Tensor],
        path: Path,
        kept: NDArray[Any] | None,
        missing: Sample,
        bar: Progress,
    ) -> None:
        """Complete one file; if interrupted, it keeps what was computed."""
        parts = [kept] if kept is not None else []
        try:
            for pixels in missing.batches(self.batch):
                parts.append(look(pixels).numpy())
                bar.advance(len(pixels))
        finally:
            rows = np.concatenate(parts) if parts else None
            # Another process may have got further: what it has written must not be shortened.
            if rows is not None and len(rows) > _count(self._read(path)):
                self._write(path, rows)

    def _read(self, path: Path) -> NDArray[Any] | None:
        return self._unwritten[path] if path in self._unwritten else _read(path)

    def _write(self, path: Path, rows: NDArray[Any]) -> None:
        """Keep rows in the cache, or in memory if they cannot be written: what was computed must not be lost."""
        try:
            with whole(path) as temporary, temporary.open("wb") as file:
                np.save(file, rows)
            self._unwritten.pop(path, None)
        except (OSError, RunError) as error:
            if not self._unwritten:
                warn(f"features are not kept for another time: {error}")
            self._unwritten[path] = rows


def _count(rows: NDArray[Any] | None) -> int:
    """Return the number of rows, 0 for None."""
    return 0 if rows is None else len(rows)


def _files(sample: Sample) -> range:
    return range(sample.start // PER_FILE, -(-sample.stop // PER_FILE))


def _wanted(sample: Sample, k: int) -> int:
    """Return how many rows file `k` must have for the sample."""
    return min(sample.stop - k * PER_FILE, PER_FILE)


def _read(path: Path) -> NDArray[Any] | None:
    """Return the array at `path`; None if there is none or it cannot be read."""
    try:
        found: NDArray[Any] = np.load(path)
    except (OSError, ValueError, EOFError):
        return None
    return found
