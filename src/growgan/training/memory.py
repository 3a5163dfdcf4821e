"""Whether the largest stage of a run fits into memory: worked out before the first step, not found out days later."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

from growgan.core import geometry
from growgan.core.allocator import FREELY, give_back
from growgan.core.config import RunConfig
from growgan.core.errors import OutOfMemory
from growgan.core.schedule import Phase, Schedule
from growgan.devices import Machine
from growgan.metrics import swd
from growgan.training.ranks import ALONE, Ranks
from growgan.training.rehearsal import Rehearsal
from growgan.training.shares import parts
from growgan.training.state import TrainState

MARGIN = 3.0
"""How much more a step takes than what backward keeps: gradients on their way, the convolutions' own room, fragments.
Seen on a processor: 3.1 for the small network at 64x64."""
LARGE = 1.75
"""The same of a process so large that it gives holes back (`core.allocator`). Seen at 1024x1024 in float32: 1.4, and
1.6 while a plan is measured."""
SPARE = 0.5
"""Share of what steps leave free that pictures may take: measures are taken between the steps, libraries want room to
work in, and what a step needs is an estimate."""
KERNELS = 7
"""Times the weights that the kernels of measured algorithms may take in float32: scaled, and transformed to 16 and 36
numbers for every 9."""


def check_memory(config: RunConfig, schedule: Schedule, machine: Machine, ranks: Ranks = ALONE) -> None:
    """Raise `OutOfMemory`, in one line with a remedy, if the largest stage of the run needs more than is free."""
    free = _share_of_free(machine.device, ranks)
    if free is None:
        return
    largest = max(fullest_phases(schedule), key=lambda phase: _pixels(config, phase, ranks.world))
    needed = needed_memory(config, largest, machine, ranks.world)
    if needed > free:
        share = f" in {ranks.world} processes" if ranks.world > 1 else ""
        raise OutOfMemory(
            f"stage {largest.resolution}x{largest.resolution} needs about {readable(needed)} of memory for a minibatch "
            f"of {largest.minibatch}{share} and {readable(free)} is free: "
            f"{_advice(config, largest, machine, free, ranks.world)}"
        )
    if machine.device.type == "cpu" and config.snapshots.measure == "swd":
        _check_measure(config, free)


def _check_measure(config: RunConfig, free: float) -> None:
    """The measure is taken between steps, and its patches have to fit as well."""
    count = config.snapshots.measure_images
    needed = swd.descriptor_bytes(count, config.network.resolution)
    if needed > free:
        raise OutOfMemory(
            f"measuring {count:,} images needs about {readable(needed)} of memory and {readable(free)} is free: "
            "use --set snapshots.measure=none, or a smaller snapshots.measure_images"
        )


def needed_memory(config: RunConfig, phase: Phase, machine: Machine, world: int = 1) -> float:
    """Bytes that a step of `phase` needs: weights, Adam, gradients, kernels, and all that backward keeps.

    world: processes that share the minibatch; meant is the one that needs the most. Counted by running the step on
    PyTorch's meta device, which knows shapes but holds no numbers.
    """
    rows = _at_once(config, phase, world)
    # What backward keeps has the type that convolutions are done in; weights and moments have their own.
    shapes = Machine(torch.device("meta"), dtype=machine.compute or machine.dtype)
    state = TrainState(config, shapes)
    weights = sum(p.numel() for network in (state.G, state.D) for p in network.parameters()) * machine.dtype.itemsize
    averaged = sum(p.numel() for p in state.G_ema.parameters()) * machine.dtype.itemsize
    kept = max(
        _kept_bytes(state, lambda rehearsal: rehearsal.d_losses(phase, rows)),
        _kept_bytes(state, lambda rehearsal: rehearsal.g_losses(phase, rows)),
    )
    low = (machine.compute or machine.dtype).itemsize / machine.dtype.itemsize
    transformed = machine.device.type == "cpu" and low == 1 and config.execution.plan == "measured"
    kernels = KERNELS * weights if transformed else low * weights
    work = MARGIN * kept
    if machine.device.type == "cpu":
        work = min(work, max(FREELY, LARGE * kept))
    return 4 * weights + averaged + kernels + work


def fullest_phases(schedule: Schedule) -> list[Phase]:
    """The phase of each stage that needs most: a fade keeps a little more than what comes after it."""
    return [schedule.trained(stage, 0.5 if stage.faded > stage.start else 1.0) for stage in schedule.stages]


def spare_memory(
    config: RunConfig, phase: Phase, machine: Machine, taken: float = 0.0, ranks: Ranks = ALONE
) -> float | None:
    """Bytes that may be given to pictures beside steps of `phase`; None where that cannot be told.

    taken: bytes that such a step needs and this process has already, which are therefore not among the free ones.
    """
    free = _share_of_free(machine.device, ranks)
    return None if free is None else SPARE * max(0.0, free + taken - needed_memory(config, phase, machine, ranks.world))


def _share_of_free(device: torch.device, ranks: Ranks) -> float | None:
    """What a process may have of it: those of one machine have one memory, but each its own GPU."""
    free = free_memory(device)
    return free if free is None or device.type != "cpu" else free / ranks.local_world


def free_memory(device: torch.device) -> float | None:
    """Bytes that can still be had on the device; None where that cannot be told."""
    if device.type == "cuda":
        return float(torch.cuda.mem_get_info(device)[0])
    if device.type != "cpu":
        return None
    give_back()  # what earlier work of this process has left can be had
    limits = [free for free in (_system_free(), _control_group_free()) if free is not None]
    return min(limits, default=None)


def _at_once(config: RunConfig, phase: Phase, world: int) -> int:
    """Images that a step computes at once; the first of several processes has the largest share."""
    return len(parts(phase.minibatch, config.execution.microbatch, config.network, 0, world)[0])


def _pixels(config: RunConfig, phase: Phase, world: int) -> int:
    """Feature values that a minibatch fills in D: what a step's memory grows with."""
    spec, images = config.network, _at_once(config, phase, world)
    return images * sum(spec.width(size) * size**2 for size in geometry.stages(phase.resolution))


