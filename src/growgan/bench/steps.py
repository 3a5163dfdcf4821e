"""Train steps: time, images per second, and how close they come to the machine's limit."""

from __future__ import annotations

import gc
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from functools import partial

import torch

from growgan.bench.count import Counts, count
from growgan.bench.timing import laps
from growgan.core.config import NetworkSpec, RunConfig
from growgan.core.fields import per
from growgan.core.geometry import LOWEST
from growgan.core.presets import preset
from growgan.core.schedule import Phase, Schedule, Stage
from growgan.core.text import memory_size
from growgan.devices import Machine, free_memory
from growgan.networks.cost import step_flops
from growgan.training.cuda_graphs import Passes
from growgan.training.memory import needed_memory
from growgan.training.state import TrainState
from growgan.training.step import train_step
from growgan.training.trial_steps import TrialSteps, kinds_of_steps

FULL, SMALL = "full", "small"
WIDTHS = {FULL: NetworkSpec(), SMALL: NetworkSpec(fmap_base=1024, fmap_max=128)}
"""The paper's widths, and those of the preset `laptop`."""


@dataclass(frozen=True, slots=True)
class Case:
    """A train step to be timed."""

    name: str
    config: RunConfig
    resolution: int
    minibatch: int
    alpha: float = 0.5
    """Progress of the stage's fade; the lowest stage has none."""

    def __str__(self) -> str:
        size, down = f"{self.resolution}x{self.resolution}", self.config.network.d_down
        return f"{self.name} {size}, batch {self.minibatch}, {down}"

    @property
    def phase(self) -> Phase:
        """The phase that is timed, whether or not the configuration's schedule reaches it."""
        schedule = replace(self.config.schedule, minibatch=per(self.minibatch))
        alpha = self.alpha if self.resolution > LOWEST else 1.0
        resolution = self.config.network.resolution
        return Schedule(schedule, self.config.optim, resolution).trained(Stage(self.resolution, 0, 0, 1), alpha)


@dataclass(frozen=True, slots=True)
class StepTime:
    """The performance of a train step. Rates are per second; flops and bytes are for the whole step."""

    name: str
    resolution: int
    minibatch: int
    d_down: str
    precision: str
    seconds: float | None
    """Median; None if the step did not fit. Steps with lazy penalties are weighted by how often they occur."""
    least_seconds: float | None = None
    images_per_second: float | None = None
    flops_plain: float | None = None
    flops_fused: float | None = None
    flops_done: float | None = None
    """With the algorithms actually used."""
    share_plain: float | None = None
    """Share of the convolution limit, by the operations of the plain form: above 1 if work is saved."""
    share_fused: float | None = None
    """Share of the convolution limit, by the operations of the fused form."""
    steps_per_second: float | None = None
    operations: int | None = None
    """Operations of the step: on a GPU about as many launches."""
    bytes: float | None = None
    """Bytes that they read and write, once each."""
    share_bandwidth: float | None = None
    """Share of the measured memory bandwidth, by these bytes."""
    note: str = ""
    """Why there is no figure."""


def default_sizes(device: torch.device) -> list[tuple[int, int]]:
    """Resolutions and minibatches: on a GPU those of the release's default, else what a CPU does in seconds."""
    if device.type != "cuda":
        return [(8, 16), (32, 8), (128, 2)]
    table = preset("v2-1gpu").schedule.minibatch
    return [(size, int(table(size))) for size in NetworkSpec(resolution=1024).stages]


def default_cases(machine: Machine, base: RunConfig, sizes: Sequence[tuple[int, int]] | None = None) -> list[Case]:
    """Full widths at the given sizes, and a small network at 64x64, each with both forms of D."""
    cases = [(FULL, size, n) for size, n in sizes or default_sizes(machine.device)]
    if sizes is None:
        cases.append((SMALL, 64, 16))
    return [
        Case(name, replace(base, network=replace(WIDTHS[name], resolution=size, d_down=down)), size, n)
        for name, size, n in cases
        for down in ("act_pool", "pool_act")
    ]


