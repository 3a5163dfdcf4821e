"""The measures by which a run chooses its best snapshot."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import Any

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
from growgan.training.state import TrainState

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
        """The distance at the phase's resolution; None where the measure is not defined."""

    @torch.no_grad()
    def fakes(self, state: TrainState, phase: Phase) -> Iterator[np.ndarray]:
        """Batches of pictures, uint8 [n, C, S, S]."""
        for start in range(0, self.count, BATCH):
            seeds = range(FIRST_SEED + start, FIRST_SEED + min(start + BATCH, self.count))
            z, labels = latents.draw(seeds, state.spec, self.distribution)
            labels = labels.to(state.device) if labels is not None else None
            z = z.to(state.device, state.dtype)
            yield images.to_uint8(state.G_ema(z, labels, phase.resolution, phase.alpha))

    def reals(self, resolution: int) -> Iterator[np.ndarray]:
        """Batches of real pictures, every second one mirrored if those that are trained on are."""
        for start in range(0, self.count, BATCH):
            pixels = self.dataset.images(self.chosen[start : start + BATCH], resolution)
            if self.mirrored:
                pixels = pixels.copy()
                pixels[1::2] = pixels[1::2, :, :, ::-1]
            yield pixels


class SwdMeasure(Measure):
    """Sliced Wasserstein distance (paper, section 5)."""

    _reals: tuple[int, Descriptors] | None = None

    def __call__(self, state: TrainState, phase: Phase) -> dict[str, Any] | None:
        """The distance; None below 16 pixels."""
        if phase.resolution < COARSEST or state.spec.channels not in (1, 3):
            return None
        if self._reals is None or self._reals[0] != phase.resolution:
            self._reals = phase.resolution, _describe(self.reals(phase.resolution), seed=0)
        result = swd(self._reals[1], _describe(self.fakes(state, phase), seed=1))
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
            self._reals = phase.resolution, self._features(self.reals(phase.resolution))
        result = kid(self._reals[1], self._features(self.fakes(state, phase)))
        return {
            "name": "kid",
            "value": result.value,
            "deviation": result.deviation,
            "images": self.count,
            "resolution": phase.resolution,
            "protocol": self.network.name,
        }

    def _features(self, batches: Iterator[np.ndarray]) -> Tensor:
        return torch.cat([self.network.features(pixels) for pixels in batches])


def _describe(batches: Iterator[np.ndarray], seed: int) -> Descriptors:
    descriptors = Descriptors(seed)
    for pixels in batches:
        descriptors.add(pixels)
    return descriptors
