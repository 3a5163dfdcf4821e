"""The measures by which a run chooses its best snapshot."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, TypeVar

import numpy as np
import torch
from torch import Tensor

from growgan.core.config import RunConfig
from growgan.core.schedule import Phase
from growgan.data.dataset import ImageSet
from growgan.data.sampler import Sampler
from growgan.devices import choose_layout
from growgan.metrics.inception import FeatureNetwork
from growgan.metrics.kid import kid
from growgan.metrics.swd import COARSEST, Descriptors, swd
from growgan.metrics.weights import find_inception
from growgan.sampling import images, latents
from growgan.training.ranks import Ranks
from growgan.training.state import TrainState

T = TypeVar("T")

BATCH = 64
FIRST_SEED = 1_000_000
"""Seeds of the measured fakes: far from those of the grids that people look at."""


def make_measure(config: RunConfig, dataset: ImageSet, labels: dict[str, Any], device: torch.device) -> Measure | None:
    """The measure that a configuration names. Raises `ModelError` where its network is not to be had."""
    match config.snapshots.measure:
        case "swd":
            return SwdMeasure(config, dataset, labels)
        case "kid":
            network = FeatureNetwork(find_inception(), "legacy", device, choose_layout(device))
            return KidMeasure(config, dataset, labels, network)
    return None


class Measure(ABC):
    """A distance of G_ema's pictures to the reals of the same size."""

    def __init__(self, config: RunConfig, dataset: ImageSet, labels: dict[str, Any]) -> None:
        self.count = min(config.snapshots.measure_images, len(dataset))
        self.dataset = dataset
        self.distribution = labels
        self.chosen = Sampler(len(dataset), config.seed).indices(0, self.count)
        self.mirrored = config.data.mirror

    @abstractmethod
    def __call__(self, state: TrainState, phase: Phase) -> dict[str, Any] | None:
        """The distance at the phase's resolution, in the first process; None where the measure is not defined."""

    def shared(self, ranks: Ranks, make: Callable[[range], T]) -> Iterator[T]:
        """What `make` makes of each batch of numbers below `count`, in their order; in the first process alone.

        Every process makes its share of the batches, which are the same for any number of processes.
        """
        batches = [range(start, min(start + BATCH, self.count)) for start in range(0, self.count, BATCH)]
        for start in range(0, len(batches), ranks.world):
            own = batches[start + ranks.rank : start + ranks.rank + 1]
            for made in ranks.collect([make(batch) for batch in own]):
                yield from made

    @torch.no_grad()
    def fakes(self, state: TrainState, phase: Phase, batch: range) -> np.ndarray:
        """A batch of pictures, uint8 [n, C, S, S]."""
        seeds = range(FIRST_SEED + batch.start, FIRST_SEED + batch.stop)
        z, labels = latents.draw(seeds, state.spec, self.distribution)
        labels = labels.to(state.device) if labels is not None else None
        z = z.to(state.device, state.dtype)
        return images.to_uint8(state.G_ema(z, labels, phase.resolution, phase.alpha))

    def reals(self, resolution: int, batch: range) -> np.ndarray:
        """A batch of real pictures, every second one mirrored if those that are trained on are."""
        pixels = self.dataset.images(self.chosen[batch.start : batch.stop], resolution)
        if self.mirrored:
            pixels = pixels.copy()
            pixels[1::2] = pixels[1::2, :, :, ::-1]
        return pixels


class SwdMeasure(Measure):
    """Sliced Wasserstein distance (paper, section 5)."""

    _reals: tuple[int, Descriptors] | None = None

    def __call__(self, state: TrainState, phase: Phase) -> dict[str, Any] | None:
        """The distance; None below 16 pixels."""
        if phase.resolution < COARSEST or state.spec.channels not in (1, 3):
            return None
        if self._reals is None or self._reals[0] != phase.resolution:
            read = partial(self.reals, phase.resolution)
            self._reals = phase.resolution, _describe(self.shared(state.ranks, read), seed=0)
        fakes = _describe(self.shared(state.ranks, partial(self.fakes, state, phase)), seed=1)
        if not state.ranks.first:
            return None
        result = swd(self._reals[1], fakes)
        return {
            "name": "swd",
            "value": result.average,
            "levels": {str(size): value for size, value in result.levels.items()},
            "images": self.count,
            "resolution": phase.resolution,
        }


class KidMeasure(Measure):
    """Kernel inception distance: of content where SWD is of texture, at the price of Inception for every fake."""

    def __init__(self, config: RunConfig, dataset: ImageSet, labels: dict[str, Any], network: FeatureNetwork) -> None:
        super().__init__(config, dataset, labels)
        self.network = network
        self._reals: tuple[int, Tensor] | None = None

    def __call__(self, state: TrainState, phase: Phase) -> dict[str, Any] | None:
        """The distance."""
        if state.spec.channels not in (1, 3):
            return None
        if self._reals is None or self._reals[0] != phase.resolution:
            self._reals = phase.resolution, self._features(state.ranks, partial(self.reals, phase.resolution))
        fakes = self._features(state.ranks, partial(self.fakes, state, phase))
        if not state.ranks.first:
            return None
        result = kid(self._reals[1], fakes)
        return {
            "name": "kid",
            "value": result.value,
            "deviation": result.deviation,
            "images": self.count,
            "resolution": phase.resolution,
            "protocol": self.network.name,
        }

    def _features(self, ranks: Ranks, pictures: Callable[[range], np.ndarray]) -> Tensor:
        found = list(self.shared(ranks, lambda batch: self.network.features(pictures(batch)).cpu()))
        return torch.cat(found) if found else torch.empty(0)


def _describe(batches: Iterator[np.ndarray], seed: int) -> Descriptors:
    descriptors = Descriptors(seed)
    for pixels in batches:
        descriptors.add(pixels)
    return descriptors
