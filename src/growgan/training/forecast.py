"""How long the rest of a run takes."""

from __future__ import annotations

from growgan.core.config import NetworkSpec
from growgan.core.schedule import Schedule
from growgan.networks.cost import step_flops


class Forecast:
    """Time left, from the time that images have taken so far at each resolution."""

    def __init__(self, schedule: Schedule, spec: NetworkSpec) -> None:
        self.schedule = schedule
        self.spec = spec
        self._images: dict[int, float] = {}
        self._seconds: dict[int, float] = {}

    def observe(self, resolution: int, images: int, seconds: float) -> None:
        """Take note that `images` have taken `seconds`; what is older counts for less."""
        self._images[resolution] = 0.9 * self._images.get(resolution, 0) + images
        self._seconds[resolution] = 0.9 * self._seconds.get(resolution, 0) + seconds

    def seconds_per_image(self, resolution: int) -> float | None:
        """Seen at this resolution, or worked out from the nearest one that was seen; None before anything was."""
        if not self._images:
            return None
        nearest = min(self._images, key=lambda seen: abs(seen.bit_length() - resolution.bit_length()))
        seen = self._seconds[nearest] / self._images[nearest]
        if nearest == resolution:
            return seen
        ratio = step_flops(self.spec, resolution) / step_flops(self.spec, nearest)
        # Small images cost what launching their operations costs, which the count does not see.
        return seen * (max(ratio, 1.0) if resolution > nearest else 1.0)

    def stage_left(self, nimg: int) -> float | None:
        """Seconds until the current stage ends."""
        stage = self.schedule.stage_at(nimg)
        rate = self.seconds_per_image(stage.resolution)
        return None if rate is None else max(0, stage.end - nimg) * rate

    def run_left(self, nimg: int) -> float | None:
        """Seconds until the run ends."""
        total = 0.0
        for stage in self.schedule.stages:
            rate = self.seconds_per_image(stage.resolution)
            if rate is None:
                return None
            total += max(0, stage.end - max(stage.start, nimg)) * rate
        return total
