"""The schedule: from the number of images shown to what is trained, and how.

Pure arithmetic on the clock `nimg`. The release counts stages by `lod`, the number of doublings still missing (0 = full
resolution), whose fraction falls during a fade; all other code here uses `alpha`, the weight of the newest layers,
``1 - frac(lod)``, derived only here.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from growgan.core import geometry
from growgan.core.config import OptimConfig, ScheduleConfig


@dataclass(frozen=True, slots=True)
class Phase:
    """What is trained at one moment of a run."""

    resolution: int
    """Side of the images in pixels: the larger one from the moment a fade starts."""
    alpha: float
    """Weight of the newest layers, above 0 and at most 1."""
    lod: float
    """The release's measure of the same: doublings still missing."""
    minibatch: int
    """Images per minibatch."""
    g_lr: float
    """Learning rate of G."""
    d_lr: float
    """Learning rate of D."""
    beta2: float
    """Adam's decay rate of the second moment."""
    progress: float
    """Progress of annealed values, from 0 at their start to 1 at their end (schedule.anneal)."""
    tick_images: int
    """Images between two reports."""

    @property
    def fading(self) -> bool:
        """Whether the newest layers are still being faded in."""
        return self.alpha < 1

    def resets_adam(self, before: Phase | None) -> bool:
        """Whether Adam's moments are reset when this phase follows `before`.

        True at both ends of a fade, when the set of active layers changes (release: floor or ceil of lod).
        """
        if before is None:
            return False
        return (math.floor(self.lod), math.ceil(self.lod)) != (math.floor(before.lod), math.ceil(before.lod))


@dataclass(frozen=True, slots=True)
class Stage:
    """The image counts at which one resolution begins, is faded in, and ends."""

    resolution: int
    start: int
    """Images shown when the fade starts."""
    faded: int
    """Images shown when the fade is over: alpha is 1 from here on."""
    end: int
    """Images shown when the next stage starts, or the run ends."""


class Schedule:
    """The phases of a run that ends at `resolution` pixels."""

    def __init__(self, config: ScheduleConfig, optim: OptimConfig, resolution: int) -> None:
        self.config = config
        self.optim = optim
        self.resolution = resolution
        self.total = max(1, round(config.total_kimg * config.scale * 1000))
        self.stages = _stages(config, resolution, self.total)

    def trained(self, stage: Stage, alpha: float = 1.0) -> Phase:
        """A phase in the middle of `stage`: faded in, or at `alpha`."""
        lod = geometry.log2(self.resolution) - geometry.log2(stage.resolution) + (1 - alpha)
        return self._phase(stage, alpha, lod, 1.0, 0.0)

    def stage_at(self, nimg: int) -> Stage:
        """The stage that is trained after `nimg` images.

        A fade starts with the first minibatch *after* its boundary: at the boundary itself the new layers have no
        weight yet, and the release still trains the smaller size there. Without a fade the new size starts at once.
        """
        current = self.stages[0]
        for stage in self.stages[1:]:
            if nimg > stage.start or (nimg == stage.start and stage.faded == stage.start):
                current = stage
        return current

    def at(self, nimg: int) -> Phase:
        """The phase after `nimg` images."""
        stage = self.stage_at(nimg)
        fade = stage.faded - stage.start
        alpha = min(1.0, (nimg - stage.start) / fade) if fade else 1.0
        lod = geometry.log2(self.resolution) - geometry.log2(stage.resolution) + (1 - alpha)
        return self._phase(stage, alpha, lod, self._ramp(nimg / 1000), self._progress(nimg, stage))

    def _phase(self, stage: Stage, alpha: float, lod: float, ramp: float, progress: float) -> Phase:
        optim = self.optim
        rate = ramp * between(1.0, optim.lr_end, progress)
        return Phase(
            resolution=stage.resolution,
            alpha=alpha,
            lod=lod,
            minibatch=int(self.config.minibatch(stage.resolution)),
            g_lr=optim.g_lr(stage.resolution) * rate,
            d_lr=optim.d_lr(stage.resolution) * rate,
            beta2=between(optim.beta2, optim.beta2_end, progress),
            progress=progress,
            tick_images=max(1, round(self.config.tick_kimg(stage.resolution) * self.config.shortened * 1000)),
        )

    def _ramp(self, kimg: float) -> float:
        """Ramp-up of the learning rates over the first images (Theano version: exp(-5 (1 - k/K)^2))."""
        length = self.optim.rampup_kimg * self.config.shortened
        return 1.0 if kimg >= length else math.exp(-5.0 * (1.0 - kimg / length) ** 2)

    def _progress(self, nimg: int, stage: Stage) -> float:
        """Half a cosine period over the run or the stage (R3GAN, Huang et al. 2024)."""
        start, end = (0, self.total) if self.config.anneal == "run" else (stage.start, stage.end)
        return 0.5 - 0.5 * math.cos(math.pi * min(1.0, (nimg - start) / max(1, end - start)))


def between(start: float, end: float | None, progress: float) -> float:
    """An annealed value: from `start` at progress 0 to `end`, if it has one, at 1."""
    return start if end is None else start + progress * (end - start)


def _stages(config: ScheduleConfig, resolution: int, total: int) -> tuple[Stage, ...]:
    lowest = min(config.initial_resolution, resolution) if config.growing else resolution
    sizes = geometry.stages(resolution, lowest)
    stages: list[Stage] = []
    start = 0.0
    for size in sizes:
        # The first stage has nothing to fade in from.
        faded = start + (0 if size == lowest else config.transition_kimg(size) * config.scale * 1000)
        end = faded + config.training_kimg(size) * config.scale * 1000
        stages.append(Stage(size, round(start), round(faded), round(end)))
        start = end
    reached = [stage for stage in stages if stage.start < total] or stages[:1]
    reached[-1] = replace(reached[-1], end=total)
    return tuple(reached)
