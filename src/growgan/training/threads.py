"""The number of threads a run trains on: measured once per machine and kind of run, then kept in the user's cache.

If it were measured every time, the same command would occasionally choose another number, and compute another run.
"""

from __future__ import annotations

import contextlib
import json
from pathlib import Path

import torch

from growgan.core.cache import cache_dir
from growgan.core.config import RunConfig
from growgan.core.errors import RunError
from growgan.core.files import write_text
from growgan.core.schedule import Schedule
from growgan.devices import Machine
from growgan.training.trial_steps import fastest_threads


def settled_threads(config: RunConfig, schedule: Schedule, machine: Machine) -> int:
    """The number of threads a new run trains on. A cache that cannot be written is ignored."""
    most = torch.get_num_threads()
    run = f"{config.network}, {config.schedule.minibatch}, {machine.dtype}, {machine.compute}, {machine.name()}"
    known = _read()
    threads = known.get(run)
    if isinstance(threads, int) and 1 <= threads <= most:
        return threads
    threads = fastest_threads(config, schedule, machine)
    with contextlib.suppress(RunError):
        write_text(_path(), json.dumps({**known, run: threads}, indent=1) + "\n")
    return threads


def _path() -> Path:
    return cache_dir() / "threads.json"


def _read() -> dict[str, object]:
    """The cache's contents; empty if the file is missing or damaged."""
    try:
        stored = json.loads(_path().read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return stored if isinstance(stored, dict) else {}
