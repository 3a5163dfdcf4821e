"""Training states on disk: written atomically, and verified by checksums when read."""

from __future__ import annotations

import errno
import json
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from growgan.core.errors import RunError
from growgan.core.runfiles import RunFiles
from growgan.models.native import write_tensors
from growgan.training.state import TrainState

COUNTERS = "growgan.counters"
FULL = (errno.ENOSPC, errno.EDQUOT)
"""Error numbers of a disk that is full, as a whole or for this user."""


def save(run: RunFiles, state: TrainState, keep: int) -> Path:
    """Write the state as `run.state_at(nimg)` and remove all but the newest `keep`."""
    tensors = {name: value.detach().cpu().contiguous() for name, value in state.tensors().items()}
    checksums = {name: _checksum(value) for name, value in tensors.items()}
    path = run.state_at(state.nimg)
    counters = json.dumps(state.counters())
    checksums[COUNTERS] = zlib.crc32(counters.encode())
    metadata = {COUNTERS: counters, "growgan.checksums": json.dumps(checksums)}
    making_room(run, lambda: write_tensors(path, tensors, metadata))
    for old in run.states()[keep:]:
        old.unlink(missing_ok=True)
    return path


def making_room(run: RunFiles, write: Callable[[], None]) -> None:
    """Call `write`; on a full disk, delete the oldest state and try again. One state always remains."""
    try:
        write()
    except (OSError, RunError) as error:
        found = error if isinstance(error, OSError) else error.__cause__
        older = run.states()[1:]
        if getattr(found, "errno", None) not in FULL or not older:
            raise
        older[-1].unlink(missing_ok=True)
        write()


def restore_newest(run: RunFiles, state: TrainState, warn: Callable[[str], None]) -> bool:
    """Restore the newest intact state. Returns whether there was one.

    Damaged ones are skipped with a warning each. Raises `RunError` if there are states but all are damaged, and if one
    cannot be read at the moment: a run that resumed from an older one would remove what came after it.
    """
    paths = run.states()
    for path in paths:
        try:
            state.restore(*_read(path))
            return True
        except torch.OutOfMemoryError:
            raise
        except OSError as error:
            told = f"{path} cannot be read: {error.strerror or error}"
            raise RunError(f"{told}; try again, or move it away to resume from an older one") from error
        except (SafetensorError, KeyError, RuntimeError, ValueError) as error:
            reason = str(error).splitlines()[0]
            warn(f"{path} is damaged and was skipped: {reason}")
    if paths:
        raise RunError(f"no training state in {run.state} can be read")
    return False


def _read(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    with safe_open(path, framework="pt") as file:
        metadata = file.metadata() or {}
        checksums = json.loads(metadata["growgan.checksums"])
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (safe_open is no mapping)
    counters = metadata[COUNTERS]
    if zlib.crc32(counters.encode()) != checksums.pop(COUNTERS):
        raise ValueError("the checksum of its counters is wrong")
    if set(checksums) != set(tensors):
        raise ValueError("tensors are missing")
    for name, value in tensors.items():
        if _checksum(value) != checksums[name]:
            raise ValueError(f"the checksum of {name} is wrong")
    return tensors, json.loads(counters)


def _checksum(value: Tensor) -> int:
    return zlib.crc32(value.reshape(-1).view(torch.uint8).numpy().data)
