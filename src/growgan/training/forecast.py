"""How long the rest of a run takes."""

from __future__ import annotations

from growgan.core.config import NetworkSpec
from growgan.core.schedule import Schedule
from growgan.networks.cost import step_flops

OVERHEAD = 0.03
"""Seconds of a step that do not grow with its images, an empirical value: launching hundreds of small operations."""


class Forecast:
    """Time left, from the time that images have taken so far at each resolution."""

    def __init__(self, schedule: Schedule, spec: NetworkSpec) -> None:
        self.schedule = schedule
        self.spec = spec
        self._images: dict[int, float] = {}
        self._seconds: dict[int, float] = {}
        self._between = (0.0, 0.0)
        """Images, and the seconds spent between their steps."""

    def observe(self, resolution: int, images: int, seconds: float) -> None:
        """Record that `images` took `seconds`; older records count for less."""
        self._images[resolution] = 0.9 * self._images.get(resolution, 0) + images
        self._seconds[resolution] = 0.9 * self._seconds.get(resolution, 0) + seconds

    def observe_between(self, images: int, seconds: float) -> None:
        """Record the time between the steps of `images`: measures, grids, states, a stage's pictures onto the GPU."""
        self._between = 0.9 * self._between[0] + images, 0.9 * self._between[1] + max(0.0, seconds)

    @property
    def _between_per_image(self) -> float:
        """Seconds per image that are spent between steps."""
        images, seconds = self._between
        return seconds / images if images else 0.0

    def seconds_per_image(self, resolution: int) -> float | None:
        """As measured at this resolution, else extrapolated from the nearest measured ones; None without any."""
        if not self._images:
            return None
        nearest, *others = sorted(self._images, key=lambda seen: abs(seen.bit_length() - resolution.bit_length()))
        if nearest == resolution:
            return self._seconds[nearest] / self._images[nearest]
        # Small images cost what launching their operations costs, which a count of operations misses: estimated from
        # the count alone, a small network's run looks half as long again as it is, or more, while it is at 8x8.
        step, operations = self._step(nearest)
        overhead = min(OVERHEAD, 0.8 * step)
        if others:  # two sizes tell the one from the other
            other_step, other_operations = self._step(others[0])
            per_operation = (step - other_step) / (operations - other_operations)
            if per_operation > 0:
                overhead = max(0.0, step - per_operation * operations)
        target = step_flops(self.spec, resolution) * self._step_images(resolution)
        return (overhead + (step - overhead) * target / operations) / self._step_images(resolution)

    def _step(self, resolution: int) -> tuple[float, float]:
        """Seconds and operations of a step at a measured resolution."""
        images = self._step_images(resolution)
        seconds = self._seconds[resolution] / self._images[resolution] * images
        return seconds, step_flops(self.spec, resolution) * images

    def _step_images(self, resolution: int) -> float:
        return self.schedule.config.minibatch(resolution) * self.schedule.config.d_repeats

    def stage_left(self, nimg: int) -> float | None:
        """Seconds until the current stage ends."""
        stage = self.schedule.stage_at(nimg)
        rate = self.seconds_per_image(stage.resolution)
        return None if rate is None else max(0, stage.end - nimg) * (rate + self._between_per_image)

    def run_left(self, nimg: int) -> float | None:
        """Seconds until the run ends."""
        total = 0.0
        for stage in self.schedule.stages:
            rate = self.seconds_per_image(stage.resolution)
            if rate is None:
                return None
            total += max(0, stage.end - max(stage.start, nimg)) * (rate + self._between_per_image)
        return total
