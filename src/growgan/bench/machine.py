"""The machine and versions on which the figures were measured."""

from __future__ import annotations

import os
import platform
import subprocess
from pathlib import Path
from typing import Any

import torch

import growgan
from growgan.data.parallel import count_cores
from growgan.devices import Machine, convolves_in_tf32, has_fast_bfloat16, processor

ROOT = Path(growgan.__file__).parent


def describe(machine: Machine) -> dict[str, Any]:
    """The machine, the versions, and growgan's choices here, by name."""
    device = machine.device
    found: dict[str, Any] = {
        "processor": processor(),
        "capability": torch.backends.cpu.get_cpu_capability(),
        "cores": count_cores(),
        "threads": torch.get_num_threads(),
        "memory_bytes": total_memory(),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "torch": torch.__version__,
        "growgan": growgan.__version__,
        "commit": commit(),
        "device": str(device),
        "bfloat16_units": has_fast_bfloat16(device),
        "chosen": machine.describe(),
    }
    if device.type == "cuda":
        properties = torch.cuda.get_device_properties(device)
        found |= {
            "gpu": properties.name,
            "gpu_capability": f"{properties.major}.{properties.minor}",
            "gpu_memory_bytes": properties.total_memory,
            "cuda": torch.version.cuda,
            "tf32_convolutions": convolves_in_tf32(device),
            "tf32_products": torch.backends.cuda.matmul.fp32_precision == "tf32",
        }
    return found


def line(found: dict[str, Any]) -> str:
    """The same on one line."""
    source = f"growgan {found['growgan']}" + (f" ({found['commit']})" if found["commit"] else "")
    who = f"{found['processor']}, {found['capability']}" + (", bfloat16 units" if found["bfloat16_units"] else "")
    return f"{found.get('gpu') or who}: {found['chosen']}; PyTorch {found['torch']}, {source}"


def total_memory() -> int | None:
    """Bytes of the machine's memory; None if unknown."""
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):
        return None


def commit() -> str | None:
    """The commit that this code was checked out at, marked if modified since; None if it was installed."""
    if not (ROOT.parents[1] / ".git").exists():
        return None
    return _said_by("git", "-C", str(ROOT), "describe", "--always", "--dirty", "--exclude=*")


def _said_by(*words: str) -> str | None:
    try:
        done = subprocess.run(words, capture_output=True, text=True, check=True, timeout=10)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip() or None