def own_cases(config: RunConfig, sizes: Sequence[tuple[int, int]] | None = None) -> list[Case]:
    """The steps of a configuration of the user: at the given sizes, or at every stage."""
    table = config.schedule.minibatch
    sizes = sizes or [(size, int(table(size))) for size in config.network.stages]
    return [Case(config.preset, config, size, n) for size, n in sizes]


def time_step(
    case: Case, machine: Machine, seconds: float, limit: float | None = None, bandwidth: float | None = None
) -> StepTime:
    """Time a step. limit: the measured convolution rate; bandwidth: the measured bytes a second."""
    spec, phase = case.config.network, case.phase
    row = StepTime(case.name, case.resolution, case.minibatch, spec.d_down, machine.precision, None)
    if lacking := shortage(case, machine):
        return replace(row, note=lacking)
    try:
        time, least, counts = _timed(case.config, phase, machine, seconds)
    except torch.OutOfMemoryError:
        return replace(row, note="out of memory")
    finally:
        release(machine.device)
    loss, repeats = case.config.loss, case.config.schedule.d_repeats
    plain = step_flops(spec, case.resolution, loss, repeats) * phase.minibatch
    fused = step_flops(spec, case.resolution, loss, repeats, fused=True) * phase.minibatch
    return replace(
        row,
        seconds=time,
        least_seconds=least,
        images_per_second=phase.minibatch * repeats / time,
        flops_plain=plain,
        flops_fused=fused,
        flops_done=counts.flops,
        share_plain=plain / time / limit if limit else None,
        share_fused=fused / time / limit if limit else None,
        steps_per_second=1 / time,
        operations=counts.operations,
        bytes=counts.bytes,
        share_bandwidth=counts.bytes / time / bandwidth if bandwidth else None,
    )


def measuring(config: RunConfig, machine: Machine) -> AbstractContextManager[None]:
    """A context in which the fastest way to compute each convolution is determined, as in training."""
    tried = config.execution.plan == "measured" and machine.device.type == "cpu"
    return machine.plan.measuring() if tried else nullcontext()


def shortage(case: Case, machine: Machine) -> str:
    """A description of the memory that a step lacks; empty if it fits."""
    needed, free = needed_memory(case.config, case.phase, machine), free_memory(machine.device)
    if free is None or needed <= free:
        return ""
    return f"needs about {memory_size(needed)}, {memory_size(free)} free"


def release(device: torch.device) -> None:
    """Release the memory held by the last piece of work."""
    gc.collect()
    if device.type == "cuda":
        torch.cuda.empty_cache()


def _timed(config: RunConfig, phase: Phase, machine: Machine, seconds: float) -> tuple[float, float, Counts]:
    """Median and least seconds of a step, and its operations, each averaged over the kinds of steps."""
    state = TrainState(config, machine, keep=True)
    feed = TrialSteps(state)

    def step(nimg: int) -> object:
        state.nimg = nimg
        return train_step(state, phase, feed)

    kinds = kinds_of_steps(config, phase)
    passes, state.passes = state.passes, Passes()  # nothing can be counted in a replayed step
    # The first step does not count: it tries each way to compute, as at the start of a run's stage.
    with measuring(config, machine):
        step(0)
    counts = [(count(partial(step, nimg)), share) for nimg, share in kinds]
    state.passes = passes
    for nimg, _ in kinds * passes.settling:
        step(nimg)
    found = [(laps(partial(step, nimg), machine.device, seconds * share, warm_up=0), share) for nimg, share in kinds]
    return (
        sum(lap.median * share for lap, share in found),
        sum(lap.least * share for lap, share in found),
        Counts(
            operations=round(sum(done.operations * share for done, share in counts)),
            bytes=sum(done.bytes * share for done, share in counts),
            flops=sum(done.flops * share for done, share in counts),
        ),
    )
