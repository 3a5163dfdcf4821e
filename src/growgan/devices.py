"""Layer 1: the device that a run computes on, its precision and its memory."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import torch

from growgan import __version__
from growgan.core.allocator import give_back, keep_memory
from growgan.core.config import ExecutionConfig
from growgan.core.errors import ConfigError
from growgan.core.plan import Plan, cached_plan, read_plan


@dataclass(frozen=True, slots=True)
class Machine:
    """Where and how a run's arithmetic is done."""

    device: torch.device
    layout: torch.memory_format = torch.contiguous_format
    """Memory layout of images and kernels."""
    dtype: torch.dtype = torch.float32
    """Type of weights, moments, averages, losses and norms."""
    compute: torch.dtype | None = None
    """Type that convolutions and matrix products are computed in; None = `dtype`."""
    plan: Plan = field(default_factory=Plan, compare=False)
    """Which algorithm computes each convolution, as far as that was measured."""

    @property
    def precision(self) -> str:
        """Name of the type that convolutions are computed in, such as ``bfloat16``."""
        return str(self.compute or self.dtype).removeprefix("torch.")

    def describe(self) -> str:
        """A short description of these choices."""
        layout = "channels last" if self.layout == torch.channels_last else "channels first"
        count = torch.get_num_threads()
        threads = f"{count} thread{'s' * (count > 1)}, " if self.device.type == "cpu" else ""
        tf32 = " (by TF32)" if self.precision == "float32" and convolves_in_tf32(self.device) else ""
        return f"{self.device}, {threads}{self.precision} convolutions{tf32}, {layout}"

    def known_plan(self) -> Plan:
        """The choices measured on this machine so far, by any run."""
        return Plan(read_plan(cached_plan(self.name()))[1] if self.device.type == "cpu" else None)

    def name(self) -> str:
        """Key of this machine's plans: everything that affects which algorithm is fastest."""
        threads = f"{torch.get_num_threads()} threads, {torch.backends.cpu.get_cpu_capability()}"
        return f"{processor()}, {threads}, torch {torch.__version__}, growgan {__version__}"


def set_up(execution: ExecutionConfig, own: bool = True) -> Machine:
    """The machine for a run; also sets PyTorch's process-wide options. Raises `ConfigError`.

    own: whether the process is growgan's own, so that its allocator may be tuned (`keep_memory`).
    """
    device = choose_device(execution.device)
    if device.type == "cuda" and execution.plan == "measured":
        # Shapes stay the same for a whole stage, so it pays to let cuDNN benchmark its algorithms on each. Plans do not
        # interfere: on a GPU nothing is measured for them (`training.tuning`), and each product has only one algorithm
        # of growgan's own (`networks.algorithms`), whose calls cuDNN benchmarks.
        torch.backends.cudnn.benchmark = True
    if own and device.type == "cpu":
        keep_memory()
    if execution.threads is not None:
        torch.set_num_threads(execution.threads)
    precision = execution.precision
    if precision == "auto":
        precision = "bfloat16" if has_fast_bfloat16(device) else "float32"
    if precision == "float64" and device.type == "mps":
        raise ConfigError("this device has no float64")
    return Machine(
        device,
        choose_layout(device),
        torch.float64 if precision == "float64" else torch.float32,
        torch.bfloat16 if precision == "bfloat16" else None,
    )


def choose_device(name: str | None) -> torch.device:
    """The device that `name` stands for; "auto" is a GPU if there is one, None only a CUDA GPU.

    Raises `ConfigError` if there is no such device.
    """
    if name is None:
        name = "cuda" if torch.cuda.is_available() else "cpu"
    if name == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda")
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError:
        raise ConfigError(f"unknown device {name!r}: use auto, cpu, cuda, cuda:1 or mps") from None
    count = {"cpu": 1, "cuda": torch.cuda.device_count(), "mps": int(torch.backends.mps.is_available())}
    if (device.index or 0) >= count.get(device.type, 0):
        lacking = device.type == "cuda" and torch.version.cuda is None and torch.version.hip is None
        why = f": PyTorch {torch.__version__} was built without CUDA" if lacking else ""
        raise ConfigError(f"this machine has no device {name!r}{why}")
    return device


