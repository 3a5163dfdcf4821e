"""Streams of pictures to measure: a set's, or a model's."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

MILLION = 1_000_000


@dataclass(frozen=True, slots=True)
class SeedBlock:
    """A block of seeds: number 0 is training's, which selects a run's best snapshot; the others are `evaluate`'s.

    A snapshot that was selected on some fakes has to prove itself on others.
    """

    number: int

    @property
    def fakes(self) -> int:
        """The seed of the first measured fake, far from those that people look at; each block has a million."""
        return MILLION * (1 + self.number)

    @property
    def patches(self) -> tuple[int, int]:
        """Seeds of the positions at which patches of reals and of fakes are cut."""
        return 2 * self.number, 2 * self.number + 1


class Source(Protocol):
    """A stream of pictures; picture i is always the same."""

    @property
    def name(self) -> str:
        """Its name in progress messages."""

    @property
    def key(self) -> str:
        """Everything that determines its pictures."""

    @property
    def resolution(self) -> int:
        """Pixels per side."""

    @property
    def channels(self) -> int:
        """Colour channels: 1 or 3."""

    @property
    def distinct(self) -> int | None:
        """The number of pictures after which they repeat; None: never."""

    def pixels(self, start: int, stop: int) -> NDArray[np.uint8]:
        """Pictures start .. stop - 1: [n, C, S, S]."""


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


def apart(count: int, total: int) -> tuple[range, range]:
    """Return pictures of a set and as many others, whose distance is a reference for fakes: `count`, or half of it."""
    most = min(count, total // 2)
    return range(most), range(most, 2 * most)
