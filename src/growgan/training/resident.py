"""The current stage's pictures in device memory, if they fit: a batch is then one gather there.

The result is the loader's stream, bit for bit; the loader itself serves what does not fit.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from contextlib import closing

import numpy as np
import torch
from torch import Tensor

from growgan.core.config import RunConfig
from growgan.core.errors import OutOfMemory, first_line
from growgan.core.progress import MakeProgress, Progress, Silent
from growgan.core.schedule import Phase, Schedule
from growgan.core.text import memory_size
from growgan.data.dataset import ImageSet
from growgan.data.sampler import Loader
from growgan.devices import Machine, on_device
from growgan.training.feed import Values
from growgan.training.memory import fullest_phases, spare_memory
from growgan.training.ranks import ALONE, Ranks
from growgan.training.state import TrainState
from growgan.training.stop import Stop


class Resident:
    """The stream of pictures (`feed.Pictures`) of one process, which keeps whole levels and serves its own rows."""

    def __init__(
        self, loader: Loader, config: RunConfig, machine: Machine, say: Callable[[str], None], stop: Stop
    ) -> None:
        self.loader = loader
        self.config = config
        self.machine = machine
        self.say = say
        self.stop = stop
        how = config.execution.resident
        self.wanted = how == "always" or (how == "auto" and machine.device.type == "cuda")
        self._resolution = 0
        self._kept: tuple[Tensor, Tensor | None] | None = None
        """The pictures at that resolution, uint8 [N, C, S, S], and their labels: on the device."""

    def prepare(self, state: TrainState, phase: Phase) -> None:
        """Keep what steps like those of `phase` need, in place of what was kept. Called before every step.

        Raises `OutOfMemory` if `execution.resident` is always and the pictures cannot be kept.
        """
        if phase.resolution == self._resolution:
            return
        self._resolution, self._kept = phase.resolution, None
        if not self.wanted:
            return
        state.passes.forget()  # recordings of the previous stage hold on to memory
        if self.machine.device.type == "cuda":
            torch.cuda.empty_cache()  # makes the previous stage's memory available for pictures of another size
        self._kept = state.ranks.on_all(lambda: self._fetch(state, phase))

    def batch(self, nimg: int, n: int, resolution: int, rows: np.ndarray | None = None) -> tuple[Values, Values | None]:
        """See `data.sampler.Loader.batch`; tensors on the device if the pictures are kept there."""
        if self._kept is None or resolution != self._resolution:
            return self.loader.batch(nimg, n, resolution, rows)
        pictures, labels = self._kept
        indices = self.loader.sampler.indices(nimg, n)
        wanted = on_device(torch.from_numpy(indices if rows is None else indices[rows]), self.machine.device)
        return pictures.index_select(0, wanted), None if labels is None else labels.index_select(0, wanted)

    def _fetch(self, state: TrainState, phase: Phase) -> tuple[Tensor, Tensor | None] | None:
        """What to keep; None if the loader has to serve."""
        dataset, size = self.loader.dataset, phase.resolution
        taken = sum(tensor.nbytes for tensor in state.tensors().values())
        obstacle = _obstacle(dataset, size, spare_memory(self.config, phase, self.machine, taken, state.ranks))
        if obstacle is None:
            place = "in memory" if self.machine.device.type == "cpu" else "on the GPU"
            self.say(f"pictures: keeping {_described(dataset, size)} {place}, {memory_size(_bytes(dataset, size))}")
            try:
                return self._load(size, Progress if state.ranks.first else Silent)
            except (MemoryError, RuntimeError) as error:  # torch.OutOfMemoryError is one of the latter
                reason = first_line(error) or "out of memory"
                obstacle = f"{_described(dataset, size)} could not be kept in memory ({reason})"
        if self.config.execution.resident == "always":
            raise _refused(obstacle)
        self.say(f"pictures: reading batch by batch: {obstacle}")
        return None

    def _load(self, size: int, progress: MakeProgress) -> tuple[Tensor, Tensor | None] | None:
        """All pictures and labels on the device; None if the run was asked to stop meanwhile."""
        dataset, device = self.loader.dataset, self.machine.device
        pictures = torch.empty(_shape(dataset, size), dtype=torch.uint8, device=device)
        start = 0
        with closing(dataset.chunks(size, progress)) as chunks:
            for chunk in chunks:
                pictures[start : start + len(chunk)].copy_(torch.from_numpy(chunk))
                start += len(chunk)
                if self.stop.asked:
                    return None
        return pictures, None if dataset.labels is None else on_device(torch.from_numpy(dataset.labels), device)


def check_resident(
    config: RunConfig, schedule: Schedule, machine: Machine, dataset: ImageSet, ranks: Ranks = ALONE
) -> None:
    """Raise `OutOfMemory` before the first step if pictures must always be kept and those of a stage do not fit."""
    if config.execution.resident != "always":
        return
    for phase in fullest_phases(schedule):
        if obstacle := _obstacle(dataset, phase.resolution, spare_memory(config, phase, machine, ranks=ranks)):
            raise _refused(obstacle)


def _refused(obstacle: str) -> OutOfMemory:
    return OutOfMemory(
        f"pictures cannot be kept, {obstacle}: use --set execution.resident=auto to read them batch by batch"
    )


def _obstacle(dataset: ImageSet, size: int, spare: float | None) -> str | None:
    """Why the pictures cannot be kept, as far as can be told beforehand."""
    needed = _bytes(dataset, size)
    if spare is None or needed <= spare:
        return None
    return f"{_described(dataset, size)} take {memory_size(needed)}, and training leaves {memory_size(spare)} free"


def _described(dataset: ImageSet, size: int) -> str:
    return f"{len(dataset):,} of {size}x{size}"


def _shape(dataset: ImageSet, size: int) -> tuple[int, int, int, int]:
    return len(dataset), dataset.channels, size, size


def _bytes(dataset: ImageSet, size: int) -> int:
    return math.prod(_shape(dataset, size))
