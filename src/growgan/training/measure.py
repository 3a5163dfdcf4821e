"""The measure by which a run chooses its best snapshot."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from growgan.core.config import RunConfig
from growgan.core.schedule import Phase
from growgan.data.dataset import ImageSet
from growgan.data.sampler import Sampler
from growgan.metrics.swd import COARSEST, Descriptors, swd
from growgan.sampling import images, latents
from growgan.training.state import TrainState

BATCH = 64
FIRST_SEED = 1_000_000
"""Seeds of the measured fakes: far from those of the grids that people look at."""


class SwdMeasure:
    """Sliced Wasserstein distance of G_ema's pictures to the reals of the same size (paper, section 5)."""

    def __init__(self, config: RunConfig, dataset: ImageSet, labels: dict[str, Any]) -> None:
        self.count = min(config.snapshots.measure_images, len(dataset))
        self.dataset = dataset
        self.distribution = labels
        self.chosen = Sampler(len(dataset), config.seed).indices(0, self.count)
        self.mirrored = config.data.mirror
        self._reals: tuple[int, Descriptors] | None = None

    def __call__(self, state: TrainState, phase: Phase) -> dict[str, Any] | None:
        """The distance at the phase's resolution; None below 16 pixels, where the measure is not defined."""
        if phase.resolution < COARSEST or state.spec.channels not in (1, 3):
            return None
        fakes = Descriptors(seed=1)
        for start in range(0, self.count, BATCH):
            fakes.add(self._fakes(state, phase, range(start, min(start + BATCH, self.count))))
        result = swd(self._real_descriptors(phase.resolution), fakes)
        return {
            "name": "swd",
            "value": result.average,
            "levels": {str(size): value for size, value in result.levels.items()},
            "images": self.count,
            "resolution": phase.resolution,
        }

    @torch.no_grad()
    def _fakes(self, state: TrainState, phase: Phase, some: range) -> np.ndarray:
        seeds = range(FIRST_SEED + some.start, FIRST_SEED + some.stop)
        z, labels = latents.draw(seeds, state.spec, self.distribution)
        labels = labels.to(state.device) if labels is not None else None
        z = z.to(state.device, state.dtype)
        return images.to_uint8(state.G_ema(z, labels, phase.resolution, phase.alpha))

    def _real_descriptors(self, resolution: int) -> Descriptors:
        if self._reals is None or self._reals[0] != resolution:
            reals = Descriptors(seed=0)
            for start in range(0, self.count, BATCH):
                pixels = self.dataset.images(self.chosen[start : start + BATCH], resolution)
                if self.mirrored:  # every second one, as the reals that are trained on
                    pixels = pixels.copy()
                    pixels[1::2] = pixels[1::2, :, :, ::-1]
                reals.add(pixels)
            self._reals = (resolution, reals)
        return self._reals[1]
