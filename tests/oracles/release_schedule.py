"""The release's schedule by its own arithmetic (recipe 2.1, 2.2): `lod`, sizes, rates and resets of a whole run."""

import math
from dataclasses import dataclass, field

TICKS = {4: 160, 8: 140, 16: 120, 32: 100, 64: 80, 128: 60, 256: 40, 512: 20, 1024: 10}
CAPS = {256: 16, 512: 8, 1024: 4}
"""Images a GPU in float32."""


@dataclass
class Release:
    """A run as the release configures it."""

    training_kimg: float
    transition_kimg: float
    total_kimg: float
    base: int
    minibatch: dict = field(default_factory=dict)
    lr: dict = field(default_factory=dict)
    gpus: int = 1
    initial: int = 4

    def lod(self, nimg, resolution):
        kimg, stage = nimg / 1000, self.training_kimg + self.transition_kimg
        index = math.floor(kimg / stage) if stage > 0 else 0
        inside = kimg - index * stage
        lod = math.log2(resolution) - math.floor(math.log2(self.initial)) - index
        if self.transition_kimg > 0:
            lod -= max(inside - self.training_kimg, 0) / self.transition_kimg
        return max(lod, 0.0)

    def size(self, lod, resolution):
        return 2 ** (int(math.log2(resolution)) - math.floor(lod))

    def images(self, size):
        images = self.minibatch.get(size, self.base)
        images -= images % self.gpus
        return min(images, CAPS[size] * self.gpus) if size in CAPS else images

    def rate(self, size):
        return self.lr.get(size, 0.001)

    def rounds(self, resolution, repeats=4):
        """Every evaluation of the schedule in a run: (nimg, lod, size, whether Adam starts anew)."""
        nimg, before = 0, None
        while nimg < self.total_kimg * 1000:
            lod = self.lod(nimg, resolution)
            ends = (math.floor(lod), math.ceil(lod))
            size = self.size(lod, resolution)
            yield nimg, lod, size, before is not None and ends != before
            before = ends
            for _ in range(repeats):
                nimg += self.images(size)


RELEASES = {
    "v1-1gpu": Release(800, 800, 19000, 16, {256: 14, 512: 6, 1024: 3}),
    "v2-1gpu": Release(
        600, 600, 12000, 4, {4: 128, 8: 128, 16: 128, 32: 64, 64: 32, 128: 16, 256: 8, 512: 4}, {1024: 0.0015}
    ),
    "v2-2gpus": Release(
        600,
        600,
        12000,
        8,
        {4: 256, 8: 256, 16: 128, 32: 64, 64: 32, 128: 16, 256: 8},
        {512: 0.0015, 1024: 0.002},
        gpus=2,
    ),
    "v2-4gpus": Release(
        600,
        600,
        12000,
        16,
        {4: 512, 8: 256, 16: 128, 32: 64, 64: 32, 128: 16},
        {256: 0.0015, 512: 0.002, 1024: 0.003},
        gpus=4,
    ),
    "v2-8gpus": Release(
        600,
        600,
        12000,
        32,
        {4: 512, 8: 256, 16: 128, 32: 64, 64: 32},
        {128: 0.0015, 256: 0.002, 512: 0.003, 1024: 0.003},
        gpus=8,
    ),
}
