"""Features of pictures, computed once: kept in the user's cache by picture, network and protocol.

A file holds 256 pictures, so that work that is broken off goes on where it was, and 10,000 begin with the 2,048 that
are there. ``growgan evaluate`` may be stopped at any time; the folder may be deleted.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from growgan.core.cache import cache_dir
from growgan.core.files import whole
from growgan.core.progress import MakeProgress
from growgan.evaluation.sources import Sample, Source
from growgan.metrics.fid import Statistics, statistics
from growgan.metrics.inception import FeatureNetwork

PER_FILE = 256

Output = Literal["features", "probabilities"]


class FeatureStore:
    """What one network says of pictures."""

    def __init__(self, network: FeatureNetwork, batch: int, progress: MakeProgress | None = None) -> None:
        self.network = network
        self.batch = batch
        self.progress = progress

    def rows(self, sample: Sample, output: Output = "features") -> Iterator[Tensor]:
        """Yield what the network says of a sample's pictures, [n, D] float32, from the cache where it is there."""
        self._compute(sample, output)
        folder = self._folder(sample.source, output)
        for k in _files(sample):
            rows = np.load(folder / f"{k:06d}.npy")
            first = k * PER_FILE
            yield torch.from_numpy(rows[max(sample.start - first, 0) : sample.stop - first])

    def all_rows(self, sample: Sample, output: Output = "features") -> Tensor:
        """Return the same as one tensor [N, D]."""
        return torch.cat(list(self.rows(sample, output)))

    def statistics(self, sample: Sample) -> Statistics:
        """Return mean and covariance of a sample's features; those of a set are kept too (33 MB)."""
        path = self._folder(sample.source, "features") / f"statistics-{sample.start}-{sample.stop}.npy"
        kept = _read(path)  # the mean, above the covariance
        if kept is not None:
            return Statistics(torch.from_numpy(kept[0]), torch.from_numpy(kept[1:]), len(sample), self.network.name)
        found = statistics(self.rows(sample), self.network.name)
        if sample.source.distinct is not None:
            _write(path, np.vstack([found.mean[None].numpy(), found.covariance.numpy()]))
        return found

    def _folder(self, source: Source, output: Output) -> Path:
        about = "\n".join([output, self.network.name, self.network.hash, source.key])
        return cache_dir() / "features" / hashlib.sha256(about.encode()).hexdigest()[:32]

    def _compute(self, sample: Sample, output: Output) -> None:
        folder = self._folder(sample.source, output)
        work = []
        for k in _files(sample):
            kept = _read(folder / f"{k:06d}.npy")
            rows = len(kept) if kept is not None else 0
            wanted = min(sample.stop - k * PER_FILE, PER_FILE)
            if rows < wanted:
                work.append((k, kept, Sample(sample.source, k * PER_FILE + rows, k * PER_FILE + wanted)))
        if not work:
            return
        total = sum(len(missing) for _, _, missing in work)
        bar = self.progress(total, f"features of {sample.source.name}") if self.progress else None
        look = self.network.features if output == "features" else self.network.probabilities
        try:
            for k, kept, missing in work:
                parts = [kept] if kept is not None else []
                for pixels in missing.batches(self.batch):
                    parts.append(look(pixels).numpy())
                    if bar:
                        bar.advance(len(pixels))
                _write(folder / f"{k:06d}.npy", np.concatenate(parts))
        finally:
            if bar:
                bar.close()


def _files(sample: Sample) -> range:
    return range(sample.start // PER_FILE, -(-sample.stop // PER_FILE))


def _read(path: Path) -> NDArray[Any] | None:
    """Return what lies there; None if nothing does, or nothing that can be read."""
    try:
        found: NDArray[Any] = np.load(path)
    except (OSError, ValueError, EOFError):
        return None
    return found


def _write(path: Path, rows: NDArray[Any]) -> None:
    with whole(path) as temporary, temporary.open("wb") as file:
        np.save(file, rows)
