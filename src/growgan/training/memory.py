"""Whether the largest stage of a run fits into memory: estimated before the first step, not discovered days later."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

import torch
from torch import Tensor

from growgan.core import geometry
from growgan.core.allocator import FREELY
from growgan.core.config import RunConfig
from growgan.core.errors import OutOfMemory
from growgan.core.schedule import Phase, Schedule
from growgan.core.text import memory_size
from growgan.devices import Machine, free_memory
from growgan.metrics import swd
from growgan.training.microbatches import parts
from growgan.training.ranks import ALONE, Ranks
from growgan.training.state import TrainState
from growgan.training.trial_steps import TrialSteps

MARGIN = 3.0
"""Memory of a step relative to what backward keeps: intermediate gradients, workspaces of convolutions, fragmentation.
Measured on a CPU: 3.1 for the small network at 64x64."""
LARGE = 1.75
"""The same for a process so large that it returns holes (`core.allocator`). Measured at 1024x1024 in float32: 1.4, and
1.6 while a plan is measured."""
SPARE = 0.5
"""Share of the memory left free by steps that pictures may take: measures run between the steps, libraries need
workspace, and what a step needs is an estimate."""
KERNELS = 7
"""Memory of the kernels of measured algorithms in float32, as a multiple of the weights: scaled, and transformed to 16
and 36 numbers for every 9."""


def check_memory(
    config: RunConfig, schedule: Schedule, machine: Machine, ranks: Ranks = ALONE, pictures: int | None = None
) -> None:
    """Raise `OutOfMemory`, in one line with a remedy, if the largest stage of the run needs more than is free."""
    free = _share_of_free(machine.device, ranks)
    if free is None:
        return
    largest = max(fullest_phases(schedule), key=lambda phase: _pixels(config, phase, ranks.world))
    needed = needed_memory(config, largest, machine, ranks.world)
    if needed > free:
        share = f" in {ranks.world} processes" if ranks.world > 1 else ""
        raise OutOfMemory(
            f"stage {largest.resolution}x{largest.resolution} needs about {memory_size(needed)} of memory for a "
            f"minibatch of {largest.minibatch}{share} and {memory_size(free)} is free: "
            f"{_advice(config, largest, machine, free, ranks.world)}"
        )
    if machine.device.type == "cpu" and config.snapshots.measure == "swd":
        _check_measure(config, free, pictures)


def _check_measure(config: RunConfig, free: float, pictures: int | None) -> None:
    """Raise `OutOfMemory` if the patches of the measure, which runs between steps, do not fit either."""
    count = min(config.snapshots.measure_images, pictures or config.snapshots.measure_images)
    needed = swd.descriptor_bytes(count, config.network.resolution)
    if needed > free:
        raise OutOfMemory(
            f"measuring {count:,} images needs about {memory_size(needed)} of memory and {memory_size(free)} is free: "
            "use --set snapshots.measure=none, or a smaller snapshots.measure_images"
        )


def needed_memory(config: RunConfig, phase: Phase, machine: Machine, world: int = 1) -> float:
    """Bytes that a step of `phase` needs: weights, Adam, gradients, kernels, and all that backward keeps.

    world: processes that share the minibatch; the result is for the one that needs most. Counted by running the step on
    PyTorch's meta device, which knows shapes but holds no numbers.
    """
    rows = _at_once(config, phase, world)
    # What backward keeps has the type that convolutions are computed in; weights and moments have their own.
    shapes = Machine(torch.device("meta"), dtype=machine.compute or machine.dtype)
    state = TrainState(config, shapes, keep=True)
    weights = sum(p.numel() for network in (state.G, state.D) for p in network.parameters()) * machine.dtype.itemsize
    averaged = sum(p.numel() for p in state.G_ema.parameters()) * machine.dtype.itemsize
    kept = max(
        _kept_bytes(state, lambda trial: trial.d_losses(phase, rows)),
        _kept_bytes(state, lambda trial: trial.g_losses(phase, rows)),
    )
    low = (machine.compute or machine.dtype).itemsize / machine.dtype.itemsize
    transformed = machine.device.type == "cpu" and low == 1 and config.execution.plan == "measured"
    kernels = KERNELS * weights if transformed else low * weights
    work = MARGIN * kept
    if machine.device.type == "cpu":
        work = min(work, max(FREELY, LARGE * kept))
    return 4 * weights + averaged + kernels + work


def fullest_phases(schedule: Schedule) -> list[Phase]:
    """The phase of each stage that needs most memory: a fade keeps a little more than what follows it."""
    return [schedule.trained(stage, 0.5 if stage.faded > stage.start else 1.0) for stage in schedule.stages]


def spare_memory(
    config: RunConfig, phase: Phase, machine: Machine, taken: float = 0.0, ranks: Ranks = ALONE
) -> float | None:
    """Bytes available for pictures next to steps of `phase`; None if unknown.

    taken: bytes needed by such a step that this process already holds, and that therefore do not count as free.
    """
    free = _share_of_free(machine.device, ranks)
    return None if free is None else SPARE * max(0.0, free + taken - needed_memory(config, phase, machine, ranks.world))


def _share_of_free(device: torch.device, ranks: Ranks) -> float | None:
    """A process's share of free memory: those on one machine share its memory, but each has its own GPU."""
    free = free_memory(device)
    return free if free is None or device.type != "cpu" else free / ranks.local_world


def _at_once(config: RunConfig, phase: Phase, world: int) -> int:
    """Images that a step computes at once; the first of several processes has the largest share."""
    return len(parts(phase.minibatch, config.execution.microbatch, config.network, 0, world)[0])


def _pixels(config: RunConfig, phase: Phase, world: int) -> int:
    """Feature values of a minibatch in D, with which a step's memory grows."""
    spec, images = config.network, _at_once(config, phase, world)
    return images * sum(spec.width(size) * size**2 for size in geometry.stages(phase.resolution))


def _kept_bytes(state: TrainState, losses: Callable[[TrialSteps], Iterator[Tensor]]) -> int:
    """The most bytes that backward keeps for any of the losses, which come one after the other."""
    storages: dict[int, Tensor] = {}

    def keep(tensor: Tensor) -> Tensor:
        storages[tensor.untyped_storage()._cdata] = tensor
        return tensor

    parameters = {p.untyped_storage()._cdata for n in (state.G, state.D) for p in n.parameters()}
    most = 0
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        for _ in losses(TrialSteps(state)):
            kept = sum(t.untyped_storage().nbytes() for key, t in storages.items() if key not in parameters)
            most = max(most, kept)
            storages.clear()
    return most


def _advice(config: RunConfig, phase: Phase, machine: Machine, free: float, world: int) -> str:
    """A micro-batch that fits, or else a smaller network or stage."""
    size = phase.minibatch // 2
    while size >= 1:
        smaller = replace(config, execution=replace(config.execution, microbatch=size))
        if needed_memory(smaller, phase, machine, world) <= free:
            return f"use --set execution.microbatch={size} to compute it in parts, with the same result"
        size //= 2
    return "train at a lower --resolution, or with a smaller network.fmap_base"
