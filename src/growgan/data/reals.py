"""The pictures of a set as the measures see them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from growgan.core.errors import ConfigError
from growgan.data.dataset import ImageSet
from growgan.data.sampler import Sampler


class Reals:
    """Pictures of a set in a fixed shuffled order; after the last one it starts over.

    mirrored: a random half is mirrored, as for a run that trains on both; in the next round, the other half is.
    """

    def __init__(self, dataset: ImageSet, resolution: int, mirrored: bool = False) -> None:
        self.dataset = dataset
        self.resolution = dataset.check_resolution(resolution)
        self.mirrored = mirrored
        self.name = dataset.path.name
        self.channels = dataset.channels
        self.distinct: int | None = len(dataset)
        self.key = f"set {dataset.content_hash} {resolution} {'mirrored at random' if mirrored else 'plain'}"
        self._order = Sampler(len(dataset), seed=0).indices(0, len(dataset))
        self._turned = np.random.RandomState(1).permutation(len(dataset)) % 2
        if dataset.channels not in (1, 3):
            raise ConfigError(f"measures need grey or colour pictures; those of {dataset.path} are transparent")

    def indices(self, start: int, stop: int) -> NDArray[np.int64]:
        """Return the indices in the set of pictures start .. stop - 1."""
        return self._order[np.arange(start, stop) % len(self._order)]

    def pixels(self, start: int, stop: int) -> NDArray[np.uint8]:
        """Pictures start .. stop - 1: [n, C, S, S]."""
        rounds, within = np.divmod(np.arange(start, stop), len(self._order))
        images = self.dataset.images(self._order[within], self.resolution)
        if self.mirrored:
            images = images.copy()
            # By position within the round, so that the next round shows every picture's other side.
            turned = (self._turned[within] + rounds) % 2 == 1
            images[turned] = images[turned, :, :, ::-1]
        return images
