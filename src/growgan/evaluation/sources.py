"""Streams of pictures to measure: a set's, and a model's."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from growgan.core.errors import ConfigError
from growgan.data.dataset import ImageSet
from growgan.data.sampler import Sampler
from growgan.sampling.model import Model

FIRST_SEED = 1_000_000
"""Seeds of measured fakes: far from those of the pictures that people look at. Each --seed has a million of its own."""
MOST_SEED = 4000


class Source(Protocol):
    """A stream of pictures; picture i is always the same."""

    @property
    def name(self) -> str:
        """What progress calls it."""

    @property
    def key(self) -> str:
        """All that decides its pictures."""

    @property
    def resolution(self) -> int:
        """Pixels a side."""

    @property
    def distinct(self) -> int | None:
        """After how many pictures they repeat; None: never."""

    def pixels(self, start: int, stop: int) -> NDArray[np.uint8]:
        """Pictures start .. stop - 1: [n, C, S, S]."""


class Reals:
    """Pictures of a set in an order of no meaning, always the same; after the last one they come again.

    mirrored: every second one is, as for a run that trains on both; in the next round it is the others' turn.
    """

    def __init__(self, dataset: ImageSet, resolution: int, mirrored: bool = False) -> None:
        self.dataset = dataset
        self.resolution = dataset.check_resolution(resolution)
        self.mirrored = mirrored
        self.name = dataset.path.name
        self.distinct: int | None = len(dataset)
        self.key = f"set {dataset.content_hash} {resolution} {'mirrored' if mirrored else 'plain'}"
        self._order = Sampler(len(dataset), seed=0).indices(0, len(dataset))
        if dataset.channels not in (1, 3):
            raise ConfigError(f"measures are of grey or colour pictures; those of {dataset.path} are transparent")

    def pixels(self, start: int, stop: int) -> NDArray[np.uint8]:
        """Pictures start .. stop - 1: [n, C, S, S]."""
        places = np.arange(start, stop)
        rounds, within = np.divmod(places, len(self._order))
        images = self.dataset.images(self._order[within], self.resolution)
        if self.mirrored:
            images = images.copy()
            turned = (places + rounds) % 2 == 1
            images[turned] = images[turned, :, :, ::-1]
        return images


class Fakes:
    """Pictures that a model makes, with labels drawn as those of its training."""

    def __init__(self, model: Model, seed: int = 0, batch: int = 16) -> None:
        if not 0 <= seed <= MOST_SEED:
            raise ConfigError(f"--seed must lie between 0 and {MOST_SEED}, not {seed}")
        if model.spec.channels not in (1, 3):
            raise ConfigError(
                f"measures are of grey or colour pictures; this model's have {model.spec.channels} channels"
            )
        self.model = model
        self.batch = batch
        self.first = FIRST_SEED * (1 + seed)
        self.name = model.file.path.name
        self.resolution = model.resolution
        self.distinct: int | None = None
        self.key = f"model {model.file.hash} {self.first}"

    def pixels(self, start: int, stop: int) -> NDArray[np.uint8]:
        """Pictures start .. stop - 1: [n, C, S, S]."""
        seeds = range(self.first + start, self.first + stop)
        return np.concatenate(list(self.model.batches(seeds, batch=self.batch)))


@dataclass(frozen=True)
class Sample:
    """Pictures start .. stop - 1 of a source."""

    source: Source
    start: int
    stop: int

    def __len__(self) -> int:
        return self.stop - self.start

    def batches(self, batch: int) -> Iterator[NDArray[np.uint8]]:
        """Yield its pictures, `batch` at a time."""
        for start in range(self.start, self.stop, batch):
            yield self.source.pixels(start, min(start + batch, self.stop))
