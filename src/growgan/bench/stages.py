"""A whole run, extrapolated from a few steps of each of its stages."""

from __future__ import annotations

from dataclasses import dataclass, replace

from growgan.bench.steps import Case, StepTime, time_step
from growgan.core.config import RunConfig
from growgan.core.fields import per
from growgan.core.schedule import Schedule, Stage
from growgan.devices import Machine
from growgan.networks.cost import step_flops
from growgan.networks.layers import stddev_group_size
from growgan.training.forecast import Forecast

RESOLUTIONS = {"celeba128": 128, "lsun": 256, "cifar10": 32}
"""Training resolutions of presets for one dataset; others use their dataset's, else 1024."""
MOST_STEP_SECONDS = 4.0
"""On a CPU, a longer step is timed on a part of its minibatch, and scaled."""
SHORT_STEPS, SHORT_STEP_SECONDS = 16, 0.3
"""Resolution up to which steps are always timed, and the time above which others are not."""


@dataclass(frozen=True, slots=True)
class StageTime:
    """How long the pictures of one stage of a run take."""

    resolution: int
    minibatch: int
    images: int
    """Real pictures shown in it."""
    measured_minibatch: int
    """Minibatch of the timed steps: smaller than the stage's if its steps take long."""
    images_per_second: float | None
    """Over fade and the rest together; None if the stage did not fit into memory."""
    hours: float | None
    note: str = ""


def run_resolution(config: RunConfig) -> int:
    """The resolution that a preset is for."""
    return config.data.build_resolution or RESOLUTIONS.get(config.preset.partition(",")[0], 1024)


def time_stage(
    config: RunConfig, stage: Stage, machine: Machine, seconds: float, limit: float | None = None
) -> StageTime:
    """Time steps of a stage, during and after its fade, weighted by their shares of the stage's pictures.

    limit: the measured convolution rate, from which the time of a step is estimated beforehand.
    """
    minibatch = int(config.schedule.minibatch(stage.resolution))
    measured = minibatch if machine.device.type != "cpu" else _affordable(config, stage.resolution, minibatch, limit)
    images, fading = stage.end - stage.start, min(stage.faded, stage.end) - stage.start
    needed = 0.0
    row = StageTime(stage.resolution, minibatch, images, measured, None, None)
    for alpha, share in ((0.5, fading), (1.0, images - fading)):
        if share:
            step = _time(config, stage.resolution, measured, alpha, machine, seconds)
            if step.images_per_second is None:
                return replace(row, note=step.note)
            needed += share / step.images_per_second
    return replace(row, images_per_second=images / needed, hours=needed / 3600)


def stages_of(config: RunConfig) -> tuple[Stage, ...]:
    """The stages of a configuration's schedule in which pictures are shown."""
    stages = Schedule(config.schedule, config.optim, config.network.resolution).stages
    return tuple(stage for stage in stages if stage.end > stage.start)


def consumption(
    config: RunConfig, machine: Machine, limit: float | None = None
) -> dict[int, tuple[float | None, bool]]:
    """Real pictures per second that training takes at each resolution, and whether that is an extrapolation.

    Only steps that should be short are timed. limit: the measured convolution rate.
    """
    forecast = Forecast(Schedule(config.schedule, config.optim, config.network.resolution), config.network)
    timed = set()
    for size in config.network.stages:
        n = int(config.schedule.minibatch(size))
        flops = n * step_flops(config.network, size, config.loss, config.schedule.d_repeats)
        if size <= SHORT_STEPS or (limit and flops / limit < SHORT_STEP_SECONDS):
            row = time_step(Case(config.preset, config, size, n, alpha=1.0), machine, SHORT_STEP_SECONDS)
            if row.images_per_second:
                forecast.observe(size, n, n / row.images_per_second)
                timed.add(size)
    seconds = {size: forecast.seconds_per_image(size) for size in config.network.stages}
    return {size: (1 / spent if spent else None, size not in timed) for size, spent in seconds.items()}


def total_hours(stages: list[StageTime]) -> float | None:
    """Hours of the whole run; None if a stage's are unknown."""
    hours = [stage.hours for stage in stages]
    return None if None in hours else sum(hour for hour in hours if hour is not None)


def _time(
    config: RunConfig, resolution: int, minibatch: int, alpha: float, machine: Machine, seconds: float
) -> StepTime:
    cut = replace(config, schedule=replace(config.schedule, minibatch=per(minibatch)))
    return time_step(Case(config.preset, cut, resolution, minibatch, alpha), machine, seconds)


def _affordable(config: RunConfig, resolution: int, minibatch: int, limit: float | None) -> int:
    """A part of the minibatch, in whole groups of minibatch stddev, whose step should not take too long."""
    if limit is None:
        return minibatch
    flops = step_flops(config.network, resolution, config.loss, config.schedule.d_repeats)
    most = int(MOST_STEP_SECONDS * limit / flops)
    group = stddev_group_size(minibatch, config.network.stddev_group) if config.network.has_stddev else 1
    return min(minibatch, max(group, most // group * group))