def asked_device(overrides: Iterable[tuple[str, str]]) -> torch.device:
    """The device of a run with these overrides, whether or not they include `execution.device`.

    Raises `ConfigError` if there is no such device.
    """
    return choose_device(dict(overrides).get("execution.device", "auto"))


def usual_preset(overrides: Iterable[tuple[str, str]]) -> str:
    """The default preset: the release's on a CUDA GPU, else the one measured to give good pictures soonest."""
    return "v2-1gpu" if asked_device(overrides).type == "cuda" else "fast"


def on_device(values: torch.Tensor, device: torch.device) -> torch.Tensor:
    """`values` on `device`; unchanged if they are already there.

    Copies to a CUDA GPU are asynchronous, from pinned memory that PyTorch does not reuse until they are done. Other
    copies are synchronous: MPS would read the values' memory later, when it may belong to another tensor.
    """
    if device.type == "cuda" and values.device.type == "cpu":
        return values.pin_memory().to(device, non_blocking=True)
    return values.to(device)


class StepThrottle:
    """Keeps the CPU at most one step ahead of a GPU, so that the time between steps is what they take.

    Kernels are only queued. Without an occasional wait, many steps would be queued while the first one runs, and their
    time would be spent later, wherever a figure is read.
    """

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self._asked: torch.cuda.Event | None = None

    def step(self) -> None:
        """Call after queueing a step: waits for the previous one, which leaves the GPU this one to do."""
        if self.device.type != "cuda":
            return
        # blocking rather than spinning: other threads load pictures meanwhile.
        before, self._asked = self._asked, torch.cuda.Event(blocking=True)  # type: ignore[no-untyped-call]
        self._asked.record(torch.cuda.current_stream(self.device))
        if before is not None:
            before.synchronize()


def choose_layout(device: torch.device) -> torch.memory_format:
    """Memory layout of images: channels last wherever that speeds up convolutions and matrix products."""
    return torch.contiguous_format if device.type == "mps" else torch.channels_last


def convolves_in_tf32(device: torch.device) -> bool:
    """Whether float32 convolutions round their operands to TF32, as cuDNN does where allowed and supported."""
    # `allow_tf32`, the older name of the switch, raises once the newer one has been used.
    switch = torch.backends.cudnn.conv.fp32_precision  # type: ignore[attr-defined]
    return device.type == "cuda" and switch == "tf32" and torch.cuda.is_tf32_supported()


def has_fast_bfloat16(device: torch.device) -> bool:
    """Whether the device has hardware for bfloat16: a CPU without it is many times slower in this type."""
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    asked = getattr(torch.cpu, "_is_avx512_bf16_supported", None)  # older and newer versions may lack it
    return device.type == "cpu" and asked is not None and bool(asked())


def processor() -> str:
    """Name of the processor, as far as the system reports it."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
        fields = dict(line.split("\t: ", 1) for line in lines if "\t: " in line)
        names = (fields.get("vendor_id"), fields.get("cpu family"), fields.get("model"), fields.get("model name"))
        return " ".join(name.strip() for name in names if name) or platform.machine()
    except OSError:
        return f"{platform.processor() or platform.machine()} {os.cpu_count()}"


def free_memory(device: torch.device) -> float | None:
    """Free bytes on the device; None if unknown."""
    if device.type == "cuda":
        return float(torch.cuda.mem_get_info(device)[0])
    if device.type != "cpu":
        return None
    give_back()  # memory freed by earlier work of this process then counts as free
    limits = [free for free in (_system_free(), _control_group_free()) if free is not None]
    return min(limits, default=None)


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
    """Bytes left within a container's limit (cgroup v2)."""
    try:
        limit = Path("/sys/fs/cgroup/memory.max").read_text(encoding="ascii").strip()
        used = Path("/sys/fs/cgroup/memory.current").read_text(encoding="ascii")
        lines = Path("/sys/fs/cgroup/memory.stat").read_text(encoding="ascii").splitlines()
        stat = dict(line.split() for line in lines)
        # Cached pages of files count as used, but are reclaimed on demand.
        return float(limit) - float(used) + float(stat["inactive_file"]) + float(stat["active_file"])
    except (OSError, ValueError, KeyError):
        return None


def synchronize(device: torch.device) -> None:
    """Wait until the device has finished all queued work."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    elif device.type == "mps":
        torch.mps.synchronize()
