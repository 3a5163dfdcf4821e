"""The pictures of a model as the measures see them, and parts of pictures."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from growgan.core.errors import ConfigError, ModelError
from growgan.data.framing import Box
from growgan.metrics.streams import SeedBlock, Source
from growgan.sampling.model import Model

MOST_SEED = 4000


def block(seed: int) -> SeedBlock:
    """Return the seeds that ``--seed`` stands for. Raises `ConfigError` if it is out of range."""
    if not 0 <= seed <= MOST_SEED:
        raise ConfigError(f"--seed must be between 0 and {MOST_SEED}, not {seed}")
    return SeedBlock(seed + 1)


class Fakes:
    """Pictures that a model generates, with labels drawn as in its training."""

    def __init__(self, model: Model, seed: int = 0, batch: int = 16) -> None:
        if model.spec.channels not in (1, 3):
            raise ConfigError(
                f"measures need grey or colour pictures; this model's have {model.spec.channels} channels"
            )
        if not model.is_finite:
            raise ModelError(f"{model.file.path} has weights that are not finite")
        self.model = model
        self.batch = batch
        self.first = block(seed).fakes
        self.name = model.file.path.name
        self.resolution = model.resolution
        self.channels = model.spec.channels
        self.distinct: int | None = None
        self.key = f"model {model.file.hash} {self.first}"

    def pixels(self, start: int, stop: int) -> NDArray[np.uint8]:
        """Pictures start .. stop - 1: [n, C, S, S]."""
        seeds = range(self.first + start, self.first + stop)
        return np.concatenate(list(self.model.batches(seeds, batch=self.batch)))


@dataclass(frozen=True)
class Pictures:
    """Pictures in memory, as a source."""

    name: str
    key: str
    names: list[str]
    """One for each picture."""
    all: NDArray[np.uint8]
    """[N, C, S, S]."""

    @property
    def resolution(self) -> int:
        """Pixels per side."""
        return int(self.all.shape[-1])

    @property
    def channels(self) -> int:
        """Colour channels."""
        return int(self.all.shape[1])

    @property
    def distinct(self) -> int | None:
        """How many there are."""
        return len(self.all)

    def pixels(self, start: int, stop: int) -> NDArray[np.uint8]:
        """Pictures start .. stop - 1: [n, C, S, S]."""
        return self.all[start:stop]


class Part:
    """A box of another source's pictures, possibly mirrored; in colour, grey as three equal channels."""

    def __init__(self, source: Source, box: Box, mirrored: bool = False) -> None:
        if source.channels not in (1, 3):
            raise ConfigError(
                f"measures need grey or colour pictures; those of {source.name} have {source.channels} channels"
            )
        self._source, self._box, self._mirrored = source, box, mirrored
        self.name = source.name
        whole = box == (0, 0, source.resolution, source.resolution)
        # For whole pictures the key is the source's own, so that they share the features that FID and KID have kept.
        self.key = source.key + ("" if whole else f" box {box}") + (" turned" if mirrored else "")
        self.resolution = box[2] - box[0]
        self.channels = 3
        self.distinct = source.distinct

    def pixels(self, start: int, stop: int) -> NDArray[np.uint8]:
        """Pictures start .. stop - 1: [n, 3, S, S]."""
        left, top, right, bottom = self._box
        pixels = self._source.pixels(start, stop)
        pixels = (pixels[..., ::-1] if self._mirrored else pixels)[..., top:bottom, left:right]
        return pixels.repeat(3, axis=1) if pixels.shape[1] == 1 else np.ascontiguousarray(pixels)
