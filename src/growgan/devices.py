"""Layer 1: what this machine computes on, and how."""

from __future__ import annotations

import torch

from growgan.core.config import ExecutionConfig
from growgan.core.errors import ConfigError


def choose_device(name: str) -> torch.device:
    """The device that `name` stands for; "auto" is a GPU where there is one.

    Raises `ConfigError` for one that is not there.
    """
    if name == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda")
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError:
        raise ConfigError(f"there is no kind of device {name!r}: auto, cpu, cuda, cuda:1 or mps") from None
    count = {"cpu": 1, "cuda": torch.cuda.device_count(), "mps": int(torch.backends.mps.is_available())}
    if (device.index or 0) >= count.get(device.type, 0):
        raise ConfigError(f"this machine has no device {name!r}")
    return device


def choose_layout(device: torch.device) -> torch.memory_format:
    """How images lie in memory: channels last where convolutions run faster so (GPUs, CPUs with AVX-512)."""
    wide = device.type == "cpu" and "AVX512" in torch.backends.cpu.get_cpu_capability()
    return torch.channels_last if device.type == "cuda" or wide else torch.contiguous_format


def set_up(execution: ExecutionConfig) -> tuple[torch.device, torch.memory_format]:
    """Device and layout for a run; the number of threads is set for the whole process."""
    device = choose_device(execution.device)
    if execution.threads is not None:
        torch.set_num_threads(execution.threads)
    return device, choose_layout(device)
