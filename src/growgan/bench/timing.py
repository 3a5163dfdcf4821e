"""How long a piece of work takes, on any device."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import torch

from growgan.devices import synchronize

MOST_LAPS = 1000


@dataclass(frozen=True, slots=True)
class Laps:
    """Times of the same work, repeated several times, in seconds."""

    seconds: tuple[float, ...]

    @property
    def median(self) -> float:
        """The time to expect."""
        return statistics.median(self.seconds)

    @property
    def least(self) -> float:
        """The time without disturbance by anything else."""
        return min(self.seconds)


def laps(
    work: Callable[[], object], device: torch.device, seconds: float, fewest: int = 3, warm_up: int | None = None
) -> Laps:
    """Time `work` for about `seconds`, but at least `fewest` times, after `warm_up` repetitions that do not count.

    warm_up: None = once; on a GPU three times, since its libraries choose and allocate in the first ones. There the
    laps are separated by the device's own events, so that nothing waits between them.
    """
    gpu = device.type == "cuda"
    for _ in range((3 if gpu else 1) if warm_up is None else warm_up):
        work()
    synchronize(device)
    began = time.perf_counter()
    work()
    synchronize(device)
    first = time.perf_counter() - began
    count = max(fewest, min(MOST_LAPS, int(seconds / max(first, 1e-9))))
    if gpu:
        return _laps_by_events(work, device, count)
    found = [first]
    while len(found) < count and (len(found) < fewest or sum(found) < seconds):
        began = time.perf_counter()
        work()
        synchronize(device)
        found.append(time.perf_counter() - began)
    return Laps(tuple(found))


def once(work: Callable[[], object], device: torch.device) -> float:
    """Seconds of `work`, run once."""
    synchronize(device)
    began = time.perf_counter()
    work()
    synchronize(device)
    return time.perf_counter() - began


def _laps_by_events(work: Callable[[], object], device: torch.device, count: int) -> Laps:
    events = [torch.cuda.Event(enable_timing=True) for _ in range(count + 1)]  # type: ignore[no-untyped-call]
    with torch.cuda.device(device):
        events[0].record()
        for event in events[1:]:
            work()
            event.record()
    synchronize(device)
    return Laps(tuple(a.elapsed_time(b) / 1000 for a, b in pairwise(events)))
