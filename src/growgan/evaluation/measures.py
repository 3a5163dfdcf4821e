"""How each measure is fed: from streams of pictures, by way of features where it compares those."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from growgan.core.progress import MakeProgress
from growgan.evaluation.features import FeatureStore
from growgan.evaluation.sources import Sample
from growgan.metrics.fid import fid
from growgan.metrics.inception_score import inception_score
from growgan.metrics.kid import kid
from growgan.metrics.ms_ssim import ms_ssim_pairs
from growgan.metrics.precision_recall import precision_recall
from growgan.metrics.swd import Descriptors, swd

PIXELS = "pixels"
"""The protocol of measures that see the pictures themselves, as 8 bits."""

READ_AT_ONCE = 64
"""Pictures, so that every core has some to work on; a network sees fewer at once."""


@dataclass(frozen=True)
class Measured:
    """A number, and what belongs to it."""

    value: float
    levels: dict[int, float] | None = None
    """Pixels of a level of the pyramid -> its distance."""
    deviation: float | None = None
    """Between the parts or subsets that the value is the mean of."""
    part: str = ""
    """Which of a measure's two numbers it is."""


class Bench:
    """Where measures are taken: the networks, the device, and the seed of random choices."""

    def __init__(
        self,
        seed: int,
        device: torch.device,
        inception: FeatureStore | None = None,
        vgg: FeatureStore | None = None,
        progress: MakeProgress | None = None,
    ) -> None:
        self.seed = seed
        self.device = device
        self.inception = inception
        self.vgg = vgg
        self.progress = progress
        self._kept: tuple[Sample, Descriptors] | None = None

    def pictures(self, sample: Sample, what: str) -> Iterator[NDArray[np.uint8]]:
        """Yield a sample's pictures in batches and show how far it has come."""
        bar = self.progress(len(sample), f"{what} of {sample.source.name}") if self.progress else None
        try:
            for pixels in sample.batches(READ_AT_ONCE):
                yield pixels
                if bar:
                    bar.advance(len(pixels))
        finally:
            if bar:
                bar.close()

    def descriptors(self, sample: Sample, seed: int) -> Descriptors:
        """Cut the patches of a sample."""
        descriptors = Descriptors(seed, self.device)
        for pixels in self.pictures(sample, "patches"):
            descriptors.add(pixels)
        return descriptors

    def kept_descriptors(self, reals: Sample) -> Descriptors:
        """Return those of reals, which stay for the next snapshot."""
        if self._kept is None or self._kept[0] != reals:
            self._kept = reals, self.descriptors(reals, 2 * self.seed)
        return self._kept[1]


Take = Callable[[Bench, Sample, Sample], list[Measured]]


@dataclass(frozen=True)
class Kind:
    """What a measure takes."""

    take: Take
    """Measures the second sample, against the first where it is a distance."""
    network: str | None = None
    """Whose features it compares, inception's or vgg's; None: the pictures themselves."""
    distance: bool = True
    """Whether it compares with reals; else reals themselves are its reference."""
    repeats: bool = False
    """Whether a set that is too small is shown several times, as the authors' FID does."""
    smallest: int = 4
    """Pixels a side below which it is not defined."""


def _swd(bench: Bench, reals: Sample, fakes: Sample) -> list[Measured]:
    known, new = bench.kept_descriptors(reals), bench.descriptors(fakes, 2 * bench.seed + 1)
    result = swd(known, new, bench.seed)
    return [Measured(result.average, levels=result.levels)]


def _ms_ssim(bench: Bench, reals: Sample, fakes: Sample) -> list[Measured]:
    return [Measured(ms_ssim_pairs(bench.pictures(fakes, "pairs")))]


def _fid(bench: Bench, reals: Sample, fakes: Sample) -> list[Measured]:
    store = _inception(bench)
    return [Measured(fid(store.statistics(reals), store.statistics(fakes)))]


def _kid(bench: Bench, reals: Sample, fakes: Sample) -> list[Measured]:
    store = _inception(bench)
    result = kid(store.all_rows(reals), store.all_rows(fakes), bench.seed)
    return [Measured(result.value, deviation=result.deviation)]


def _inception_score(bench: Bench, reals: Sample, fakes: Sample) -> list[Measured]:
    result = inception_score(_inception(bench).all_rows(fakes, "probabilities"))
    return [Measured(result.value, deviation=result.deviation)]


def _pr_inception(bench: Bench, reals: Sample, fakes: Sample) -> list[Measured]:
    return _precision_recall(_inception(bench), reals, fakes)


def _pr(bench: Bench, reals: Sample, fakes: Sample) -> list[Measured]:
    assert bench.vgg is not None, "refused before"
    return _precision_recall(bench.vgg, reals, fakes)


def _precision_recall(store: FeatureStore, reals: Sample, fakes: Sample) -> list[Measured]:
    result = precision_recall(store.all_rows(reals), store.all_rows(fakes))
    return [Measured(result.precision, part="precision"), Measured(result.recall, part="recall")]


def _inception(bench: Bench) -> FeatureStore:
    assert bench.inception is not None, "loaded before"
    return bench.inception


KINDS: dict[str, Kind] = {
    "swd": Kind(_swd, smallest=8),
    "msssim": Kind(_ms_ssim, distance=False),
    "fid": Kind(_fid, "inception", repeats=True),
    "kid": Kind(_kid, "inception"),
    "is": Kind(_inception_score, "inception", distance=False),
    "pr": Kind(_pr, "vgg"),
    "pr_inception": Kind(_pr_inception, "inception"),
}
"""Every name of `METRICS`."""
