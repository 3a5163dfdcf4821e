"""Streams of pictures, which is what is measured: a set's, or a model's."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

MILLION = 1_000_000


@dataclass(frozen=True, slots=True)
class SeedBlock:
    """A supply of random choices: number 0 is training's, which chooses a run's best; the others are `evaluate`'s.

    A snapshot that was chosen by some fakes has to prove itself on others.
    """

    number: int

    @property
    def fakes(self) -> int:
        """The seed of the first measured fake, far from those that people look at; each block has a million."""
        return MILLION * (1 + self.number)

    @property
    def patches(self) -> tuple[int, int]:
        """Seeds of the places where patches of reals and of fakes are cut."""
        return 2 * self.number, 2 * self.number + 1


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
    def channels(self) -> int:
        """Colours: 1 or 3."""

    @property
    def distinct(self) -> int | None:
        """After how many pictures they repeat; None: never."""

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
    """Pictures of a set and as many others, by whose distance fakes are judged: `count`, or the set's two halves."""
    most = min(count, total // 2)
    return range(most), range(most, 2 * most)
