"""Fit a new run to its machine: the number of threads, and the length in hours."""

from __future__ import annotations

import signal
from collections.abc import Callable
from dataclasses import replace

import torch

from growgan.core.config import RunConfig
from growgan.core.errors import ConfigError
from growgan.core.progress import clock
from growgan.core.schedule import Phase, Schedule
from growgan.core.training_config import LARGEST_SCALE
from growgan.devices import Machine
from growgan.training.ranks import Ranks
from growgan.training.state import TrainState
from growgan.training.stop import Asked, Stop
from growgan.training.threads import settled_threads
from growgan.training.trial_steps import Prepare, seconds_per_image

Say = Callable[[str], None]


def with_fastest_threads(config: RunConfig, schedule: Schedule, machine: Machine, ranks: Ranks, say: Say) -> RunConfig:
    """The configuration with the number of threads that is fastest here, unless it was set."""
    most = torch.get_num_threads()
    if ranks.world > 1:  # torchrun has set it: one, or the value of OMP_NUM_THREADS
        return config
    if config.execution.threads is not None or machine.device.type != "cpu" or most == 1:
        return config
    threads = settled_threads(config, schedule, machine)
    if threads < most:
        say(f"training on {threads} of {most} threads, measured to be faster; override with --threads {most}")
    torch.set_num_threads(threads)
    return replace(config, execution=replace(config.execution, threads=threads))


def scaled_to_hours(
    config: RunConfig,
    schedule: Schedule,
    machine: Machine,
    ranks: Ranks,
    say: Say,
    prepare: Prepare,
    hours: float,
    stop: Stop,
) -> RunConfig:
    """The configuration with its schedule scaled to last about `hours` on this machine. Raises `Asked` if stopped.

    prepare: what a run does before each stage, such as measuring its plan, so that speed is measured under it.
    """

    def ready(state: TrainState, phase: Phase) -> None:
        say(f"measuring this machine at {phase.resolution}x{phase.resolution} ...")
        prepare(state, phase)

    def look() -> None:
        (asked,) = ranks.all_reduce_max(stop.asked or 0)
        if asked:
            stop.asked = signal.Signals(asked)  # perhaps received by another process
            raise Asked

    rates = seconds_per_image(config, schedule, machine, ranks, ready, look)
    seconds = sum((stage.end - stage.start) * rates[stage.resolution] for stage in schedule.stages)
    factor = hours * 3600 / seconds
    if config.schedule.scale * factor > LARGEST_SCALE:
        long = f"{hours:g} hours are {factor:.3g} times what this schedule takes here"
        raise ranks.raised_by_all(ConfigError(f"{long}, too long to scale to: set a longer --kimg"))
    scaled = replace(config.schedule, scale=config.schedule.scale * factor)
    kimg = scaled.total_kimg * scaled.scale
    say(f"{kimg:.4g} kimg for about {clock(hours * 3600)} of training ({factor:.3g} times the schedule's own)")
    return replace(config, schedule=scaled)