def _kept_bytes(state: TrainState, losses: Callable[[Rehearsal], Iterator[Tensor]]) -> int:
    """The most that backward keeps for one of the losses, which come one after the other."""
    storages: dict[int, Tensor] = {}

    def keep(tensor: Tensor) -> Tensor:
        storages[tensor.untyped_storage()._cdata] = tensor
        return tensor

    parameters = {p.untyped_storage()._cdata for n in (state.G, state.D) for p in n.parameters()}
    most = 0
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        for _ in losses(Rehearsal(state)):
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


def _system_free() -> float | None:
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
        fields = dict(line.split(":", 1) for line in lines)
        return float(fields["MemAvailable"].split()[0]) * 1024
    except (OSError, KeyError, ValueError):
        pass
    try:
        return float(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
    except (AttributeError, ValueError, OSError):
        return None


def _control_group_free() -> float | None:
    """What a container's limit leaves (version 2 control groups)."""
    try:
        limit = Path("/sys/fs/cgroup/memory.max").read_text(encoding="ascii").strip()
        used = Path("/sys/fs/cgroup/memory.current").read_text(encoding="ascii")
        lines = Path("/sys/fs/cgroup/memory.stat").read_text(encoding="ascii").splitlines()
        stat = dict(line.split() for line in lines)
        # Pages of files that were read count as used, but are given back when they are wanted.
        return float(limit) - float(used) + float(stat["inactive_file"]) + float(stat["active_file"])
    except (OSError, ValueError, KeyError):
        return None


def readable(count: float) -> str:
    """Bytes as people read them: 0.5 GiB, 12.3 MiB."""
    return f"{count / 2**30:.1f} GiB" if count >= 0.1 * 2**30 else f"{count / 2**20:.1f} MiB"
