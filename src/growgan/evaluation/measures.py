"""How each measure is computed from streams of pictures, by way of features if it compares those."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray

from growgan.core.progress import MakeProgress, Silent
from growgan.metrics.features import FeatureStore
from growgan.metrics.fid import fid
from growgan.metrics.inception_score import SPLITS, inception_score
from growgan.metrics.kid import kid
from growgan.metrics.ms_ssim import ms_ssim_pairs
from growgan.metrics.precision_recall import NEIGHBOUR, ROWS_AT_ONCE, precision_recall
from growgan.metrics.streams import Sample, SeedBlock
from growgan.metrics.swd import Descriptors, descriptor_bytes, swd

PIXELS = "pixels"
"""The protocol of measures that see the pictures themselves, as 8 bits."""

FEATURES = 2048
"""Number of Inception's features; VGG-16 has twice as many."""

READ_AT_ONCE = 64
"""Pictures read at once, so that every core has some to work on; a network sees fewer at once."""


@dataclass(frozen=True)
class Measured:
    """A number, and its details."""

    value: float
    levels: dict[int, float] | None = None
    """Pixels of a level of the pyramid -> its distance."""
    deviation: float | None = None
    """Standard deviation between the parts or subsets that the value is the mean of."""


class MeasureContext:
    """What measures need: the networks, the device, and the seeds."""

    def __init__(
        self,
        block: SeedBlock,
        device: torch.device,
        progress: MakeProgress = Silent,
    ) -> None:
        self.block = block
        self.device = device
        self.inception: FeatureStore | None = None
        self.vgg: FeatureStore | None = None
        self.progress = progress
        self._kept: tuple[Sample, Descriptors] | None = None

    def pictures(self, sample: Sample, what: str) -> Iterator[NDArray[np.uint8]]:
        """Yield a sample's pictures in batches and show progress."""
        with self.progress(len(sample), f"{what} of {sample.source.name}") as bar:
            for pixels in sample.batches(READ_AT_ONCE):
                yield pixels
                bar.advance(len(pixels))

    def descriptors(self, sample: Sample, seed: int) -> Descriptors:
        """Return the patches of a sample."""
        descriptors = Descriptors(seed, self.device)
        for pixels in self.pictures(sample, "patches"):
            descriptors.add(pixels)
        return descriptors

    def kept_descriptors(self, reals: Sample) -> Descriptors:
        """Return the descriptors of reals, which are kept for the next snapshot."""
        if self._kept is None or self._kept[0] != reals:
            self._kept = None  # both at once might not fit
            self._kept = reals, self.descriptors(reals, self.block.patches[0])
        return self._kept[1]

    @property
    def kept_bytes(self) -> int:
        """Bytes of the kept descriptors, which the next comparison uses or frees."""
        return 0 if self._kept is None else self._kept[1].nbytes


Take = Callable[[MeasureContext, Sample, Sample], list[Measured]]
Room = Callable[[int, int, int], float]
"""From the numbers of fakes and reals and their pixels per side to the bytes that a measure needs."""


def _swd_room(fakes: int, reals: int, resolution: int) -> float:
    return descriptor_bytes(max(fakes, reals), resolution)


def _feature_room(fakes: int, reals: int, resolution: int, features: int = FEATURES) -> float:
    """Features in float32, twice while they are concatenated, and then in float64."""
    return (fakes + reals) * features * (4 + 8)


def _pr_room(fakes: int, reals: int, resolution: int, features: int = FEATURES) -> float:
    """In addition to the features, some rows of distances: squares, products and those of the previous step."""
    return _feature_room(fakes, reals, resolution, features) + 3 * 8 * ROWS_AT_ONCE * max(fakes, reals)


@dataclass(frozen=True)
class Kind:
    """How a measure is computed, and what it needs."""

    take: Take
    """Measures the second sample, against the first where it is a distance."""
    network: str | None = None
    """Whose features it compares, inception's or vgg's; None: the pictures themselves."""
    distance: bool = True
    """Whether it compares with reals; otherwise its reference is its value for reals."""
    repeats: bool = False
    """Whether a set that is too small is shown several times, as the authors' FID does."""
    smallest: int = 4
    """Smallest side in pixels for which it is defined."""
    fewest: int = 2
    """Smallest number of pictures."""
    parts: tuple[str, ...] = ("",)
    """The names of its numbers."""
    room: Room = lambda fakes, reals, resolution: 0.0


def _swd(context: MeasureContext, reals: Sample, fakes: Sample) -> list[Measured]:
    known, new = context.kept_descriptors(reals), context.descriptors(fakes, context.block.patches[1])
    result = swd(known, new, context.block.number)
    return [Measured(result.average, levels=result.levels)]


def _ms_ssim(context: MeasureContext, reals: Sample, fakes: Sample) -> list[Measured]:
    return [Measured(ms_ssim_pairs(context.pictures(fakes, "pairs"), context.device))]


def _fid(context: MeasureContext, reals: Sample, fakes: Sample) -> list[Measured]:
    store = _inception(context)
    return [Measured(fid(store.statistics(reals), store.statistics(fakes)))]


def _kid(context: MeasureContext, reals: Sample, fakes: Sample) -> list[Measured]:
    store = _inception(context)
    result = kid(store.all_rows(reals), store.all_rows(fakes), context.block.number)
    return [Measured(result.value, deviation=result.deviation)]


def _inception_score(context: MeasureContext, reals: Sample, fakes: Sample) -> list[Measured]:
    result = inception_score(_inception(context).all_rows(fakes, "probabilities"))
    return [Measured(result.value, deviation=result.deviation)]


def _pr_inception(context: MeasureContext, reals: Sample, fakes: Sample) -> list[Measured]:
    return _precision_recall(_inception(context), reals, fakes)


def _pr(context: MeasureContext, reals: Sample, fakes: Sample) -> list[Measured]:
    assert context.vgg is not None, "refused before"
    return _precision_recall(context.vgg, reals, fakes)


def _precision_recall(store: FeatureStore, reals: Sample, fakes: Sample) -> list[Measured]:
    result = precision_recall(store.all_rows(reals), store.all_rows(fakes))
    return [Measured(result.precision), Measured(result.recall)]


def _inception(context: MeasureContext) -> FeatureStore:
    assert context.inception is not None, "loaded before"
    return context.inception


PARTS = ("precision", "recall")

KINDS: dict[str, Kind] = {
    "swd": Kind(_swd, smallest=8, room=_swd_room),
    "msssim": Kind(_ms_ssim, distance=False),
    "fid": Kind(_fid, "inception", repeats=True),
    "kid": Kind(_kid, "inception", room=_feature_room),
    "is": Kind(_inception_score, "inception", distance=False, fewest=SPLITS),
    "pr": Kind(_pr, "vgg", fewest=NEIGHBOUR + 1, parts=PARTS, room=partial(_pr_room, features=2 * FEATURES)),
    "pr_inception": Kind(_pr_inception, "inception", fewest=NEIGHBOUR + 1, parts=PARTS, room=_pr_room),
}
"""One for every name of `METRICS`."""
